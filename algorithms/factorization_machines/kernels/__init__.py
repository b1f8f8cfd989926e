"""Inner loops of factorization machines.

n rows of a batch   e entries of it, which are not 0   u features that they touch   k factors   c features seen

A feature has one record of float32 in a table: WEIGHT, its linear weight; WEIGHT + 1 and + 2 what Adam remembers of it;
SEEN, 1 once a batch has touched it; from HEAD on its k factors, and the two means that Adam keeps of each, each part
`padded(k)` long. What an update reads and writes of a feature so lies side by side.

Factors are taken in spans of `SPAN`, each of which is a task of its own: so a thread finds in its own cache the columns
that it has written in the step before. Every sum is one thread's and has an order of its own, so that nothing depends
on the number of threads.
"""

from __future__ import annotations

WEIGHT, SEEN, HEAD = 0, 3, 4
SPAN = 32  # factors of a task, a multiple of the lanes of every processor's vectors
LINE = 16  # numbers of a line of a cache


def padded(k: int) -> int:
    """Numbers of a part: a multiple of 4, so that every part begins at 16 bytes."""
    return -(-k // 4) * 4


def width(k: int) -> int:
    """Numbers of a record: whole lines of a cache, where a table of many factors is not much longer for it."""
    count = HEAD + 3 * padded(k)
    return -(-count // LINE) * LINE if k >= SPAN else count


def spans(k: int) -> int:
    """Of so many factors."""
    return -(-k // SPAN)
