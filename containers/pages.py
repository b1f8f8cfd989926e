"""The tables of the pages, made from the declarations: `make readme`. With `--check`, only says which are old.

A table stands between `<!-- hyperparameters -->` and `<!-- /hyperparameters -->` on the page of an algorithm, and
between `<!-- algorithms -->` and `<!-- /algorithms -->` on the first page.
"""

from __future__ import annotations

import functools
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from algoport import algorithms
from algoport.algorithms.contract import Algorithm
from algoport.algorithms.contract.setting import Setting
from algoport.containers.jobs.describe import sentence, settings, written

ROOT = Path(__file__).resolve().parents[1]
_BETWEEN = r"(<!-- {word} -->\n).*?(<!-- /{word} -->)"


def hyperparameters(name: str) -> str:
    """A row for each hyperparameter of an algorithm."""
    rows = [[f"`{setting.name}`", _meaning(setting), setting.allowed, _default(setting)] for setting in settings(name)]
    return _table(["hyperparameter", "meaning", "value", "default"], rows)


def overview() -> str:
    """A row for each algorithm."""
    return _table(
        ["algorithm", "for", "CPU", "GPU", "hosts", "goes on from a model"],
        [_overview(algorithms.find(name)) for name in algorithms.names()],
    )


def _overview(algorithm: Algorithm) -> list[str]:
    starts = "" if "start" in algorithm.exceptions else "●"
    page = f"algorithms/{algorithm.name.replace('-', '_')}/README.md"
    return [
        f"[{algorithm.name}]({page})",
        algorithm.problem,
        "●",
        "●" if algorithm.gpu else "",
        "many" if algorithm.hosts else "one",
        starts,
    ]


def _meaning(setting: Setting) -> str:
    tuned = ""
    if setting.tune is not None:
        ends = [written(value) for value in setting.tune]
        span = " to ".join(ends) if setting.kind in ("integer", "real") else ", ".join(ends)
        tuned = f" Tuners search {span}."
    return sentence(setting.meaning) + tuned


def _default(setting: Setting) -> str:
    if setting.required:
        return "*required*"
    return "" if setting.default is None else f"`{written(setting.default)}`"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


def pages() -> list[tuple[Path, str, Callable[[], str]]]:
    """Each page that has a table, the word of its marker, and what makes the table."""
    found: list[tuple[Path, str, Callable[[], str]]] = [(ROOT / "README.md", "algorithms", overview)]
    for folder in algorithms.folders():
        make = functools.partial(hyperparameters, folder.name.replace("_", "-"))
        found.append((folder / "README.md", "hyperparameters", make))
    return found


def renewed(text: str, word: str, table: str) -> str:
    """The page with its table between the markers; the page itself where it has none."""
    pattern = re.compile(_BETWEEN.format(word=word), re.DOTALL)
    return pattern.sub(lambda found: f"{found[1]}{table}{found[2]}", text)


def old_pages(*, write: bool) -> list[Path]:
    """The pages whose tables are not those of the declarations; `write` makes them so."""
    old = []
    for path, word, make in pages():
        if not path.is_file():
            continue
        text = path.read_text()
        new = renewed(text, word, make())
        if new != text:
            old.append(path)
            if write:
                path.write_text(new)
    return old


if __name__ == "__main__":
    check = "--check" in sys.argv[1:]
    changed = old_pages(write=not check)
    for page in changed:
        print(f"{page.relative_to(ROOT)}: {'is not what `make readme` makes' if check else 'made anew'}")
    sys.exit(bool(check and changed))
