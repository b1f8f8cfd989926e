"""The generated parts of the pages: `make readme`. With `--check` the module only says which pages are old.

A part stands between `<!-- word -->` and `<!-- /word -->`. What it says comes from the algorithms' folders, from their
declarations and their `clients.md`, and from what benchmarks have recorded:

    README.md                algorithms, coming, speed
    docs/reliability.md      startup
    docs/clients.md          data, version 2, version 3, two hosts, reading
    an algorithm's page      hyperparameters, speed
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from algoport import algorithms
from algoport.containers.pages import clients, overview, settings, speed, startup

ROOT = Path(__file__).resolve().parents[2]
_BETWEEN = r"(<!-- {word} -->\n).*?(<!-- /{word} -->)"


@dataclass(frozen=True)
class Part:
    """A generated part of a page: where it stands, the word of its markers, and what makes it."""

    path: Path
    word: str
    make: Callable[[], str]


def parts() -> Iterator[Part]:
    """All that is generated."""
    first = ROOT / "README.md"
    yield Part(first, "algorithms", partial(overview.algorithms_table, ROOT / "benchmarks" / "results"))
    yield Part(first, "coming", partial(overview.coming, ROOT / "tests" / "specification"))
    yield Part(first, "speed", partial(speed.summary, ROOT / "benchmarks" / "results"))
    yield Part(
        ROOT / "docs" / "reliability.md",
        "startup",
        partial(startup.starts, ROOT / "benchmarks" / "results/startup.json"),
    )
    for word, make in clients.PARTS.items():
        yield Part(ROOT / "docs" / "clients.md", word, make)
    for folder in algorithms.folders():
        name, page = folder.name.replace("_", "-"), folder / "README.md"
        yield Part(page, "hyperparameters", partial(settings.hyperparameters, name))
        yield Part(page, "speed", partial(speed.races, ROOT / "benchmarks" / "results" / f"{folder.name}.json"))


def renew(text: str, word: str, part: str) -> str:
    """The page with that part between the markers; the page itself where it has none."""
    pattern = re.compile(_BETWEEN.format(word=word), re.DOTALL)
    return pattern.sub(lambda match: f"{match[1]}{part}{match[2]}", text)


def old_pages(*, write: bool) -> list[Path]:
    """The pages of which some part is not what would be generated; `write` renews them."""
    old: dict[Path, None] = {}
    for part in parts():
        if not part.path.is_file():
            continue
        text = part.path.read_text()
        new = renew(text, part.word, part.make())
        if new != text:
            old[part.path] = None
            if write:
                part.path.write_text(new)
    return list(old)
