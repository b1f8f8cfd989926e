"""torchrun, with the exit code of a process that failed: run by its path, with the words of torchrun.

`torch.distributed.run` itself ends with 1 whatever its processes end with, and prints a page about it, also
where it was asked to end.
"""

from __future__ import annotations

import sys


def main(words: list[str]) -> int:
    """Run all processes of this host to their end; 0, or the exit code of one that failed."""
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import elastic_launch
    from torch.distributed.run import config_from_args, parse_args

    given = parse_args(words)  # type: ignore[no-untyped-call]
    if given.standalone:
        given.rdzv_backend, given.rdzv_endpoint, given.rdzv_id = "c10d", "localhost:0", "alone"
    config, command, arguments = config_from_args(given)
    try:
        elastic_launch(config=config, entrypoint=command)(*arguments)
    except ChildFailedError as error:
        _, first = error.get_first_failure()
        return 128 - first.exitcode if first.exitcode < 0 else first.exitcode
    except SignalException as error:
        return 128 + int(error.sigval)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
