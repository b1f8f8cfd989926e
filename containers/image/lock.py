"""The versions that images are built with.

`python -m algoport.containers.image.lock` writes those of the packages that images need, as they are installed here, to
constraints.txt; `make lock` brings them up to date before. The package itself allows ranges.
"""

from __future__ import annotations

import sys
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
LOCK = ROOT / "constraints.txt"
OURS = "algoport"
HEAD = """\
# Versions that the Makefile and the image builds use: all that images contain. The package itself allows ranges.
# Written by `make lock`; torch's is chosen by hand.
"""


def direct_requirements() -> list[Requirement]:
    """What the package and its algorithms ask for themselves, without the package's extras."""
    files = sorted((ROOT / "algorithms").glob("*/requirements.txt"))
    lines = (line.split("#")[0].strip() for path in files for line in path.read_text().splitlines())
    wanted = [Requirement(line) for line in (*(metadata.requires(OURS) or []), *lines) if line]
    return list(filter(_applies, wanted))


def all_requirements() -> dict[str, str]:
    """What is asked for, and what that needs in turn, with the versions installed here."""
    open_, versions = direct_requirements(), dict[str, str]()
    while open_:
        one = open_.pop()
        name = canonicalize_name(one.name)
        if name in versions:
            continue
        try:
            # A version of one build, 2.13.0+cpu, is that of its release.
            versions[name] = metadata.version(name).partition("+")[0]
        except metadata.PackageNotFoundError:
            continue
        open_ += filter(_applies, map(Requirement, metadata.requires(name) or []))
    return dict(sorted(versions.items()))


def locked_versions() -> dict[str, str]:
    """The packages of constraints.txt, with their versions."""
    lines = (line.split("#")[0].strip() for line in LOCK.read_text().splitlines())
    pairs = (line.partition("==") for line in lines if line)
    return {canonicalize_name(name): version for name, _, version in pairs}


def _applies(one: Requirement) -> bool:
    """Whether it is asked for on this machine, and without an extra."""
    return one.marker is None or one.marker.evaluate({"extra": ""})


def main() -> int:
    """Write constraints.txt."""
    packages = all_requirements()
    LOCK.write_text(HEAD + "".join(f"{name}=={version}\n" for name, version in packages.items()))
    print(f"{LOCK.name}: {len(packages)} packages.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
