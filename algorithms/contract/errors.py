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


def _readable(sentence: str) -> str:
    sentence = one_line(sentence)
    if len(sentence) <= FIRST + LAST:
        return sentence
    return f"{sentence[:FIRST]} … {sentence[-LAST:]}"


class PlatformError(AlgoportError):
    """Something the operator can change: a full disk, a lost host, too little memory. Exit code 1."""

    prefix = "InternalServerError"
    code = 1


class Stopped(Exception):
    """`fit` was asked to stop before there was anything worth keeping. Ends a job with exit code 0, no model."""
