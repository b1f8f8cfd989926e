"""The pages as a site that can be searched: `make docs`.

`python -m algoport.containers.pages.site FOLDER` gathers them in FOLDER as they lie in the repository, with all that
they link to, and builds the site in `FOLDER/html` with MkDocs. A link that leads nowhere, and a page that is not in the
navigation, ends it with 1. The site needs no network: neither to be built nor to be read.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from algoport.containers.pages import ROOT

FIRST = "README.md"
# Where pages lie; what else is written in Markdown is a part of one of them, or the note of a folder of tests.
PAGES = (
    "*.md",
    "docs/*.md",
    "algorithms/*/README.md",
    "containers/README.md",
    "serving/README.md",
    "preprocessing/*/README.md",
)
# The chapters of the navigation, by the folders of their pages; within one, pages stand as the first page names them.
CHAPTERS = {"algorithms": "Algorithms", "": "The project"}
GUIDES = "Guides"
WORKER = "assets/iframe-worker.js"  # in the place of the theme's own, which is fetched from elsewhere
_FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`[^`\n]*`")
_LINK = re.compile(r"(!?)\[(?:[^\]\\]|\\.)*\]\(([^)\s]+)\)")
_TITLE = re.compile(r"^# (.+)$", re.MULTILINE)


def pages(root: Path = ROOT) -> list[Path]:
    """The places of all pages in the repository, relative to it."""
    return [path.relative_to(root) for pattern in PAGES for path in sorted(root.glob(pattern))]


def links(text: str) -> Iterator[str]:
    """What a page links to, pictures among it, as it stands there; code has no links."""
    prose = "\n".join(line for line in _FENCE.sub("", text).splitlines() if not line.startswith("    "))
    yield from (match[2] for match in _LINK.finditer(_CODE.sub("", prose)))


def targets(page: Path, root: Path = ROOT) -> Iterator[Path]:
    """The places in the repository that a page links to, relative to it."""
    for link in links((root / page).read_text()):
        place = unquote(link.partition("#")[0])
        target = (root / page.parent / place).resolve()
        if place and "://" not in place and not place.startswith("mailto:") and target.is_relative_to(root.resolve()):
            yield target.relative_to(root.resolve())


def navigation(root: Path = ROOT) -> list[Any]:
    """The chapters with their pages, as MkDocs has them: the first page, guides, algorithms, and the project itself.

    A chapter's pages stand in the order in which the first page links to them; those that it does not name come last.
    """
    every = pages(root)
    named = list(dict.fromkeys(page for page in targets(Path(FIRST), root) if page in set(every)))
    ordered = [*named, *(page for page in every if page not in named)]
    chapters: dict[str, list[Any]] = {GUIDES: [], **{chapter: [] for chapter in CHAPTERS.values()}}
    for page in ordered:
        if page != Path(FIRST):
            folder = page.parts[0] if len(page.parts) > 1 else ""
            chapters[CHAPTERS.get(folder, GUIDES)].append({title(root / page): str(page)})
    return [{title(root / FIRST): FIRST}, *({name: entries} for name, entries in chapters.items() if entries)]


def title(page: Path) -> str:
    """The title of a page, without code marks."""
    match = _TITLE.search(page.read_text())
    return match[1].replace("`", "").strip() if match else page.stem


def gather(into: Path, root: Path = ROOT) -> None:
    """Links to all pages, and to what they link to, each where it lies in the repository."""
    every = pages(root)
    for place in dict.fromkeys([*every, *(target for page in every for target in targets(page, root))]):
        if (root / place).is_file():
            (into / place).parent.mkdir(parents=True, exist_ok=True)
            (into / place).symlink_to(root / place)
    (into / WORKER).parent.mkdir(exist_ok=True)
    shutil.copyfile(Path(__file__).with_name("iframe-worker.js"), into / WORKER)


def configuration(sources: Path, html: Path, root: Path = ROOT) -> dict[str, Any]:
    """What MkDocs is told, as the file that it reads."""
    name = title(root / FIRST)
    return {
        "site_name": name,
        "docs_dir": str(sources),
        "site_dir": str(html),
        "nav": navigation(root),
        "use_directory_urls": False,  # so that links work from a folder, too, without a server
        "strict": True,
        "theme": {
            "name": "material",
            "font": False,  # else it is fetched from elsewhere
            "features": ["navigation.indexes", "navigation.top", "toc.follow", "search.highlight", "content.code.copy"],
            "palette": [
                {"media": "(prefers-color-scheme: light)", "scheme": "default", "primary": "indigo"},
                {"media": "(prefers-color-scheme: dark)", "scheme": "slate", "primary": "indigo"},
            ],
        },
        "plugins": ["search", "offline"],
        "extra": {"polyfills": [WORKER], "generator": False},
        "markdown_extensions": [
            "tables",
            "sane_lists",
            "md_in_html",
            {"toc": {"permalink": True}},
            "pymdownx.superfences",
            {"pymdownx.highlight": {"use_pygments": True}},
        ],
        "validation": {
            "nav": {"omitted_files": "warn", "not_found": "warn", "absolute_links": "warn"},
            "links": {
                "not_found": "warn",
                "anchors": "warn",
                "absolute_links": "warn",
                "unrecognized_links": "warn",
            },
        },
    }


def build(folder: Path, root: Path = ROOT) -> int:
    """Gather, and build; what MkDocs ends with."""
    import yaml

    folder = folder.resolve()
    shutil.rmtree(folder, ignore_errors=True)
    sources, html = folder / "sources", folder / "html"
    sources.mkdir(parents=True)
    gather(sources, root)
    settings = folder / "mkdocs.yml"
    settings.write_text(yaml.safe_dump(configuration(sources, html, root), sort_keys=False, allow_unicode=True))
    # Not --quiet: what is not said is not counted, and strict counts warnings.
    command = [sys.executable, "-P", "-m", "mkdocs", "build", "--strict", "--config-file", str(settings)]
    own = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}  # of the theme, about the next version of MkDocs
    done = subprocess.run(command, check=False, env=own, text=True, capture_output=True)  # noqa: S603 (our own words)
    if done.returncode:
        print(done.stdout + done.stderr, end="", file=sys.stderr)
    return done.returncode


def main(words: list[str]) -> int:
    """Build the site in the folder that is named."""
    if len(words) != 1:
        print("Where to? python -m algoport.containers.pages.site FOLDER", file=sys.stderr)
        return 2
    code = build(Path(words[0]))
    if code == 0:
        print(f"{len(pages())} pages: {Path(words[0]) / 'html/index.html'}")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
