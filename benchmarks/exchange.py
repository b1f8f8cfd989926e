"""What it brings that gradients leave while they are computed: two hosts, a thread each, a network between them.

Makes two network namespaces whose connection carries as much as is said, for which it must be root on Linux.
`python -m benchmarks.exchange [MEGABITS]`
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

STEPS, BATCH, SIDE = 6, 8, 224
ADDRESSES = ("10.77.0.1", "10.77.0.2")
PARTS = {"in parts, while computing": 1 << 20, "at once, behind it": 1 << 40}


@contextmanager
def hosts(megabits: int) -> Iterator[list[str]]:
    """Two namespaces, by name, with a cable of that width between them."""
    names = ["exchange0", "exchange1"]

    def ip(*words: str) -> None:
        subprocess.run(["ip", *words], check=True)

    for name in names:
        ip("netns", "add", name)
    try:
        ip("link", "add", "cable0", "netns", names[0], "type", "veth", "peer", "name", "cable1", "netns", names[1])
        for number, name in enumerate(names):
            ip("-n", name, "addr", "add", f"{ADDRESSES[number]}/24", "dev", f"cable{number}")
            ip("-n", name, "link", "set", f"cable{number}", "up")
            ip("-n", name, "link", "set", "lo", "up")
            rate = ["rate", f"{megabits}mbit", "burst", "256kb", "latency", "50ms"]
            subprocess.run(
                ["tc", "-n", name, "qdisc", "add", "dev", f"cable{number}", "root", "tbf", *rate], check=True
            )
        yield names
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "del", name], check=False)


def member(rank: int) -> None:
    """Steps of ResNet-18 with either way; prints the seconds of a step."""
    os.environ |= {"GLOO_SOCKET_IFNAME": f"cable{rank}", "OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
    from algoport.algorithms.shared import compiled

    compiled.prepare()
    import numpy as np
    import torch
    from torch import distributed

    from algoport.algorithms.contract.group import Alone
    from algoport.algorithms.image_classification.network import build
    from algoport.algorithms.shared.neural.weights import Weights
    from algoport.algorithms.shared.vision.residual.design import Design
    from algoport.algorithms.shared.vision.residual.network import initialize
    from algoport.training.cluster.joined import ProcessGroup

    class Watch:
        @staticmethod
        def watching() -> AbstractContextManager[None]:
            return nullcontext()

    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=f"tcp://{ADDRESSES[0]}:7788", rank=rank, world_size=2)
    watch: Any = Watch()
    group = ProcessGroup(rank, 2, watch)
    images = torch.randn(BATCH, SIDE, SIDE, 3).permute(0, 3, 1, 2)
    wanted = torch.from_numpy(np.arange(BATCH) % 10)
    seconds: dict[str, float] = {}
    design = Design(num_layers=18, channels=3, height=SIDE)
    for name, part in {**PARTS, "alone": 1 << 40}.items():
        own = Alone() if name == "alone" else group
        network = build(design, 10, own.sum_)
        initialize(network, 0)
        network.train()
        weights = Weights(network, own, bucket=part)
        laps = []
        for _ in range(STEPS):
            group.barrier()
            start = time.perf_counter()
            weights.reset()
            torch.nn.functional.cross_entropy(network(images), wanted, reduction="sum").backward()  # type: ignore[no-untyped-call]
            weights.exchange(np.zeros(4))
            laps.append(time.perf_counter() - start)
        seconds[name] = float(np.median(laps[1:]))
    if rank == 0:
        print(json.dumps(seconds))
    distributed.destroy_process_group()


def main(megabits: int) -> int:
    """Both ways, and without an exchange."""
    with hosts(megabits) as names:
        command = [sys.executable, "-m", "benchmarks.exchange", "--member"]
        running = [
            subprocess.Popen(["ip", "netns", "exec", name, *command, str(rank)], stdout=subprocess.PIPE, text=True)
            for rank, name in enumerate(names)
        ]
        output = running[0].communicate()[0]
        if running[1].wait() or running[0].returncode:
            return 1
    seconds = json.loads(output)
    alone = seconds.pop("alone")
    print(f"ResNet-18 at {SIDE}, {BATCH} pictures a host and step, a thread each, {megabits:,} Mbit/s between them")
    print(f"  without an exchange         {alone:.3f} s a step")
    for name, own in seconds.items():
        print(f"  {name:27s} {own:.3f} s: {own - alone:.3f} s for the exchange")
    return 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["--member"]:
        member(int(sys.argv[2]))
    else:
        sys.exit(main(int(sys.argv[1]) if sys.argv[1:] else 1000))
