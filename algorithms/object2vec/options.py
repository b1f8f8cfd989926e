"""What a request may ask for."""

from __future__ import annotations

from collections.abc import Iterator

from algoport.algorithms.contract.hyperparameters import Settings, choice, text

MOST = 5000


class Options(Settings):
    """The options of one request."""

    infer_max_seqlens: str = text(
        "most tokens of in0 and of in1, two whole numbers with a comma between them, where vectors are asked for; of "
        "longer sequences the first",
        default="",
        separated=True,
    )
    preferred_mode: str = choice(
        "which network a GPU would hold; on a processor both are there",
        "classification",
        "embedding",
        default="classification",
        aliases=("inference_preferred_mode", "INFERENCE_PREFERRED_MODE"),
    )

    @property
    def lengths(self) -> tuple[int, int] | None:
        """Most tokens of each side; None where nothing is asked."""
        parts = [part.strip() for part in self.infer_max_seqlens.split(",") if part.strip()]
        return (int(parts[0]), int(parts[1])) if parts else None

    def faults(self) -> Iterator[str]:
        """What no single field can see."""
        parts = [part.strip() for part in self.infer_max_seqlens.split(",") if part.strip()]
        fine = len(parts) == 2 and all(part.isascii() and part.isdigit() for part in parts)
        if parts and not (fine and all(1 <= int(part) <= MOST for part in parts if len(part) < 9) and fine):
            yield (
                f"infer_max_seqlens: must be two whole numbers from 1 to {MOST}, as in infer_max_seqlens=100,100; it "
                f"is {self.infer_max_seqlens[:60]}."
            )
