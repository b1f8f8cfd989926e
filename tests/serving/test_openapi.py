"""Requests made from the server's own description, sent over HTTP: to the stand-in and to every algorithm."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import requests

from algoport import algorithms
from tests.conformance.example import Example, written
from tests.serving.servers import ROOT, Server, serving

CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"


def schemathesis(url: str, examples: int) -> subprocess.CompletedProcess[str]:
    """What schemathesis says after so many requests of each path and phase."""
    limits = [f"--max-examples={examples}", "--request-timeout=10", "--seed=1", "--generation-database=none"]
    chosen = ["--checks", CHECKS, "--mode=all", "--no-color", *limits]
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"{url}/openapi.json", *chosen]
    with tempfile.TemporaryDirectory() as folder:  # where it leaves its cache
        environment = {**os.environ, "SCHEMATHESIS_HOOKS": "tests.serving.binary", "PYTHONPATH": str(ROOT)}
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False, timeout=600, cwd=folder
        )


def test_the_stand_in_keeps_what_it_describes(server: Server) -> None:
    done = schemathesis(server.url, 30)

    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]


@pytest.mark.parametrize("name", algorithms.names())
def test_an_algorithm_keeps_what_it_describes(name: str, tmp_path: Path) -> None:
    written(Example(name).fit(), tmp_path / "model")
    with serving(tmp_path, ALGORITHM=name) as running:
        done = schemathesis(running.url, 15)
        assert requests.get(f"{running.url}/ping", timeout=10).status_code == 200

    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]


def test_the_description_names_content_types_columns_and_refusals(server: Server) -> None:
    document = json.loads(server.get("/openapi.json").content)

    ask = document["paths"]["/invocations"]["post"]
    assert document["openapi"].startswith("3.1") and "/models" not in document["paths"]
    assert {"text/csv", "application/json"} <= set(ask["requestBody"]["content"])
    assert "application/json" in ask["responses"]["200"]["content"]
    assert {"400", "406", "413", "415", "503"} <= set(ask["responses"])
