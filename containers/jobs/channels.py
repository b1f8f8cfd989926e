"""A channel as the user of a job gives it: data at a path, and how the job is to see it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import ConfigDict

from algoport.training.channels.files import Shard, shards

Mode = Literal["File", "FastFile", "Pipe"]
Distribution = Literal["FullyReplicated", "ShardedByS3Key"]
Wrapper = Literal["None", "RecordIO"]

MODEL = "model"
MODEL_TYPE = "application/x-sagemaker-model"
NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}")

# What a file's name says where the user says nothing. Where it says nothing either, the algorithm's default holds, or
# what the bytes plainly are: .rec is pictures to one algorithm and protobuf to another.
_BY_SUFFIX = {
    ".csv": "text/csv",
    ".json": "application/json",
    ".parquet": "application/x-parquet",
    ".npy": "application/x-npy",
    ".jsonl": "application/jsonlines",
    ".libsvm": "text/libsvm",
    ".svmlight": "text/libsvm",
    ".pbr": "application/x-recordio-protobuf",
    ".recordio": "application/x-recordio-protobuf",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
    ".lst": "application/x-image",  # a list of pictures
}
PICTURES = ("image/jpeg", "image/png", "application/x-image")


@dataclass(frozen=True, kw_only=True)
class Channel:
    """Data of a job under a name: a file, or a folder with all below it."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    name: str
    path: Path
    content_type: str | None = None  # None: what the names of the files say, else the algorithm's default
    mode: Mode = "File"
    distribution: Distribution = "FullyReplicated"
    wrapper: Wrapper = "None"  # of a pipe: whether each file is framed as one record
    shuffle: int | None = None  # of a pipe: the seed from which the order of its files is drawn anew for each pass

    def faults(self) -> Iterator[str]:
        """Sentences on what is wrong with it on this machine."""
        if not NAME.fullmatch(self.name):
            yield (
                f"Channel '{self.name}': a name has 1 to 64 letters, digits, dots, hyphens and underscores, and "
                "does not begin with a dot."
            )
        if not self.path.exists():
            yield f"Channel '{self.name}': there is nothing at {self.path}."
        elif self.path.is_dir() and not any(self.path.iterdir()):
            yield f"Channel '{self.name}': the folder {self.path} is empty."

    @property
    def entry(self) -> dict[str, str]:
        """What `inputdataconfig.json` says of it."""
        known = self.content_type or (MODEL_TYPE if self.name == MODEL else agreed(self.path))
        entry = {
            "TrainingInputMode": self.mode,
            "S3DistributionType": self.distribution,
            "RecordWrapperType": self.wrapper,
        }
        return entry | ({"ContentType": known} if known else {})

    def placed(self, number: int, hosts: int) -> dict[str, Path]:
        """What one host of several gets of it: paths below `input/data`, and what lies there. A pipe lies nowhere."""
        path = self.path.resolve()
        if self.mode == "Pipe":
            return {}
        if self.distribution == "ShardedByS3Key" and hosts > 1:
            return {shard.name: shard.path.resolve() for shard in self.shards(number, hosts)}
        return {self.name if path.is_dir() else f"{self.name}/{self.path.name}": path}

    def shards(self, number: int = 0, hosts: int = 1) -> list[Shard]:
        """Its files, those of one host where they are shared out."""
        path = self.path.resolve()
        files = shards(path, self.name if path.is_dir() else f"{self.name}/{self.path.name}")
        return files[number::hosts] if self.distribution == "ShardedByS3Key" else files


def by_suffix(name: str) -> str | None:
    """The content type that a file's name implies."""
    return _BY_SUFFIX.get(Path(name.removesuffix(".gz")).suffix.lower())


def agreed(path: Path) -> str | None:
    """The content type that the names of the files imply, if they agree."""
    files = [path] if path.is_file() else [entry for entry in path.rglob("*") if entry.is_file()]
    kinds = {by_suffix(file.name) for file in files if file.name[0] not in "._"}
    if kinds and kinds <= set(PICTURES):
        return PICTURES[-1]
    return kinds.pop() if len(kinds) == 1 else None
