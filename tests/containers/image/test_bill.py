"""What a bill of materials says, and that it is one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from algoport.containers.image import bill

CONTENTS = {
    "python": "3.11.9",
    "packages": [["Flask", "3.1.3", "BSD-3-Clause"], ["my_own.thing", "1.0", None]],
    "system": "debian",
    "release": "12",
    "linked": [["libc6", "2.36-9+deb12u10", "amd64"]],
}


def test_every_package_is_named_as_scanners_name_it() -> None:
    made = json.loads(bill.as_json(bill.bill("algoport/pca:cpu", CONTENTS)))

    assert {component["purl"] for component in made["components"]} == {
        "pkg:generic/python@3.11.9",
        "pkg:pypi/flask@3.1.3",
        "pkg:pypi/my-own-thing@1.0",
        "pkg:generic/debian@12",
        "pkg:deb/debian/libc6@2.36-9%2Bdeb12u10?arch=amd64&distro=debian-12",
    }
    assert made["metadata"]["component"]["name"] == "pca"
    assert made["metadata"]["component"]["version"] == "cpu"


def test_it_keeps_to_the_schema() -> None:
    text = bill.as_json(bill.bill("algoport/pca:cpu", CONTENTS))

    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None


@pytest.mark.docker
def test_an_image_says_what_it_contains_and_what_lies_beside_its_python(image: str) -> None:
    contents = bill.contents(image)

    names = {name.lower() for name, _, _ in contents["packages"]}
    assert {"numpy", "torch", "flask", "algoport"} <= names
    assert not {"pytest", "pip", "mypy"} & names
    assert {"libc6", "libssl3"} <= {name for name, _, _ in contents["linked"]}
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(bill.as_json(bill.bill(image, contents))) is None


def test_where_no_image_is_that_is_said(monkeypatch: Any, capsys: Any, tmp_path: Any) -> None:
    monkeypatch.setattr(bill.shutil, "which", lambda name: None)

    bill._write_all(tmp_path)

    assert "No image is here" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())
