"""Installs what one algorithm needs beyond what all have, into a folder of its own. Build-time only; runs by itself.

`python3 own.py requirements.txt ENVIRONMENT FOLDER`: what the environment has already is not installed again.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path


def main(wanted: str, environment: str, folder: str) -> None:
    """Ask pip what is missing, and install just that."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    if not Path(wanted).is_file():
        return
    pip = [sys.executable, "-P", "-m", "pip", "--python", f"{environment}/bin/python", "install", "--no-cache-dir"]
    with tempfile.NamedTemporaryFile() as report:
        subprocess.run(  # noqa: S603 (our own words)
            [*pip, "--dry-run", "--quiet", "--report", report.name, "-r", wanted, "-c", "constraints.txt"],
            check=True,
        )
        missing = [entry["metadata"] for entry in json.load(report)["install"]]
    names = [f"{package['name']}=={package['version']}" for package in missing]
    if names:
        subprocess.run([*pip, "--no-deps", "--target", folder, *names], check=True)  # noqa: S603


if __name__ == "__main__":
    main(*sys.argv[1:])
