"""Are the packages that images contain known to be unsafe, and which are they?

`python -m containers.audit` asks the package index's list of known faults about the versions that images are built
with (constraints.txt); 1 where one is found. Without a network nothing is asked, and that is said.
`python -m containers.audit IMAGE` prints what the image contains, as a bill of materials (CycloneDX 1.6, JSON).
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile

from containers.lock import locked

# What an image's Python says of itself: it has no pip.
PYTHON = "/opt/algoport/bin/python"
LISTED = "import importlib.metadata as m; print('\\n'.join(f'{d.name}=={d.version}' for d in m.distributions()))"
UNKNOWN = "could not be audited"
UNREACHED = ("ConnectionError", "ServiceError", "Max retries", "Name or service not known", "Temporary failure")


def main() -> int:
    """Audit, or describe an image."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("image", nargs="?", help="an image whose packages are to be listed")
    given = parser.parse_args()
    return _bill(given.image) if given.image else _audit()


def _audit() -> int:
    packages = locked()
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.writelines(f"{name}=={version}\n" for name, version in packages.items())
        file.flush()
        command = ["-m", "pip_audit", "-r", file.name, "--no-deps", "--disable-pip", "--progress-spinner=off"]
        done = _python(*command)
    if done.returncode and any(word in done.stderr for word in UNREACHED):
        print(f"The list of known faults cannot be reached: {len(packages)} packages are not audited.")
        return 0
    unknown = done.stdout.count(UNKNOWN)
    if unknown >= len(packages):
        print(f"The package index that is asked keeps no list of faults: {len(packages)} packages are not audited.")
        return 0
    print(done.stdout + done.stderr, end="")
    return done.returncode


def _bill(image: str) -> int:
    command = ["docker", "run", "--rm", "--network=none", "--entrypoint", PYTHON, image, "-c", LISTED]
    listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603 (our own words)
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write("\n".join(sorted(set(listed.split()))) + "\n")
        file.flush()
        done = _python("-m", "cyclonedx_py", "requirements", file.name, "--spec-version=1.6", "--output-format=JSON")
    print(done.stdout, end="")
    print(done.stderr, end="", file=sys.stderr)
    return done.returncode


def _python(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *words], check=False, capture_output=True, text=True)  # noqa: S603


if __name__ == "__main__":
    sys.exit(main())
