"""From what a job was given to its sources: which channels there are, of which type, and who has any of it."""

from __future__ import annotations

import difflib
import importlib
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from algoport.algorithms import contract
from algoport.algorithms.contract import Auxiliary, kinds
from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.group import Group
from algoport.training import log
from algoport.training.channels import Channel, Files, Meter, Pipe, Share
from algoport.training.channels.auxiliary import everywhere, of_folder, of_pipe
from algoport.training.channels.files import Folder, shards
from algoport.training.channels.pictures import Pictures
from algoport.training.channels.summary import DEFAULT, GIVEN, RECOGNIZED, Norm, Summary
from algoport.training.configuration import ChannelConfig, Configuration
from algoport.training.formats import ContentType, Layout, find, records
from algoport.training.formats.recognition import media_of
from algoport.training.formats.window import peeked
from algoport.training.places import Places

MODEL = "model"  # the channel with the model that incremental training starts from
# Channels that platforms add, and that say nothing to an algorithm.
SILENT = {"code", "sm_drivers", "checkpoints", MODEL}
# What the SageMaker SDK calls the only channel of `fit("file:///rows")`, and what is meant by it.
UNNAMED, MEANT = "training", "train"
# Where a content type does not say how many leading columns are labels, training data has one.
LABELS = 1
SIGHT = 8  # names that a message lists
MAGIC = 64  # bytes that a single look at a stream must give, or it is read until there are more
START = 1 << 12  # bytes of a file by which its content type is recognized


def check(channels: Mapping[str, ChannelConfig], algorithm: contract.Algorithm) -> list[str]:
    """Sentences on all that is wrong and can be seen before a file is opened; a note on channels not read."""
    findings = []
    for name, config in meant(channels, algorithm).items():
        declared = algorithm.channel(name)
        if declared is None:
            if name not in SILENT:
                log.note(f"Channel '{name}' is not one that this algorithm reads; it reads {_names(algorithm)}.")
            continue
        media = content_type(config, declared).media
        if declared.kind != kinds.FILE and media not in declared.content_types:
            known = ", ".join(declared.content_types)
            findings.append(
                f"Channel '{name}': the content type must be one of {known}; it is '{config.content_type}'."
            )
    return findings


def meant(channels: Mapping[str, ChannelConfig], algorithm: contract.Algorithm) -> Mapping[str, ChannelConfig]:
    """The channels as the algorithm calls them; each still knows under which name it was given."""
    if UNNAMED not in channels or MEANT in channels or algorithm.channel(UNNAMED) or not algorithm.channel(MEANT):
        return channels
    return {MEANT if name == UNNAMED else name: config for name, config in channels.items()}


def content_type(config: ChannelConfig, declared: contract.Channel) -> ContentType:
    """The type that was given, or the one that the algorithm documents as its default."""
    return ContentType.parse(config.content_type or declared.default_content_type)


class Opening:
    """Makes the sources of a job, the same at every member, and finds out what is missing."""

    def __init__(
        self,
        places: Places,
        configuration: Configuration,
        algorithm: contract.Algorithm,
        group: Group,
        *,
        local: tuple[int, int] = (0, 1),
        meter: Meter | None = None,
        asked: Callable[[], bool] = lambda: False,
        say: Callable[[str], None] = log.note,
    ) -> None:
        self.places = places
        self._configuration = configuration
        self._given = meant(configuration.channels, algorithm)
        self._algorithm = algorithm
        self._group = group
        self._local = local
        self._meter = meter
        self._asked = asked
        self._say = say

    def sources(self) -> dict[str, Channel]:
        """Every channel that any member has, by name; an exchange. `UserError` where a required one has nothing."""
        declarations = [declared for declared in self._algorithm.channels if declared.has_records]
        channels = {declared.name: self._channel(declared) for declared in declarations}
        present = self._agreed([self._has(channel) for channel in channels.values()])
        missing = [
            self._missing(declared, channels[declared.name].summary)
            for declared, somewhere in zip(declarations, present, strict=True)
            if declared.required and not somewhere
        ]
        if missing:
            raise UserError(missing)
        there = [channel for channel, somewhere in zip(channels.values(), present, strict=True) if somewhere]
        for channel, width in zip(there, self._widths(there), strict=True):
            channel.expect(width)
        self._check_widths(there)
        for name in self._given:
            if name in channels and channels[name] not in there:
                self._say(
                    f"Channel '{name}' is given and has no records, so that the job runs as one without it. "
                    f"{channels[name].summary.passed_over()}".rstrip()
                )
        return {channel.name: channel for channel in there}

    def _check_widths(self, channels: Sequence[Channel]) -> None:
        """An exchange. `UserError` where dense records of a channel are not as wide as those of the required one."""
        mine = np.array([channel.summary.dense_width for channel in channels], np.int64)
        widest = np.max([np.array(theirs) for theirs in self._group.gather(mine)], axis=0)
        norms: dict[str, Norm] = {}
        for channel, width in zip(channels, widest, strict=True):
            declared = self._algorithm.channel(channel.name)
            if declared is not None and declared.required and width:
                norms.setdefault(channel.kind, Norm(int(width), channel.name))
        for channel in channels:
            channel.summary.norm = norms.get(channel.kind)
            channel.summary.check_width()

    def files(self) -> dict[str, Auxiliary]:
        """Every channel of plain files that has some, by name; an exchange. `UserError` as for `sources`."""
        every = [declared for declared in self._algorithm.channels if declared.kind == kinds.FILE]
        files = {declared.name: self._auxiliary(declared) for declared in every}
        missing = [self._missing(each) for each in every if each.required and not files[each.name].names]
        if self._agreed([bool(missing)])[0]:
            raise UserError(missing or ["A channel of files is missing at another host, whose log says which."])
        return {name: own for name, own in files.items() if own.names}

    def _auxiliary(self, declared: contract.Channel) -> Auxiliary:
        config = self._given.get(declared.name)
        own = self._own_files(config, declared)
        return everywhere(own, self._group) if config is not None and config.sharded else own

    def _own_files(self, config: ChannelConfig | None, declared: contract.Channel) -> Auxiliary:
        """The files that this host sees."""
        if config is None:
            return Auxiliary(declared.name, {})
        place, first = self.places.data / config.name, self.places.data / f"{config.name}_0"
        if config.mode == "File" or (place.exists() and not first.exists()):
            return of_folder(place, declared.name)
        if first.exists() and not first.is_fifo():
            return of_folder(first, declared.name)
        return of_pipe(first, declared.name, wrapped=config.wrapped, stop_requested=self._asked)

    def _channel(self, declared: contract.Channel) -> Channel:
        config = self._given.get(declared.name)
        rank, size = self._group.rank, self._group.size
        local, members = self._local
        sharded = config is not None and config.sharded
        summary = Summary(declared.name, kinds.find(declared.kind), whole=not sharded)
        if self._configuration.settings.effective().get(declared.weighted):
            summary.weighted = declared.weighted
        return Channel(
            declared.name,
            self._records(config, declared, summary),
            Share(rank=rank, size=size, local=local, locals=members, sharded=sharded),
            kind=declared.kind,
            width=self._width,
            summary=summary,
            meter=self._meter,
            asked=self._asked,
        )

    @property
    def _width(self) -> int | None:
        return self._configuration.settings.in_role("width")

    def _records(
        self, config: ChannelConfig | None, declared: contract.Channel, summary: Summary
    ) -> Files | Pipe | Pictures[Any]:
        if config is None:
            summary.written = True  # of a channel that was not given there is nothing to say
            return Files([], _none)
        decode = self._decoder(config, declared, summary)
        data, kind = self.places.data, kinds.find(declared.kind)
        media = content_type(config, declared).media
        place, first = data / config.name, data / f"{config.name}_0"
        # In a pipe, pictures have no names by which labels could be found, and without a frame around each, no ends.
        bare = not place.is_dir() and config.mode != "File" and config.wrapped and not declared.labeled
        if media in kind.folders and config.mode == "File" and not place.exists():
            summary.files = 0
            return Files([], _none)
        if media in kind.folders and not bare:
            reader = importlib.import_module(f"{__package__}.{kind.folders[media]}")
            source: Files = reader.open_channel(self._folder(place, config, declared, summary))
            summary.files, summary.types = len(source.shards), {media: GIVEN if config.content_type else DEFAULT}
            return source
        piped = first if first.exists() and not first.is_fifo() else None  # a plain file or a folder, and no pipe
        if config.mode != "File" and piped is None and (first.exists() or not place.exists()):
            # Frames that are records themselves are for the format to read.
            return Pipe(data, config.name, decode, wrapped=config.wrapped and media not in kind.framed)
        where = place if config.mode == "File" or piped is None else piped
        name = config.name if where is place else first.name
        files = shards(where, name, notes=summary.notes)
        summary.files, summary.first = len(files), files[0].name if files else ""
        return Files(files, decode, kind.name, keep=not declared.single_pass)

    def _folder(self, place: Path, config: ChannelConfig, declared: contract.Channel, summary: Summary) -> Folder:
        """A channel of one record a file, with what other channels say of it."""
        if not place.is_dir():
            come = "lie in a folder, and this is a file" if place.exists() else "come as files, not in a pipe"
            raise UserError(f"Channel '{declared.name}': pictures that are a file each {come}.")
        every = self._algorithm.channels
        lists = [channel.name for channel in every if channel.lists == declared.name]
        annotations = [channel.name for channel in every if channel.annotates == declared.name]
        return Folder(
            place=place,
            channel=declared.name,
            lists=self._first_given(lists),
            annotations=self._first_given(annotations),
            annotating=next(iter(annotations), ""),
            reference=self._kin(declared),
            labeled=declared.labeled,
            sharded=config.sharded,
            layout=replace(self._layout(declared), notes=summary.notes),
        )

    def _first_given(self, names: Sequence[str]) -> tuple[Path, str] | None:
        """Place and name of the first of these channels that the job was given."""
        given = next((name for name in names if name in self._given), None)
        return None if given is None else (self.places.data / self._given[given].name, given)

    def _kin(self, declared: contract.Channel) -> Path | None:
        """Where the records of the required channel of that kind lie, whose folders say which classes there are."""
        of_kind = (channel for channel in self._algorithm.channels if channel.kind == declared.kind)
        name = next((channel.name for channel in of_kind if channel.required), None)
        if name is None:
            return None
        return self.places.data / (self._given[name].name if name in self._given else name)

    def _decoder(
        self, config: ChannelConfig, declared: contract.Channel, summary: Summary
    ) -> Callable[..., Iterator[Any]]:
        given = content_type(config, declared)
        find(given.media, declared.kind)  # a type that is not read is a fault before anything is opened
        layout = replace(self._layout(declared), notes=summary.notes)
        endings = {
            ending: ContentType.parse(media)
            for ending, media in kinds.find(declared.kind).endings.items()
            if ContentType.parse(media).media in declared.content_types
        }

        def decode(stream: BinaryIO, name: str) -> Iterator[Any]:
            media, why = _by_name(name, endings, given), GIVEN if config.content_type else DEFAULT
            if not config.content_type:
                start, stream = _start(stream)
                plain = media_of(start, declared.content_types, declared.default_content_type)
                if plain is not None and plain != media.media:
                    media, why = ContentType.parse(plain), RECOGNIZED
            summary.types.setdefault(
                str(media), "by the ending of its name" if media != given and why == GIVEN else why
            )
            return records(stream, media, replace(layout, name=name), declared.kind)

        return decode

    def _layout(self, declared: contract.Channel) -> Layout:
        """What is known of the records of a channel before they are read."""
        settings = self._configuration.settings
        width = settings.with_role("width")
        layout = Layout(
            name=declared.name,
            labels=LABELS,
            weighted=bool(settings.effective().get(declared.weighted)),
            width=self._width,
            classes=settings.in_role("classes"),
            missing=self._algorithm.missing,
            fields=self._algorithm.fields,
            weighted_name=declared.weighted,
        )
        return layout if width is None else replace(layout, width_name=width.name)

    def _has(self, channel: Channel) -> bool:
        """Whether this member sees a record of it. Only a required pipe is waited for: others may come later."""
        declared = self._algorithm.channel(channel.name)
        if channel.is_piped and declared is not None and not declared.required:
            return True
        return not channel.is_empty()

    def _agreed(self, flags: Sequence[bool]) -> list[bool]:
        sums = np.array(flags, np.float64)
        self._group.sum_(sums)
        return [bool(value > 0) for value in sums]

    def _widths(self, channels: Sequence[Channel]) -> list[int | None]:
        """The widest that any member has seen, for members that have no row of their own."""
        mine = np.array([channel.width or 0 for channel in channels], np.int64)
        widest = np.max([np.array(theirs) for theirs in self._group.gather(mine)], axis=0)
        return [int(width) or None for width in widest]

    def _missing(self, declared: contract.Channel, summary: Summary | None = None) -> str:
        """What is required, what it holds, and what there is instead."""
        types = list(declared.content_types)
        shown = " or ".join([", ".join(types[:-1]), types[-1]] if len(types) > 1 else types)
        holds = f"It holds {declared.meaning}, as {shown}."
        if declared.name not in self._given:
            given = [name for name in self._configuration.channels if name not in SILENT]
            near = difflib.get_close_matches(declared.name, given, n=1)
            hint = f" Was '{near[0]}' meant?" if near else ""
            sentence = f"Channel '{declared.name}' is required and was not given.{hint} {holds}"
            return sentence if given else f"{sentence} {self._sight()}"
        what = "files" if declared.kind == kinds.FILE else "records"
        passed = f"{summary.passed_over()} " if summary and summary.passed_over() else ""
        return f"Channel '{declared.name}' is required and has no {what}. {passed}{holds} {self._sight()}"

    def _sight(self) -> str:
        """What lies where the channels should."""
        data = self.places.data
        if not data.parent.is_dir():
            return self.places.unmounted
        if not data.is_dir():
            return f"There is no {data}."
        names = sorted(entry.name + "/" * entry.is_dir() for entry in data.iterdir())
        if not names:
            return f"{data} is empty."
        more = f" and {len(names) - SIGHT} more" if len(names) > SIGHT else ""
        return f"In {data} there is {', '.join(names[:SIGHT])}{more}."


def _start(stream: BinaryIO) -> tuple[bytes, BinaryIO]:
    """The first bytes of a stream, and one that has them yet. A file stays one that can be sought in."""
    if isinstance(stream, io.BufferedReader) and len(start := stream.peek(START)) >= MAGIC:
        return start[:START], stream
    return peeked(stream, START)


def _none(stream: BinaryIO, name: str) -> Iterator[Any]:
    yield from ()


def _by_name(name: str, endings: Mapping[str, ContentType], given: ContentType) -> ContentType:
    """What the ending of a file's name says it is, and where it says nothing, what the channel says."""
    plain = name.lower().removesuffix(".gz")
    return next((media for ending, media in endings.items() if plain.endswith(ending)), given)


def _names(algorithm: contract.Algorithm) -> str:
    return ", ".join(channel.name for channel in algorithm.channels)
