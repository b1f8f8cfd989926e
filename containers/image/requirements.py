"""Prints what an image installs: the dependencies of the package and of none of its extras.

The image build runs this file by itself, before the package is there, so that a change to the program does not
install everything anew. What only one algorithm needs stands in its folder, in a `requirements.txt` of its own.
"""

import sys
import tomllib
from pathlib import Path

if __name__ == "__main__":
    print("\n".join(tomllib.loads(Path(sys.argv[1]).read_text())["project"]["dependencies"]))
