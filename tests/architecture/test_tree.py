"""The tree keeps its shape: which way imports point, what no file says, and what no line does."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from algoport import algorithms

ROOT = Path(__file__).parents[2]
PACKAGES = ("algorithms", "training", "serving", "containers")
TEMPLATE = ROOT / "containers" / "template"
LIBRARIES = ROOT / "containers" / "scripts" / "frameworks"  # names libraries, one of which is called as an algorithm is
LINES = 400  # the style asks for 300; what is longer than this has become two things

# Who may import whom, as prefixes of dotted names.
ARROWS = {
    "algorithms/contract": ("algoport.algorithms.contract",),
    "algorithms/shared": ("algoport.algorithms.shared", "algoport.algorithms.contract"),
    "algorithms": ("algoport.algorithms",),
    "training": ("algoport.training", "algoport.algorithms"),
    "serving": ("algoport.serving", "algoport.training.formats", "algoport.algorithms"),
    "containers": ("algoport.containers", "algoport.serving", "algoport.training", "algoport.algorithms"),
}
# What an inner loop may import beside other files that keep to this list.
KERNEL = ("__future__", "typing", "collections.abc", "numba", "numpy", "math", "llvmlite")
OUTSIDE = ("tests", "pytest", "hypothesis")  # what benchmarks do without
EMPTY_NAMES = {"util", "utils", "common", "core", "helper", "helpers", "base", "manager", "managers", "misc"}


def modules(*folders: str) -> list[Path]:
    return sorted(
        path for folder in folders for path in (ROOT / folder).rglob("*.py") if "__pycache__" not in path.parts
    )


def dotted(path: Path) -> str:
    """The name a file is imported by: everything that is installed lies below one name."""
    name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    return f"algoport.{name}" if name.split(".")[0] in PACKAGES else name


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), str(path))


def imports(path: Path) -> Iterator[str]:
    """Every module that is imported anywhere in a file; of `from a import b` both a and a.b, if b is a module."""
    package = dotted(path).split(".")
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + (path.name == "__init__.py")] if node.level else []
            source = ".".join([*above, *([node.module] if node.module else [])])
            for alias in node.names:
                within = f"{source}.{alias.name}"
                place = ROOT.joinpath(*within.split("."))
                yield within if place.is_dir() or place.with_suffix(".py").is_file() else source


def calls(path: Path) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def within(name: str, prefixes: tuple[str, ...]) -> bool:
    return any(name == prefix or name.startswith(prefix + ".") for prefix in prefixes)


def where(path: Path, node: ast.AST | None = None) -> str:
    line = f":{node.lineno}" if node is not None and hasattr(node, "lineno") else ""
    return f"{path.relative_to(ROOT)}{line}"


@pytest.mark.parametrize("package", ARROWS)
def test_imports_point_one_way(package: str) -> None:
    ours = ("algoport", *PACKAGES, "benchmarks", "tests")

    wrong = [
        f"{where(path)} imports {name}"
        for path in modules(package)
        for name in imports(path)
        if within(name, ours) and not within(name, ARROWS[package])
        # An algorithm may import as authors do: the short import has what stands in contract/ and shared/ only.
        if not (name == "algoport" and any((folder / "train.py").is_file() for folder in path.parents))
    ]

    assert not wrong, wrong


def test_benchmarks_import_no_tests() -> None:
    """What both need, data above all, stands in `benchmarks`, where a user without pytest can run it."""
    paths = modules("benchmarks")

    wrong = [f"{where(path)} imports {name}" for path in paths for name in imports(path) if within(name, OUTSIDE)]

    assert paths
    assert not wrong, wrong


def test_no_imports_go_in_a_circle() -> None:
    """Not even those within functions or for types alone: what needs each other is one thing, or has a third below."""
    paths = {dotted(path): path for path in modules(*PACKAGES)}
    needs = {
        name: {other for other in imports(path) if other in paths and other != name} for name, path in paths.items()
    }

    # Take away what needs nothing that is left, until nothing can be; what is left goes in circles, or leads to one.
    while ready := [name for name, others in needs.items() if not others & needs.keys()]:
        for name in ready:
            del needs[name]

    assert not needs, sorted(needs)


def test_no_algorithm_imports_another_and_what_they_share_imports_none() -> None:
    folders = {path.parent for path in (ROOT / "algorithms").glob("*/train.py")}
    wrong = []
    for path in modules("algorithms"):
        for name in imports(path):
            owner = next((folder for folder in folders if within(name, (dotted(folder / "__init__.py"),))), None)
            if owner is not None and owner not in path.parents:
                wrong.append(f"{where(path)} imports {name}")

    assert not wrong, wrong


def allowed_in_kernel(name: str, seen: frozenset[str] = frozenset()) -> bool:
    if within(name, KERNEL):
        return True
    path = ROOT.joinpath(*name.split("."))
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    if name in seen:
        return True
    return path.is_file() and all(allowed_in_kernel(inner, seen | {name}) for inner in imports(path))


def test_kernels_import_numba_numpy_math_and_kernels() -> None:
    wrong = [
        f"{where(path)} imports {name}"
        for path in modules("algorithms")
        if path.name == "kernels.py" or path.parent.name == "kernels"
        for name in imports(path)
        if not allowed_in_kernel(name)
    ]

    assert not wrong, wrong


MANY = 8
ARRAY, TYPE = re.compile(r"[a-z]+\s+\("), re.compile(r"float|int|bool|type")


def inner_loops() -> Iterator[tuple[Path, ast.FunctionDef]]:
    """Every function that numba compiles."""
    for path in modules("algorithms", "containers/template"):
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.FunctionDef) and any("jit" in ast.unparse(how) for how in node.decorator_list):
                yield path, node


def test_an_inner_loop_of_many_arguments_says_what_each_is() -> None:
    """Each stands on a line of its own, with shape, type and direction beside it, or, of a number, what it is."""
    wrong, seen = [], 0
    for path, node in inner_loops():
        arguments = node.args.args
        if len(arguments) < MANY:
            continue
        seen += 1
        lines = path.read_text().splitlines()
        said = [lines[argument.lineno - 1].partition("#")[2].strip() for argument in arguments]
        alone = len({argument.lineno for argument in arguments}) == len(arguments)
        typed = all(TYPE.search(words) for words in said if ARRAY.match(words))
        if not alone or not all(said) or not typed:
            wrong.append(f"{where(path, node)}: {node.name}")

    assert seen > 10
    assert not wrong, wrong


def algorithm_names() -> set[str]:
    """Every name by which an algorithm of the collection is called: the public one, the folder's, the spelled one."""
    public = {path.stem for path in (ROOT / "tests" / "specification").glob("*.yaml")}
    public |= {path.parent.name for path in (ROOT / "algorithms").glob("*/train.py")}
    return (
        public | {name.replace("-", "_") for name in public} | {name.replace("-", " ") for name in public} | {"k-means"}
    )


@pytest.mark.parametrize("package", ["training", "serving", "containers"])
def test_the_platform_names_no_algorithm(package: str) -> None:
    names = re.compile(  # the kinds of labels of Ground Truth are named as two of the algorithms are
        r"(?<![A-Za-z0-9])(?<!groundtruth/)("
        + "|".join(sorted(map(re.escape, algorithm_names())))
        + r")(?![A-Za-z0-9])",
        re.I,
    )
    files = [
        path
        for path in sorted((ROOT / package).rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts and not {TEMPLATE, LIBRARIES} & set(path.parents)
    ]

    wrong = [
        f"{where(path)}:{number}: {match.group()}"
        for path in files
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1)
        if (match := names.search(line))
    ]

    assert files
    assert not wrong, wrong


@cache
def settings_with_a_role() -> set[str]:
    """Every name by which an algorithm calls a setting that the platform knows by its role."""
    settings: set[str] = set()
    for folder in algorithms.names():
        declared = algorithms.part(folder, "hyperparameters").Hyperparameters.settings()
        settings |= {setting.name for setting in declared if setting.role is not None}
    return settings


def test_the_platform_knows_settings_by_their_roles() -> None:
    """It names no hyperparameter: neither in a text nor as an attribute or a key of settings."""
    names = settings_with_a_role()
    telling = re.compile(r"\b(" + "|".join(name for name in names if "_" in name) + r")\b")
    plain = [name for name in names if "_" not in name]
    asked = re.compile(rf"""settings\.({"|".join(plain)})\b|(get\(|getattr\([^)]*, |\[)["']({"|".join(plain)})["']""")
    paths = [path for path in modules("training", "serving", "containers") if TEMPLATE not in path.parents]
    paths += [path for path in modules("tests/conformance") if "standins" not in path.parts]  # those are algorithms

    wrong = [
        f"{where(path)}:{number}: {line.strip()}"
        for path in paths
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if telling.search(line) or asked.search(line)
    ]

    assert {"feature_dim", "num_classes", "mini_batch_size", "epochs", "num_round"} <= names
    assert not wrong, wrong


def test_a_name_says_what_a_thing_computes_or_holds() -> None:
    paths = [path for path in modules(*PACKAGES, "benchmarks", "tests")]

    wrong = [where(path) for path in paths if EMPTY_NAMES & set(path.relative_to(ROOT).with_suffix("").parts)]
    wrong += [
        f"{where(path, node)}: class {node.name}"
        for path in paths
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ClassDef) and re.search(r"(Manager|Helper|Utils?|Base)$", node.name)
    ]

    assert not wrong, wrong


def test_nothing_that_is_read_can_run() -> None:
    """No unpickling, no evaluation of text, no shell: neither a model nor a request nor a setting is a program."""
    banned_modules = ("pickle", "cPickle", "dill", "cloudpickle", "shelve", "marshal", "joblib")
    banned_calls = re.compile(
        r"^(eval|exec|compile|__import__|os\.system|os\.popen|(torch|joblib|yaml|pickle)\.(load|loads|unsafe_load|full_load))$"
    )
    wrong = []
    for path in modules(*PACKAGES, "benchmarks"):
        wrong += [f"{where(path)} imports {name}" for name in imports(path) if within(name, banned_modules)]
        for name, call in calls(path):
            if banned_calls.match(name):
                wrong.append(f"{where(path, call)}: {name}(…)")
            for keyword in call.keywords:
                is_false = isinstance(keyword.value, ast.Constant) and keyword.value.value is False
                if keyword.arg in ("shell", "allow_pickle", "allow_unsafe") and not is_false:
                    wrong.append(f"{where(path, call)}: {keyword.arg}={ast.unparse(keyword.value)}")

    assert not wrong, wrong


def public(body: list[ast.stmt]) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]:
    """What a reader may call from outside: not the functions within functions, nor what starts with an underscore."""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            yield node
            if isinstance(node, ast.ClassDef):
                yield from public(node.body)


def test_every_public_thing_has_a_docstring() -> None:
    wrong = []
    for path in modules(*PACKAGES):
        if path.name.startswith("test_"):
            continue  # the sentence is the name
        module = tree(path)
        if not ast.get_docstring(module):
            wrong.append(where(path))
        overloads = {"overload", "typing.overload"}
        wrong += [
            f"{where(path, node)} {node.name}"
            for node in public(module.body)
            if not ast.get_docstring(node) and not overloads & {ast.unparse(mark) for mark in node.decorator_list}
        ]

    assert not wrong, wrong


def test_a_module_can_be_read_in_one_sitting() -> None:
    paths = modules(*PACKAGES, "benchmarks", "tests")
    long = {where(path): length for path in paths if (length := len(path.read_text().splitlines())) > LINES}

    assert not long, long


def test_no_file_names_the_machine_it_was_written_on() -> None:
    """The checkout's own path, the home folder, anybody's home folder, and what lies beside the checkout."""
    places = [re.escape(str(ROOT)), "/home/[a-z]", "/Users/[A-Za-z]", re.escape(".." + "/shared")]
    home = str(Path.home())
    if home not in ("/", "/tmp"):
        places.append(re.escape(home) + r"(?![\w-])")
    pattern = re.compile(r"(?<![\w.])(" + "|".join(places) + ")")
    files = [path for path in ROOT.iterdir() if path.is_file() and path.suffix in (".md", ".toml", ".txt", "")]
    for folder in (*PACKAGES, "benchmarks", "tests", ".ci", ".github"):
        files += [path for path in (ROOT / folder).rglob("*") if path.is_file() and "__pycache__" not in path.parts]

    wrong = [
        f"{where(path)}:{number}"
        for path in files
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1)
        if path != Path(__file__) and pattern.search(line)
    ]

    assert not wrong, wrong


def test_no_algorithm_asks_how_many_members_there_are() -> None:
    """A member alone is a group of one; who branches on the size has two programs and tests one."""
    wrong = [
        f"{where(path, node)}: {ast.unparse(node)}"
        for path in modules("algorithms")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Compare)
        and any(re.search(r"group\.size$", ast.unparse(side)) for side in (node.left, *node.comparators))
    ]

    assert not wrong, wrong


def test_importing_a_module_does_no_work() -> None:
    """At the top level stand definitions and constants; what runs, runs when it is called."""
    started = {"print", "open", "main"}
    wrong = [
        f"{where(path, node)}: {ast.unparse(node)}"
        for path in modules(*PACKAGES)
        for node in tree(path).body
        if isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Call)
        and path.name != "__main__.py"
        and ast.unparse(node.value.func) in started
    ]

    assert not wrong, wrong
