"""Every algorithm's page is built alike, so that who knows one finds what is sought on all."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from algoport import algorithms
from algoport.algorithms.contract.errors import UserError

# The headings of a page in their order. An algorithm may have others between them, of what is its own.
HEADINGS = (
    "When not to use it",
    "Speed",
    "What it does",
    "Data",
    "Settings",
    "Metrics",
    "Answers",
    "The model",
    "Several hosts",
    "Memory",
    "What differs from the original",
)
# What pages have called the same things: one of these beside its proper name, or in its place, is a second word for it.
SYNONYMS = ("Columns", "Channels", "Records", "What it reads", "Requests", "Requests and answers", "Hyperparameters",
            "Bad input", "What is refused", "Limits", "Differences")  # fmt: skip
PICTURE = re.compile(r"^!\[([^\]]+)\]\(([^)]+\.(?:png|svg))\)$", re.MULTILINE)
NAMES = algorithms.names()


def page(name: str) -> Path:
    return algorithms.folder(name) / "README.md"


def sections(name: str) -> dict[str, str]:
    """What stands under each heading; what stands before the first has the title ""."""
    parts = re.split(r"^## (.+)\n", page(name).read_text(), flags=re.MULTILINE)
    titles = ["", *parts[1::2]]
    assert len(titles) == len(set(titles)), titles
    return dict(zip(titles, parts[::2], strict=True))


@pytest.mark.parametrize("name", NAMES)
def test_headings_are_those_of_all_pages_in_their_order(name: str) -> None:
    titles = list(sections(name))

    assert [title for title in titles if title in HEADINGS] == list(HEADINGS)
    assert titles[1] == HEADINGS[0] and titles[-1] == HEADINGS[-1]
    assert not set(titles) & set(SYNONYMS)
    assert [title for title in titles if "differ" in title.lower()] == [HEADINGS[-1]]


@pytest.mark.parametrize("name", NAMES)
def test_a_page_begins_with_what_it_is_for_a_command_and_a_picture(name: str) -> None:
    text = page(name).read_text()
    title, _, first = text.partition("\n\n")
    before = text[: text.index("\n## Speed\n")]

    pictures = PICTURE.findall(before)

    assert title.startswith("# ") and re.match("[A-Z]", first)
    assert len(PICTURE.findall(text)) == len(pictures) == 1
    assert len(pictures[0][0].split()) >= 4, "in words, for who does not see it"
    assert (page(name).parent / pictures[0][1]).is_file()
    assert re.search(r"^\| ?--", text, re.MULTILINE)


def commands(name: str) -> list[list[str]]:
    """The words of each training that the page begins with."""
    lines = re.findall(r"^    (algoport train .*)$", sections(name)[""], re.MULTILINE)
    return [shlex.split(line) for line in lines]


@pytest.mark.parametrize("name", NAMES)
def test_the_command_that_a_page_begins_with_is_one_that_is_accepted(name: str) -> None:
    """Its settings, and the names of its channels; nothing is trained."""
    algorithm = algorithms.find(name)
    options = {"--train": "train", "--validation": "validation", "--test": "test"}

    assert commands(name)
    for words in commands(name):
        pairs = list(zip(words[3::2], words[4::2], strict=True))
        settings = dict(value.split("=", 1) for option, value in pairs if option == "--hp")
        channels = {options[option] for option, _ in pairs if option in options}
        channels |= {value.partition("=")[0] for option, value in pairs if option == "--channel"}

        assert words[2] == name and ("--output", "job") in pairs
        algorithms.part(name, "hyperparameters").Hyperparameters.read(settings)
        assert channels <= {channel.name for channel in algorithm.channels}
        assert {channel.name for channel in algorithm.channels if channel.required} <= channels


@pytest.mark.parametrize("name", NAMES)
def test_a_page_says_when_to_use_something_else(name: str) -> None:
    lines = sections(name)["When not to use it"].strip().splitlines()

    items = [line for line in lines if line.startswith("- ")]

    assert len(items) >= 2 and all(line.startswith(("- ", "  ")) for line in lines)


@pytest.mark.parametrize("name", NAMES)
def test_what_differs_from_the_original_is_one_list(name: str) -> None:
    lines = sections(name)["What differs from the original"].strip().splitlines()

    assert lines and lines[0].startswith("- ")
    assert [line for line in lines if not line.startswith(("- ", "  "))] == []


@pytest.mark.parametrize("name", NAMES)
def test_a_page_names_every_channel_metric_column_and_variable(name: str) -> None:
    """What is declared; a metric with its channel, or as those of all channels have it."""
    text, algorithm = page(name).read_text(), algorithms.find(name)

    silent = [channel.name for channel in algorithm.channels if channel.name not in text]
    silent += [metric.name for metric in algorithm.metrics if metric.short.replace("*", "") not in text]
    silent += [column.name for column in algorithm.answer.columns if column.name not in text]
    silent += [variable for variable in algorithm.environment if variable not in text]

    assert not silent, silent


@pytest.mark.parametrize("name", NAMES)
def test_a_value_that_a_page_gives_a_setting_is_one_that_it_may_have(name: str) -> None:
    declared = algorithms.part(name, "hyperparameters").Hyperparameters
    settings = {setting.name for setting in declared.settings()}
    given = set(re.findall(r"`([a-z_0-9]+)=([^`\s]+)`", page(name).read_text()))

    faults = []
    for setting, value in sorted(given):
        if setting in settings:
            try:
                declared.read({setting: value})
            except UserError as error:  # others are missing
                faults += [fault for fault in error.findings if fault.startswith(f"{setting}:")]

    assert not faults, faults
