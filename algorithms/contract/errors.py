"""Who has to act when a job or a request fails."""

from __future__ import annotations

from collections.abc import Iterable

# Characters of a sentence, from its beginning and its end, where what it quotes is longer than anybody reads.
FIRST, LAST = 1000, 400


class AlgoportError(Exception):
    """A failure with a message written for a reader; `prefix` and `code` depend on who the reader is."""

    prefix = "AlgorithmError"
    code = 1

    @property
    def findings(self) -> list[str]:
        """Every sentence of the message, the most important first."""
        return [str(self)]


class UserError(AlgoportError):
    """Something its reader can change: a setting, a file, a request. Ends a job with exit code 2.

    Takes one sentence, or several where several things are wrong at once.
    """

    prefix = "ClientError"
    code = 2

    def __init__(self, findings: str | Iterable[str]) -> None:
        self._findings = [_readable(text) for text in ([findings] if isinstance(findings, str) else findings)]
        super().__init__("\n".join(self._findings))

    @property
    def findings(self) -> list[str]:
        """Every sentence of the message, the most important first."""
        return self._findings


def one_line(text: str, limit: int | None = None) -> str:
    """The text with all that is not for printing written as Python escapes it, and by its beginning where it is long.

    Names and values from outside stand in sentences, of which one with a line end in it would become two lines of a
    log, the second in words that are not ours.
    """
    shown = text if limit is None or len(text) <= limit else text[: limit - 3] + "..."
    if shown.isprintable():
        return shown
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in shown)


class LabelError(UserError):
    """A label that cannot be learned from. The platform says which file and line it stands in, in place of the channel.

    `sentence`: what a label must be, and what it is. `classes`: how many there are, where labels count them from 0.
    """

    def __init__(self, channel: str, sentence: str, value: float, classes: int | None = None) -> None:
        self.channel, self.value = channel, value
        self.sentence = f"{sentence}{_from_zero(value, classes)}"
        super().__init__(f"Channel '{channel}': {self.sentence}")

    def at(self, place: str) -> UserError:
        """The same with its place: "train/a.csv, line 3"."""
        return UserError(f"{place}: {self.sentence}")


def _from_zero(value: float, classes: int | None) -> str:
    """The remedy where classes were counted otherwise."""
    if classes is None:
        return ""
    if value == -1:
        return " Classes count from 0: write 0 for -1."
    if value == classes:
        up = "and" if classes == 2 else "and so on up to"
        return f" Classes count from 0: write 0 for 1, {up} {classes - 1} for {classes}."
    return ""


def _readable(sentence: str) -> str:
    sentence = one_line(sentence)
    if len(sentence) <= FIRST + LAST:
        return sentence
    return f"{sentence[:FIRST]} … {sentence[-LAST:]}"


class PlatformError(AlgoportError):
    """Something the operator can change: a full disk, a lost host, too little memory. Exit code 1."""

    prefix = "InternalServerError"
    code = 1


def lacks_memory(error: BaseException) -> bool:
    """Whether an error says that memory was asked for and not there: Python's and NumPy's own, and those that torch has
    in its place, of a GPU and of a processor's allocator. They are known by their names, for nothing is imported here.
    Libraries have others for what no address is large enough for.
    """
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    return type(error) in (RuntimeError, ValueError) and any(words in str(error) for words in _TOO_MUCH)


# What torch's allocator and its sizes say, and what NumPy says of sizes and of one side.
_TOO_MUCH = (
    "DefaultCPUAllocator: ",
    "Storage size calculation overflowed",
    "array is too big; ",
    "Maximum allowed dimension exceeded",
)


class Stopped(Exception):
    """`fit` was asked to stop before there was anything worth keeping. Ends a job with exit code 0, no model."""
