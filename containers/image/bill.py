"""What images contain, as bills of materials (CycloneDX 1.6, JSON): packages of Python and of Debian, Python itself.

`python -m algoport.containers.image.bill IMAGE` prints that of an image; with `--into FOLDER` it writes those of all
images of ours that the Docker Engine has.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import LicenseExpression
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL
from packaging.utils import canonicalize_name

# What an image's Python says of itself and of what lies beside it: the image has no pip.
PYTHON = "/opt/algoport/bin/python"
LISTED = """
import importlib.metadata, json, platform, shutil, subprocess
system = platform.freedesktop_os_release()
packages = [(d.name, d.version, d.metadata["License-Expression"]) for d in importlib.metadata.distributions()]
asked = ["dpkg-query", "-W", "-f", "${Package} ${Version} ${Architecture}\\n"]
listed = subprocess.run(asked, check=True, capture_output=True, text=True).stdout if shutil.which(asked[0]) else ""
print(json.dumps({"python": platform.python_version(), "packages": packages, "system": system["ID"],
    "release": system.get("VERSION_ID", ""), "linked": [line.split() for line in listed.splitlines()]}))
"""


def main() -> int:
    """Print a bill, or write those of all images."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("image", nargs="?", help="an image whose bill is to be printed")
    parser.add_argument("--into", type=Path, metavar="FOLDER", help="where the bills of all images go")
    given = parser.parse_args()
    if given.image:
        print(as_json(bill(given.image, contents(given.image))))
        return 0
    if given.into is None:
        parser.error("which image, or --into which folder?")
    _write_all(given.into)
    return 0


def contents(image: str) -> dict[str, Any]:
    """What an image says that it contains. It is started without a network."""
    command = ["docker", "run", "--rm", "--network=none", "--entrypoint", PYTHON, image, "-c", LISTED]
    facts: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)  # noqa: S603 (our own words)
    return facts


def bill(image: str, facts: Mapping[str, Any]) -> Bom:
    """The bill of an image of these contents."""
    name, _, version = image.rpartition("/")[2].partition(":")
    components = [*_of_python(facts), *_of_system(facts)]
    bom = Bom(components=components)
    bom.metadata.component = Component(name=name, version=version or "latest", type=ComponentType.CONTAINER)
    bom.register_dependency(bom.metadata.component, components)
    return bom


def as_json(bom: Bom) -> str:
    """A bill as JSON."""
    return JsonV1Dot6(bom).output_as_string(indent=1)


def _of_python(facts: Mapping[str, Any]) -> Iterator[Component]:
    interpreter = PackageURL("generic", None, "python", facts["python"])
    yield _component("python", interpreter, ComponentType.PLATFORM)
    for name, version, license_ in facts["packages"]:
        yield _component(name, PackageURL("pypi", None, canonicalize_name(name), version), license_=license_)


def _of_system(facts: Mapping[str, Any]) -> Iterator[Component]:
    system, release = facts["system"], facts["release"]
    yield _component(system, PackageURL("generic", None, system, release), ComponentType.OPERATING_SYSTEM)
    for name, version, architecture in facts["linked"]:
        about = {"arch": architecture, "distro": f"{system}-{release}"}
        yield _component(name, PackageURL("deb", system, name, version, about))


def _component(
    name: str, purl: PackageURL, kind: ComponentType = ComponentType.LIBRARY, license_: str | None = None
) -> Component:
    known = [LicenseExpression(license_)] if license_ else []
    return Component(name=name, version=purl.version, type=kind, purl=purl, bom_ref=str(purl), licenses=known)


def _write_all(folder: Path) -> None:
    images = _ours()
    if not images:
        print("No image is here that a bill of materials could be of.")
    for image in images:
        facts = contents(image)
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{image.rpartition('/')[2].replace(':', '-')}.json"
        path.write_text(as_json(bill(image, facts)) + "\n")
        print(f"{path}: {len(facts['packages'])} packages of Python, {len(facts['linked'])} of {facts['system']}")


def _ours() -> list[str]:
    """The images of algorithms that the Docker Engine has; none, where there is no engine."""
    command = ["docker", "image", "ls", "--format", "{{.Repository}}:{{.Tag}}", "algoport/*"]
    listed: list[str] = []
    if shutil.which("docker"):
        listed = subprocess.run(command, check=False, capture_output=True, text=True).stdout.split()  # noqa: S603
    return sorted(image for image in set(listed) if image.endswith((":cpu", ":gpu")))


if __name__ == "__main__":
    sys.exit(main())
