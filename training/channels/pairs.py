"""Pictures that are a file each, and the files of another channel that say what is on each: pairs by their names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from algoport.algorithms.contract.errors import UserError
from algoport.training.channels.files import Folder, Shard, shards
from algoport.training.channels.pictures import ENDINGS, only_pictures

OF_OTHERS = (
    " Sets in the form of COCO or Pascal VOC are packed by `algoport images FOLDER OUT.rec`, with --coco or --voc."
)


@dataclass(frozen=True)
class Pair:
    """A picture, and the file that says what is on it; None where nothing does."""

    shard: Shard
    annotation: Shard | None

    @property
    def size(self) -> int:
        """Bytes of both."""
        return self.shard.size + (self.annotation.size if self.annotation else 0)


def unpaired(folder: Folder) -> list[Pair]:
    """The pictures of a channel of which nothing is known."""
    return [Pair(shard, None) for shard in _pictures(folder)]


def paired(folder: Folder, annotations: tuple[Path, str], ending: str) -> list[Pair]:
    """The pictures of a channel, each with the annotation of its name: `a/b.jpg` with `a/b.json`.

    `annotations` are place and name of the other channel, of whose files those count that end so. `UserError` names a
    picture without an annotation, an annotation without a picture, and two of one name. Where the pictures are shared
    out among hosts, annotations of others' pictures are let be.
    """
    place, channel = annotations
    files = shards(place, channel)
    by_name = _by_name([shard for shard in files if shard.path.suffix.lower() == ending], channel)
    pictures = _by_name(_pictures(folder), folder.channel)
    lacking = [name for name in pictures if name not in by_name]
    if lacking:
        others = ending == ".json" and len(lacking) == len(pictures) and bool(files)
        raise UserError(
            f"{pictures[lacking[0]].name}: must have an annotation, {channel}/{lacking[0]}{ending}; "
            f"{_there(place, channel, lacking[0], (ending,))}."
            f"{_more(len(lacking) - 1, 'picture has', 'pictures have', ' none')}{OF_OTHERS if others else ''}"
        )
    spare = [] if folder.sharded else [name for name in by_name if name not in pictures]
    if spare:
        raise UserError(
            f"{by_name[spare[0]].name}: must be of a picture, {folder.channel}/{spare[0]} with "
            f"{' or '.join(ENDINGS)}; {_there(folder.place, folder.channel, spare[0], ENDINGS)}."
            f"{_more(len(spare) - 1, 'annotation is', 'annotations are', ' of none')}"
        )
    return [Pair(shard, by_name[name]) for name, shard in pictures.items()]


def _there(place: Path, channel: str, name: str, endings: Sequence[str]) -> str:
    """What is in the place of a file that is missing: files without a byte count for none."""
    empty = next((ending for ending in endings if (place / f"{name}{ending}").is_file()), None)
    return "there is none" if empty is None else f"{channel}/{name}{empty} is empty"


def _pictures(folder: Folder) -> list[Shard]:
    notes = folder.layout.notes
    return only_pictures(shards(folder.place, folder.channel, notes=notes), notes)


def _by_name(files: Sequence[Shard], channel: str) -> dict[str, Shard]:
    """Files by their path within the channel without the ending; `UserError` where two share one."""
    named: dict[str, Shard] = {}
    for shard in files:
        name = PurePosixPath(shard.name.removeprefix(f"{channel}/")).with_suffix("").as_posix()
        if name in named:
            raise UserError(f"{shard.name}: must differ from {named[name].name} in more than its ending.")
        named[name] = shard
    return named


def _more(count: int, one: str, several: str, rest: str) -> str:
    return "" if not count else f" {count:,} more {one if count == 1 else several}{rest}."
