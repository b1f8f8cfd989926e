"""The pages as a site: every page in the navigation, every link and picture of the repository there too, no network."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from algoport import algorithms
from algoport.containers.pages import ROOT, site
from algoport.containers.pages.site import FIRST, gather, links, navigation, pages, targets
from tests.containers.labels.browser import Browser


def anchors(page: Path) -> set[str]:
    """The names of a page's headings, as forges make them."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def leaves(entries: list[Any]) -> Iterator[str]:
    """The pages of a navigation."""
    for entry in entries:
        for inner in entry.values():
            yield from leaves(inner) if isinstance(inner, list) else [inner]


def test_every_page_is_in_the_navigation_once() -> None:
    listed = list(leaves(navigation()))

    assert listed[0] == FIRST and sorted(listed) == sorted(map(str, pages()))
    assert {f"algorithms/{algorithms.folder(name).name}/README.md" for name in algorithms.names()} <= set(listed)
    assert {f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")} <= set(listed)


def test_the_first_page_leads_to_every_page() -> None:
    linked = set(targets(Path(FIRST)))
    there = {page for page in pages() if page != Path(FIRST)}

    assert sorted(str(page) for page in there - linked if page.parts[0] != "preprocessing") == []


@pytest.mark.parametrize("page", pages(), ids=str)
def test_every_link_and_picture_of_a_page_is_there(page: Path) -> None:
    wrong = []
    for link in links((ROOT / page).read_text()):
        place, _, anchor = link.partition("#")
        if "://" in place or place.startswith("mailto:"):
            continue
        target = ROOT / page.parent / unquote(place) if place else ROOT / page
        if not target.is_file():
            wrong.append(f"{link}: no file")
        elif anchor and target.suffix == ".md" and anchor not in anchors(target):
            wrong.append(f"{link}: no heading")

    assert not wrong, wrong


def test_links_in_code_are_none_and_those_with_brackets_and_pictures_are() -> None:
    text = "[a](b.md) ![c](d.png) `[e](f.md)` [g [h]](i.md)\n\n    [j](k.md)\n\n```\n[l](m.md)\n```\n[\\_n](o.md#p)\n"

    assert list(links(text)) == ["b.md", "d.png", "o.md#p"]


def small(root: Path, link: str) -> Path:
    """A repository of two pages, the second of which links somewhere."""
    (root / "docs").mkdir(parents=True)
    (root / FIRST).write_text("# First\n\n[second](docs/second.md)\n")
    (root / "docs/second.md").write_text(f"# Second\n\n[there]({link})\n\n## Part\n")
    (root / "program.py").write_text("print()\n")
    return root


def test_pages_and_what_they_link_to_lie_as_in_the_repository(tmp_path: Path) -> None:
    root = small(tmp_path / "tree", "../program.py")

    gather(tmp_path / "site", root)

    there = {str(path.relative_to(tmp_path / "site")) for path in (tmp_path / "site").rglob("*") if path.is_file()}
    assert there == {FIRST, "docs/second.md", "program.py", site.WORKER}
    assert navigation(root) == [{"First": FIRST}, {"Guides": [{"Second": "docs/second.md"}]}]


@pytest.mark.parametrize(
    ("link", "code"), [("../README.md#first", 0), ("third.md", 1), ("../README.md#none", 1), ("/README.md", 1)]
)
def test_a_link_that_leads_nowhere_fails(link: str, code: int, tmp_path: Path) -> None:
    pytest.importorskip("material")
    root = small(tmp_path / "tree", link)

    assert site.build(tmp_path / "site", root) == code


class Loads(HTMLParser):
    """What a page makes a browser fetch, and where it links to."""

    def __init__(self) -> None:
        super().__init__()
        self.loads, self.links, self.ids = list[str](), list[str](), set[str]()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.ids.add(given.get("id", ""))
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        elif tag != "link" or given.get("rel") not in ("canonical", "next", "prev"):
            self.loads += [given[name] for name in ("src", "href") if name in given]


def test_the_site_is_whole_searchable_and_needs_no_network(tmp_path: Path) -> None:
    pytest.importorskip("material")

    assert site.build(tmp_path) == 0

    html = tmp_path / "html"
    read: dict[Path, Loads] = {}
    for path in html.rglob("*.html"):
        read[path.resolve()] = Loads()
        read[path.resolve()].feed(path.read_text())
    assert len(read) == len(pages()) + 1  # and the one for what is not there
    wrong = []
    for path, page in read.items():
        wrong += [f"{path.relative_to(html)} loads {place}" for place in page.loads if "//" in place]
        for link in [] if path.name == "404.html" else [*page.links, *page.loads]:
            place, _, anchor = link.partition("#")
            if "//" in place or place.startswith("mailto:"):
                continue
            target = (path.parent / unquote(place.partition("?")[0])).resolve() if place else path
            if not target.exists() or (anchor and target in read and unquote(anchor) not in read[target].ids):
                wrong.append(f"{path.relative_to(html)}: {link}")
    for path in html.rglob("*.css"):
        wrong += [f"{path.name}: {url}" for url in re.findall(r"url\(['\"]?(?:https?:)?//[^)]*\)", path.read_text())]
        wrong += [f"{path.name}: {url}" for url in re.findall(r"@import[^;]*//[^;]*", path.read_text())]
    assert not wrong, wrong[:20]
    index = json.loads((html / "search/search_index.json").read_text())
    places = {entry["location"].partition("#")[0] for entry in index["docs"]}
    assert {f"algorithms/{algorithms.folder(name).name}/index.html" for name in algorithms.names()} <= places
    for path in read:  # lists and tables are such, and not paragraphs that look like them
        text = re.sub(r"<(pre|code)\b.*?</\1>", "", path.read_text(), flags=re.DOTALL)
        assert not re.search(r"<p>[^<]*(?:\n|^)(?:\d+\.|-|\|) ", text), path
        assert "&lt;!--" not in text, path


def test_the_search_answers_from_a_folder(tmp_path: Path) -> None:
    """As a reader has it who opens the file: no server, no worker, no network."""
    pytest.importorskip("material")
    assert site.build(tmp_path / "site", small(tmp_path / "tree", "../program.py")) == 0
    browser = Browser()
    try:
        browser.open((tmp_path / "site/html/docs/second.html").as_uri())
        browser.until("document.querySelector('[data-md-component=search-query]')")
        browser.run(
            "const field = document.querySelector('[data-md-component=search-query]');"
            "document.querySelector('#__search').click(); field.focus(); field.value = 'second';"
            "for (const kind of ['keyup', 'input']) field.dispatchEvent(new Event(kind, { bubbles: true }))"
        )
        shown = browser.until("(document.querySelector('.md-search-result__item a') || {}).href")

        assert shown.split("?")[0].split("#")[0].endswith("/site/html/docs/second.html")
        assert not [fault for fault in browser.faults() if "iframe-worker" in fault or "Uncaught" in fault]
    finally:
        browser.close()
