"""Cycles in a graph of any depth, without recursion."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

MOST_CYCLES = 20


def find_cycles(count: int, waits_for: Callable[[int], Iterable[int]], most: int = MOST_CYCLES) -> list[list[int]]:
    """Return up to `most` cycles among the nodes 0 to count-1, each as the nodes in waiting order; empty if none.

    Every acyclic graph gives an empty list, every other at least one cycle. Edges of a node to itself count too.
    """
    done = bytearray(count)  # 0 not seen, 1 on the current path, 2 finished
    cycles: list[list[int]] = []
    for start in range(count):
        if done[start]:
            continue
        done[start] = 1
        path = [start]
        trail: list[Iterator[int]] = [iter(waits_for(start))]
        while path:
            following = next(trail[-1], None)
            if following is None:
                done[path.pop()] = 2
                trail.pop()
            elif done[following] == 0:
                done[following] = 1
                path.append(following)
                trail.append(iter(waits_for(following)))
            elif done[following] == 1:
                cycles.append(path[path.index(following) :])
                if len(cycles) >= most:
                    return cycles
    return cycles
