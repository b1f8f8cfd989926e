"""Are the packages that images contain known to be unsafe?

`python -m algoport.containers.image.audit` asks the package index's list of known vulnerabilities about the versions
that images are built with (constraints.txt); 1 where one is found. Without a network nothing is asked, and that is
said.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile

from algoport.containers.image.lock import locked_versions

UNKNOWN = "could not be audited"
UNREACHED = ("ConnectionError", "ServiceError", "Max retries", "Name or service not known", "Temporary failure")


def main() -> int:
    """Audit; what pip-audit says of it."""
    packages = locked_versions()
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


def _python(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-P", *words], check=False, capture_output=True, text=True)  # noqa: S603


if __name__ == "__main__":
    sys.exit(main())
