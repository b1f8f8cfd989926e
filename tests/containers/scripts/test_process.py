"""`algoport process`: scripts that read inputs and write results, on one host and shared out to several."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from tests.containers.scripts.conftest import Said

Algoport = Callable[..., Said]

COUNT = """
import json, os, sys
from pathlib import Path
read, write = map(Path, sys.argv[1:])
lines = sorted(line for path in read.iterdir() for line in path.read_text().splitlines())
(write / "lines.txt").write_text("\\n".join(lines))
base = Path(os.environ["SAGEMAKER_BASE_DIR"])
config = json.loads((base / "config/processingjobconfig.json").read_text())
print(json.loads((base / "config/resourceconfig.json").read_text())["current_host"], config["AppSpecification"])
(base / "output/message").write_text(f"{len(lines)} lines")
"""
PLACES = ("/opt/ml/processing/input/texts", "/opt/ml/processing/output/sorted")


def test_inputs_are_shared_out_and_results_lie_in_the_jobs_folder(algoport: Algoport, tmp_path: Path) -> None:
    (tmp_path / "count.py").write_text(COUNT)
    (tmp_path / "texts").mkdir()
    for name in "abc":
        (tmp_path / "texts" / name).write_text(f"{name}2\n{name}1\n")

    words = ("--shared", "texts=texts", "--result", "sorted", "--hosts", "2", "--output", "job", "--", *PLACES)
    done = algoport("process", "count.py", *words)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 lines" in done.stdout.splitlines() and "2 lines" in done.stdout.splitlines()
    assert "algo-1 {'ContainerEntrypoint': ['python3', '/opt/ml/processing/input/code/count.py']" in done.stdout
    results = "processing/output/sorted/lines.txt"
    assert (tmp_path / "job" / results).read_text().split() == ["a1", "a2", "c1", "c2"]
    assert (tmp_path / "job/hosts/algo-2" / results).read_text().split() == ["b1", "b2"]


def test_a_failure_is_the_jobs(algoport: Algoport, tmp_path: Path) -> None:
    (tmp_path / "fail.py").write_text(
        "import sys\nprint('so far', flush=True)\nsys.exit('no more') if 0 else sys.exit(9)\n"
    )

    done = algoport("process", "fail.py", "--output", "job")

    assert done.returncode == 9 and "so far" in done.stdout
    assert "ExitCode 9\n" in json.loads((tmp_path / "job/run/end.json").read_text())["failure"]


def test_a_mistake_is_one_sentence_and_exit_code_2(algoport: Algoport, tmp_path: Path) -> None:
    (tmp_path / "here.py").write_text("print(1)\n")
    for words, sentence in {
        ("--input", "texts"): "--input: must be NAME=PATH; it is 'texts'.",
        ("--input", "texts=nowhere"): "Channel 'texts': there is nothing at nowhere.",
        (
            "--input",
            "code=here.py",
        ): "processing: input 'code' is the place of the program's own code; name it otherwise.",
        ("--result", "../up"): "processing: the result '../up' must be a name of 1 to 64 letters",
        ("--result", ".."): "processing: the result '..' must be a name of 1 to 64 letters",
        ("--result", "a" * 65): f"processing: the result '{'a' * 65}' must be a name of 1 to 64 letters",
        ("--input", "texts="): "--input: must be NAME=PATH; it is 'texts='.",
        ("--image", "mine"): "--image: is for jobs in containers; say --docker, too.",
    }.items():
        done = algoport("process", "here.py", "--output", "job", *words)

        assert done.returncode == 2 and done.stderr.startswith(sentence) and len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "job").exists()
