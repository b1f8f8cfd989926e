"""The entrypoint of the image for scripts: `train`, `serve`, or any program of the image."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(words: Sequence[str]) -> int:
    """Do what the words say; the exit code."""
    word, *rest = words or ["train"]
    if word == "train":
        from algoport.containers.scripts.train import main as train

        return train()
    if word == "process":
        from algoport.containers.scripts.process import main as process

        return process(rest)
    if word == "serve":
        from algoport.containers.scripts.serve import main as serve

        return serve()
    from algoport.containers.image.entrypoint import execute

    return execute([word, *rest])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
