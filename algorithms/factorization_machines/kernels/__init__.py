"""Inner loops of factorization machines.

n rows of a batch   e entries of it, which are not 0   u features that they touch   k factors   c features seen

A feature has one record of float32 in a table: WEIGHT, its linear weight; WEIGHT + 1 and + 2 what Adam remembers of it;
SEEN, 1 once a batch has touched it; from HEAD on its k factors, and the two means that Adam keeps of each, each part
`padded(k)` long. What an update reads and writes of a feature so lies side by side.

Every sum is one thread's and has an order of its own, so that nothing depends on the number of threads.
"""

from __future__ import annotations

WEIGHT, SEEN, HEAD = 0, 3, 4


def padded(k: int) -> int:
    """Numbers of a part: a multiple of 4, so that every part begins at 16 bytes."""
    return -(-k // 4) * 4


def width(k: int) -> int:
    """Numbers of a record."""
    return HEAD + 3 * padded(k)
