"""Names, comments and pages use the field's own words, by which people search for them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.architecture.test_tree import PACKAGES, ROOT, modules, tree, where

PARTICIPLES = {"found", "kept", "told", "begun", "heard", "taken", "held"}  # alone they name nothing
# What the field has words of its own for: incremental training, resume, backward pass, reduced precision, fuzzing, ...
TRANSLATED = re.compile(
    r"\b(go(es|ing)?\s+on\s+from|(is|are|was|were|be)\s+taken\s+up|the\s+way\s+back|short\s+numbers|libert(y|ies)"
    r"|vectors\s+of\s+the\s+processor|hostile|mend(s|ed|ing)?|str(ikes?|uck)|hunt(s|ed|ing)?)\b",
    re.IGNORECASE,
)


def names(path: Path) -> Iterator[tuple[str, ast.AST]]:
    """Every name that a file gives: to functions, classes, parameters, variables and attributes."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name, node
        elif isinstance(node, ast.arg):
            yield node.arg, node
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id, node
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr, node


def test_a_name_is_more_than_a_participle() -> None:
    given = [
        (name, where(path, node)) for path in modules(*PACKAGES, "benchmarks", "tests") for name, node in names(path)
    ]

    wrong = [f"{place}: {name}" for name, place in given if name.strip("_").lower() in PARTICIPLES]

    assert len(given) > 1000
    assert not wrong, wrong


def test_code_and_pages_speak_the_language_of_the_field() -> None:
    pages = [*ROOT.glob("*.md")]
    for folder in ("docs", *PACKAGES):
        pages += (ROOT / folder).rglob("*.md")
    code = [path for path in modules(*PACKAGES, "benchmarks", "tests") if path != Path(__file__)]

    wrong = []
    for path in pages + code:
        text = path.read_text()
        for match in TRANSLATED.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            wrong.append(f"{where(path)}:{line}: {match[0]}")

    assert pages
    assert not wrong, wrong
