"""What a user may set for k-nearest neighbors."""

from collections.abc import Iterator
from typing import Literal

from algoport.algorithms.contract.hyperparameters import Settings, choice, integer

# Parts of a row that product quantization can have.
PARTS = (1, 2, 3, 4, 8, 12, 16, 20, 24, 28, 32, 40, 48, 56, 64, 96)


class Hyperparameters(Settings):
    """The settings of one job."""

    feature_dim: int = integer("how many numbers a row has", low=1, role="width")
    k: int = integer("how many neighbors have a say", low=1, tune=(1, 1024))
    predictor_type: str = choice(
        "whether the neighbors vote on a class or their labels are averaged", "classifier", "regressor"
    )
    sample_size: int = integer(
        "how many of the training rows are kept, of all hosts together", low=1, tune=(256, 20000000)
    )
    dimension_reduction_target: int | None = integer(
        "how many numbers a row has after the reduction; less than feature_dim", default=None, low=1
    )
    dimension_reduction_type: str | None = choice(
        "how rows are reduced: by a matrix of random signs, or by the fast Johnson-Lindenstrauss transform",
        "sign",
        "fjlt",
        default=None,
    )
    faiss_index_ivf_nlists: int | Literal["auto"] = integer(
        "how many lists faiss.IVFFlat and faiss.IVFPQ have; auto: the square root of sample_size",
        default="auto",
        low=1,
        auto=True,
    )
    faiss_index_pq_m: int | None = integer(
        "how many codes stand for a row in faiss.IVFPQ, which needs it: 1, 2, 3, 4, 8, 12, 16, 20, 24, 28, 32, 40, "
        "48, 56, 64 or 96",
        default=None,
    )
    index_metric: str = choice("what is compared", "L2", "INNER_PRODUCT", "COSINE", default="L2")
    index_type: str = choice(
        "how the index is searched: exactly, in a few lists, or in a few lists of coded rows",
        "faiss.Flat",
        "faiss.IVFFlat",
        "faiss.IVFPQ",
        default="faiss.Flat",
    )
    mini_batch_size: int = integer("rows read at a time, of all hosts together", default=5000, low=1, role="batch")
    epochs: int = integer("passed over: one pass over the rows is enough to sample them", default=1)
    nprobe: int = integer(
        "how many lists a query looks at", default=5, name="_faiss_index_nprobe", aliases=("faiss_index_nprobe",)
    )

    def faults(self) -> Iterator[str]:
        """What no single field can see."""
        if self.k > self.sample_size:
            yield f"k: must be at most sample_size ({self.sample_size}); it is {self.k}."
        if self.nprobe < 1:
            yield f"_faiss_index_nprobe: must be at least 1; it is {self.nprobe}."
        target, kind = self.dimension_reduction_target, self.dimension_reduction_type
        if kind is not None and target is None:
            yield f"dimension_reduction_target: is required where dimension_reduction_type is {kind}."
        if kind is not None and target is not None and target >= self.feature_dim:
            yield f"dimension_reduction_target: must be less than feature_dim ({self.feature_dim}); it is {target}."
        if self.faiss_index_pq_m is not None and self.faiss_index_pq_m not in PARTS:
            yield f"faiss_index_pq_m: must be one of {', '.join(map(str, PARTS))}; it is {self.faiss_index_pq_m}."
        if self.index_type == "faiss.IVFPQ":
            if self.faiss_index_pq_m is None:
                near = self._dividing()
                yield (
                    "faiss_index_pq_m: is required where index_type is faiss.IVFPQ; those that divide the "
                    f"{self.width} numbers of a row are {', '.join(map(str, near))}."
                )
            if self.index_metric != "L2":
                yield f"index_metric: must be L2 where index_type is faiss.IVFPQ; it is {self.index_metric}."

    def notices(self) -> Iterator[str]:
        """What is passed over, or is not as it might be."""
        yield from super().notices()
        m = self.parts
        if self.dimension_reduction_type is None and self.dimension_reduction_target is not None:
            yield "dimension_reduction_target: is passed over, as dimension_reduction_type is not set."
        if m and self.width % m:
            below = [part for part in self._dividing() if part < m][-1:]
            above = [part for part in self._dividing() if part > m][:1]
            yield (
                f"faiss_index_pq_m: {m} does not divide the {self.width} numbers of a row, which is "
                f"{'reduced to' if self.dimension_reduction_type else 'filled up with zeros to'} "
                f"{self.indexed_width}; the nearest that do: {', '.join(map(str, below + above))}."
            )

    @property
    def parts(self) -> int:
        """Codes of a row; 0 where there are none."""
        return self.faiss_index_pq_m or 0 if self.index_type == "faiss.IVFPQ" else 0

    @property
    def width(self) -> int:
        """Numbers of a row as the settings say, after the reduction."""
        reduced = self.dimension_reduction_type is not None and self.dimension_reduction_target is not None
        return self.dimension_reduction_target or 1 if reduced else self.feature_dim

    @property
    def indexed_width(self) -> int:
        """Numbers of a row in the index: with codes a multiple of their number."""
        return -(-self.width // self.parts) * self.parts if self.parts else self.width

    def _dividing(self) -> list[int]:
        return [part for part in PARTS if self.width % part == 0]
