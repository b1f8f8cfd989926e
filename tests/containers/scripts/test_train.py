"""The launcher of script mode, as the entrypoint of an image: what a script sees, and how its end is told."""

from __future__ import annotations

import io
import itertools
import json
import signal
import sys
import tarfile
import time
from pathlib import Path

import pytest

from algoport.containers.scripts import environment, job
from algoport.training.places import Places
from tests.containers.scripts.conftest import Place, wheel

REPORT = """
import json, os, sys
print(json.dumps({"words": sys.argv[1:], "folder": os.getcwd(), "variables": dict(os.environ)}))
"""


def report(said: str) -> dict[str, object]:
    (line,) = (line for line in said.splitlines() if line.startswith('{"words"'))
    seen: dict[str, object] = json.loads(line)
    return seen


def test_a_script_sees_its_job_as_in_the_original(place: Place) -> None:
    place.program(REPORT)
    given = {
        "sagemaker_program": '"train.py"',
        "sagemaker_submit_directory": '"s3://bucket/sourcedir.tar.gz"',
        "sagemaker_container_log_level": "10",
        "sagemaker_job_name": '"a-job"',
        "sagemaker_region": '"eu-west-1"',
        "sagemaker_estimator_class_name": '"SKLearn"',
        "_tuning_objective_metric": "loss",
        "learning-rate": "0.1",
        "n": "3",
        "sizes": '[1, "a"]',
        "flag": "true",
        "plain": "adam",
        "quoted": '"adam"',
        "pairs": '{"a": 1, "b": "c"}',
        "nothing": "null",
        "large": "Infinity",
    }
    place.configure("hyperparameters", given)
    place.configure(
        "inputdataconfig", {"train": {"TrainingInputMode": "File"}, "eval-2": {"TrainingInputMode": "File"}}
    )
    group = {"instance_group_name": "homogeneousCluster", "instance_type": "ml.c5.xlarge", "hosts": ["algo-1"]}
    place.configure(
        "resourceconfig",
        {
            "current_host": "algo-1",
            "current_instance_type": "ml.c5.xlarge",
            "current_group_name": "homogeneousCluster",
            "hosts": ["algo-1"],
            "instance_groups": [group],
            "network_interface_name": "ethwe",
        },
    )

    done = place.run()

    assert done.returncode == 0, done.stdout
    seen = report(done.stdout)
    assert seen["folder"] == str(place.code)
    wanted = (
        "--flag True --large Infinity --learning-rate 0.1 -n 3 --nothing  --pairs a=1,b=c --plain adam --quoted adam"
    )
    assert seen["words"] == [*wanted.split(" "), "--sizes", "[1, 'a']"]
    variables = seen["variables"]
    assert isinstance(variables, dict)
    base = place.path
    for name, value in {
        "SM_MODEL_DIR": f"{base}/model",
        "SM_OUTPUT_DATA_DIR": f"{base}/output/data",
        "SM_OUTPUT_INTERMEDIATE_DIR": f"{base}/output/intermediate",
        "SM_INPUT_CONFIG_DIR": f"{base}/input/config",
        "SM_CHANNELS": '["eval-2","train"]',
        "SM_CHANNEL_TRAIN": f"{base}/input/data/train",
        "SM_CHANNEL_EVAL-2": f"{base}/input/data/eval-2",
        "SM_HP_LEARNING-RATE": "0.1",
        "SM_HP_LEARNING_RATE": "0.1",
        "SM_HP_FLAG": "true",
        "SM_HP_PLAIN": "adam",
        "SM_HP_NOTHING": "",
        "SM_CURRENT_HOST": "algo-1",
        "SM_HOSTS": '["algo-1"]',
        "SM_CURRENT_INSTANCE_TYPE": "ml.c5.xlarge",
        "SM_CURRENT_INSTANCE_GROUP": "homogeneousCluster",
        "SM_CURRENT_INSTANCE_GROUP_HOSTS": '["algo-1"]',
        "SM_NETWORK_INTERFACE_NAME": "ethwe",
        "SM_IS_HETERO": "false",
        "SM_TOPOLOGY": "",
        "SM_NUM_GPUS": "0",
        "SM_USER_ENTRY_POINT": "train.py",
        "SM_MODULE_NAME": "train",
        "SM_MODULE_DIR": "s3://bucket/sourcedir.tar.gz",
        "SM_FRAMEWORK_PARAMS": '{"sagemaker_estimator_class_name":"SKLearn"}',
        "SM_LOG_LEVEL": "10",
        "SAGEMAKER_JOB_NAME": "a-job",
        "SAGEMAKER_REGION": "eu-west-1",
    }.items():
        assert variables[name] == value, name
    assert json.loads(variables["SM_HPS"])["sizes"] == [1, "a"]
    assert json.loads(variables["SM_TRAINING_ENV"])["hosts"] == ["algo-1"]
    assert json.loads(variables["SM_USER_ARGS"]) == seen["words"]
    assert variables["PYTHONPATH"].split(":")[0] == str(place.code)
    assert "Invoking user script" in done.stdout and "Reporting training SUCCESS" in done.stdout
    assert (base / "output/success").read_text() == ""
    assert not (base / "output/failure").exists()


def test_a_traceback_is_the_failure_and_the_exit_code_that_of_the_job(place: Place) -> None:
    place.program("def deep(n):\n    if n: deep(n - 1)\n    else: {}['a key']\ndeep(40)\n")
    place.configure("hyperparameters", {"sagemaker_program": "train.py"})

    done = place.run()

    assert done.returncode == 1
    assert "Reporting training FAILURE" in done.stdout
    text = place.failure
    assert text.startswith('ExecuteUserScriptError:\nExitCode 1\nErrorMessage "') and len(text) <= 1024
    assert "KeyError: 'a key'\"\nCommand \"" in text and text.endswith('train.py"')
    assert not (place.path / "output/success").exists()


@pytest.mark.parametrize(("how", "code", "words"), [
    ("sys.exit(23)", 23, "wrote nothing to standard error"),
    ("os.kill(os.getpid(), 9)", 137, "was ended by SIGKILL, as happens where memory runs out"),
])  # fmt: skip
def test_an_end_without_a_word_is_told_by_its_code(place: Place, how: str, code: int, words: str) -> None:
    place.program(f"import os, sys\n{how}\n")

    done = place.run(SAGEMAKER_PROGRAM="train.py")

    assert done.returncode == code
    assert f"ExitCode {code}\n" in place.failure and words in place.failure


def test_what_is_printed_reaches_the_log_at_once(place: Place) -> None:
    place.program("import sys, time\nprint('first')\nprint('second', file=sys.stderr)\ntime.sleep(60)\n")

    process = place.start(SAGEMAKER_PROGRAM="train.py")
    assert process.stdout is not None
    began, seen = time.monotonic(), set[str]()
    for line in process.stdout:
        seen.add(line.strip())
        if {"first", "second"} <= seen:
            break
    took = time.monotonic() - began
    process.terminate()

    assert process.wait(20) == 143 and took < 50


def test_a_stop_reaches_the_script_which_may_end_well(place: Place) -> None:
    place.program(
        "import os, signal, sys, time\n"
        "def stop(*_):\n    open(os.environ['SM_MODEL_DIR'] + '/m', 'w').write('half')\n    sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, stop)\nprint('ready')\ntime.sleep(60)\n"
    )

    process = place.start(SAGEMAKER_PROGRAM="train.py")
    assert process.stdout is not None and any(line == "ready\n" for line in process.stdout)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=20)

    assert process.returncode == 0 and (place.path / "model/m").read_text() == "half"


@pytest.mark.parametrize(("own", "code"), [(0, 0), (5, 143)])
def test_a_stop_reaches_each_process_of_torchrun_once(place: Place, own: int, code: int) -> None:
    place.program(
        # `print` would write the words and the end of the line each for itself, and two processes between each other.
        "import os, signal, sys, time\n"
        f"def stop(*_):\n    os.write(1, b'stopped\\n')\n    time.sleep(0.3)\n    sys.exit({own})\n"
        "signal.signal(signal.SIGTERM, stop)\nos.write(1, b'ready\\n')\ntime.sleep(60)\n"
    )
    asked = {"sagemaker_torch_distributed_enabled": "true", "sagemaker_torch_processes_per_host": "2"}
    place.configure("hyperparameters", {"sagemaker_program": "train.py", **asked})

    process = place.start()
    assert process.stdout is not None
    ready = itertools.islice((line for line in process.stdout if line == "ready\n"), 2)
    assert len(list(ready)) == 2
    process.send_signal(signal.SIGTERM)
    said, _ = process.communicate(timeout=60)

    assert process.returncode == code and said.splitlines().count("stopped") == 2, said
    assert not (place.path / "output/failure").exists() and (place.path / "output/success").exists() == (code == 0)


def archive(path: Path, entries: dict[str, bytes | tarfile.TarInfo]) -> None:
    with tarfile.open(path, "w:gz") as tar:
        for name, content in entries.items():
            if isinstance(content, tarfile.TarInfo):
                tar.addfile(content)
            else:
                header = tarfile.TarInfo(name)
                header.size = len(content)
                tar.addfile(header, io.BytesIO(content))


def link(name: str, target: str) -> tarfile.TarInfo:
    header = tarfile.TarInfo(name)
    header.type, header.linkname = tarfile.SYMTYPE, target
    return header


def test_code_is_unpacked_from_an_archive_and_shell_scripts_are_run(place: Place, tmp_path: Path) -> None:
    packed = tmp_path / "sourcedir.tar.gz"
    archive(packed, {"jobs/go.sh": b'echo "$0 $@ in $(basename $PWD)"; exit 5\n'})
    place.configure(
        "hyperparameters",
        {
            "sagemaker_program": '"jobs/go.sh"',
            "sagemaker_submit_directory": json.dumps(f"file://{packed}"),
            "a": '"it\'s; echo no"',
        },
    )

    done = place.run()

    assert done.returncode == 5
    assert "./jobs/go.sh -a it's; echo no in code" in done.stdout.splitlines()


@pytest.mark.parametrize(
    ("entries", "sentence"),
    [
        ({"../out.py": b"print(1)"}, "must hold files below its own folder only; it holds '../out.py'"),
        ({"/tmp/out.py": b"print(1)"}, "must hold files below its own folder only"),
        ({"train.py": link("train.py", "/etc/passwd")}, "must hold plain files only; 'train.py' is a link or a device"),
    ],
)
def test_an_archive_that_leads_out_of_its_folder_is_refused(
    place: Place, tmp_path: Path, entries: dict[str, bytes | tarfile.TarInfo], sentence: str
) -> None:
    archive(tmp_path / "sourcedir.tar.gz", entries)
    submitted = {"sagemaker_submit_directory": str(tmp_path / "sourcedir.tar.gz")}
    place.configure("hyperparameters", {"sagemaker_program": "train.py", **submitted})

    done = place.run()

    assert done.returncode == 2
    assert place.failure.startswith("ClientError: sourcedir.tar.gz: ") and sentence in place.failure
    assert not (place.path / "out.py").exists()


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({}, "sagemaker_program: must name the program to run, relative to its folder, as in train.py; it is missing"),
        (
            {"sagemaker_program": "../x.py"},
            "sagemaker_program: must lie below the folder of the code; it is '../x.py'.",
        ),
        ({"sagemaker_program": "y.py"}, "sagemaker_program: there is no y.py in "),
        (
            {"sagemaker_program": "train.py", "sagemaker_mpi_enabled": "true"},
            "sagemaker_mpi_enabled: asks for MPI, which is not offered here; torchrun is",
        ),
        (
            {"sagemaker_program": "train.py", "sagemaker_torch_processes_per_host": "0"},
            "sagemaker_torch_processes_per_host: must be a whole number from 1 to 1024; it is '0'.",
        ),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_code_2(place: Place, given: dict[str, str], sentence: str) -> None:
    place.program("print('ran')")
    place.configure("hyperparameters", given)

    done = place.run(SAGEMAKER_PROGRAM="")

    assert done.returncode == 2 and "\nran" not in done.stdout
    assert place.failure.startswith(f"ClientError: {sentence}") and "\n" not in place.failure


@pytest.mark.parametrize(
    ("submitted", "sentence"),
    [
        ("", "holds no code, and sagemaker_submit_directory names none."),
        ("s3://bucket/code.tar.gz", "is 's3://bucket/code.tar.gz', which is not on this machine, and "),
        ("/nowhere/code", "sagemaker_submit_directory: there is nothing at /nowhere/code."),
    ],
)
def test_code_that_is_nowhere_is_told(place: Place, submitted: str, sentence: str) -> None:
    place.configure("hyperparameters", {"sagemaker_program": "x.py", "sagemaker_submit_directory": submitted})

    assert place.run().returncode == 2 and sentence in place.failure


def test_packages_come_from_wheels_without_a_network_and_change_nothing_else(place: Place) -> None:
    place.program("import numpy, tinywords\nprint(tinywords.WORD, tinywords.__file__)\n")
    place.program("tinywords==1.2\n", "requirements.txt")
    wheel(place.code / "wheels", "tinywords", "1.2", "WORD = 'tiny'\n")

    done = place.run(
        SAGEMAKER_PROGRAM="train.py", PIP_INDEX_URL="http://127.0.0.1:9/simple", PIP_CONFIG_FILE="/dev/null"
    )

    assert done.returncode == 0, done.stdout
    (line,) = (line for line in done.stdout.splitlines() if line.startswith("tiny /"))
    where = Path(line.split()[1])
    assert not where.exists() and Path(sys.prefix) not in where.parents


def test_packages_that_are_nowhere_are_told(place: Place) -> None:
    place.program("print('ran')")
    place.program("tinywords==1.3\n", "requirements.txt")
    wheel(place.code / "wheels", "tinywords", "1.2", "")

    done = place.run(SAGEMAKER_PROGRAM="train.py", PIP_CONFIG_FILE="/dev/null", PIP_FIND_LINKS="")

    assert done.returncode == 2 and "\nran" not in done.stdout
    assert (
        "requirements.txt: pip cannot install it: No matching distribution found for tinywords==1.3." in place.failure
    )


def test_requirements_that_exclude_each_other_are_named(place: Place) -> None:
    place.program("print('ran')")
    place.program("tinywords==1.2\nother\n", "requirements.txt")
    for version in ("1.2", "1.3"):
        wheel(place.code / "wheels", "tinywords", version, "")
    wheel(place.code / "wheels", "other", "1", "", needs="tinywords==1.3")

    done = place.run(SAGEMAKER_PROGRAM="train.py", PIP_CONFIG_FILE="/dev/null", PIP_FIND_LINKS="")

    assert done.returncode == 2 and "\nran" not in done.stdout
    assert "pip cannot install it: Cannot install" in place.failure
    assert "The user requested tinywords==1.2, other 1 depends on tinywords==1.3." in place.failure


def test_a_folder_with_a_setup_is_installed_and_run_as_a_module(place: Place) -> None:
    place.program("print('as', __name__, __package__)\n", "task.py")
    place.program("from setuptools import setup\nsetup(name='task', version='1', py_modules=['task'])\n", "setup.py")

    done = place.run(SAGEMAKER_PROGRAM="task.py")

    assert done.returncode == 0, done.stdout
    assert "as __main__ " in done.stdout


def test_hyperparameters_that_are_no_json_remain_texts() -> None:
    texts = ["adam", "NaN", "1e", "[1,", "9" * 5000, "[" * 100_000]

    assert [job.decoded(text) for text in texts] == texts
    assert [environment.argument(job.decoded(text)) for text in ("1e-05", "10", "True", '["a", 1]')] == [
        "1e-05", "10", "True", "['a', 1]",
    ]  # fmt: skip


def test_all_that_is_wrong_is_told_at_once(place: Place) -> None:
    place.configure("hyperparameters", {})
    (place.path / "input/config/resourceconfig.json").write_text("{")

    done = place.run(SAGEMAKER_PROGRAM="")

    assert done.returncode == 2
    assert (
        "sagemaker_program: must name" in place.failure
        and "resourceconfig.json: must be a JSON object" in place.failure
    )
    assert Places(place.path).failure.is_file()
