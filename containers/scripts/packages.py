"""Packages that a script asks for in `requirements.txt`: installed beside those that are there, which stay as they are.

They go into an environment of their own that sees all packages of the one below it. So it works as any user and with a
read-only root file system, and nothing changes in an environment that other programs use. What is installed already
and fits is not asked for; a folder `wheels` beside the file has all others where there is no network.
"""

from __future__ import annotations

import itertools
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from algoport.algorithms.contract.errors import PlatformError, UserError
from algoport.training import log

REQUIREMENTS, WHEELS = "requirements.txt", "wheels"
# pip runs in the folder of the user's code, which may hold a module of any name: nothing is imported from there. A
# system's Python may be older than -P, so -I says it there.
PIP = (sys.executable, "-P", "-m", "pip"), *((f"/usr{at}/bin/python3", "-I", "-m", "pip") for at in ("/local", ""))
CONFLICT = "The conflict is caused by:"
_BETWEEN = re.compile(r"The user requested|\S+ \S+ depends on|The installed")  # of pip's lines about a conflict
_SITES = "import json, site, sys; print(json.dumps([*site.getsitepackages(), sys.version_info[:2]]))"


def wants(code: Path) -> bool:
    """Whether the code asks for packages, or is one."""
    return (code / REQUIREMENTS).is_file() or (code / "setup.py").is_file()


def install(code: Path, environment: Path, python: str, *, package: bool = False) -> str:
    """Install what the code asks for, and the code itself where it is a package, into `environment`; the Python that
    sees it all. `UserError` with pip's own words where that fails."""
    made = overlay(environment, python)
    if (code / REQUIREMENTS).is_file():
        _pip(made, code, "-r", str(code / REQUIREMENTS))
    if package:
        _pip(made, code, "--no-build-isolation", "--no-deps", str(code))
    return made


def overlay(environment: Path, python: str) -> str:
    """Make an environment that sees the packages of another one; its Python."""
    import json

    shutil.rmtree(environment, ignore_errors=True)
    try:
        subprocess.run(  # noqa: S603  (a list, no shell)
            [python, "-m", "venv", "--without-pip", str(environment)], check=True, capture_output=True, text=True
        )
        asked = subprocess.run([python, "-c", _SITES], check=True, capture_output=True, text=True)  # noqa: S603
    except (OSError, subprocess.CalledProcessError) as error:
        words = (getattr(error, "stderr", "") or str(error)).strip().splitlines()
        raise PlatformError(f"{environment}: packages cannot be installed there: {words[-1]}") from None
    *sites, (major, minor) = json.loads(asked.stdout.splitlines()[-1])
    own = environment / "lib" / f"python{major}.{minor}" / "site-packages"
    lines = [f"import site; site.addsitedir({site!r})" for site in sites]  # with the .pth files that lie there
    (own / "below.pth").write_text("\n".join(lines) + "\n")
    return str(environment / "bin" / "python")


def _pip(python: str, code: Path, *words: str) -> None:
    wheels = code / WHEELS
    where = ["--no-index", "--find-links", str(wheels)] if wheels.is_dir() else []
    command = [*_runner(), "--python", python, "install", "--disable-pip-version-check", "--no-input", "--no-cache-dir"]
    command += ["--retries", "2", "--root-user-action", "ignore", *where, *words]
    log.note(f"Installing: pip install {' '.join([*where, *words])}")
    done = subprocess.run(  # noqa: S603  (a list, no shell)
        command,
        cwd=code,
        env=os.environ | {"PIP_PYTHON": "", "TMPDIR": os.environ.get("TMPDIR", "/tmp")},  # noqa: S108
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    for line in done.stdout.splitlines():
        if not line.startswith("Requirement already satisfied"):
            print(line, flush=True)
    if done.returncode:
        remedy = "" if where else f" Without a network, put wheels into {WHEELS}/ beside it."
        raise UserError(f"{words[-1]}: pip cannot install it: {_why(done.stdout)}.{remedy}")


def _why(said: str) -> str:
    """The last error that pip names; of requirements that exclude each other, what they are."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    errors = [
        line for line in lines if line.startswith("ERROR:") and not line.startswith("ERROR: ResolutionImpossible")
    ]
    why = (errors or lines or ["it says nothing"])[-1].removeprefix("ERROR: ").rstrip(".")
    if CONFLICT not in lines:
        return why
    after = lines[lines.index(CONFLICT) + 1 :]
    return f"{why}: {', '.join(itertools.takewhile(_BETWEEN.match, after))}"


def _runner() -> tuple[str, ...]:
    """A pip that installs for other Pythons: this one's, or that of the system; images have only the latter."""
    purelib = Path(sysconfig.get_paths()["purelib"])
    if (purelib / "pip").is_dir():
        return PIP[0]
    for command in PIP[1:]:
        if Path(command[0]).exists():
            return command
    raise PlatformError("requirements.txt: there is no pip here that could install it.")
