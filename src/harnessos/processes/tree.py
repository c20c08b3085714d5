"""The whole tree of a run: found by environment marker, process group and parentage, and ended (P04).

A process that has left the group, cleared its environment and lost its parent is nobody's any more: it is not found.
"""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING

from harnessos.model.process import Identity
from harnessos.processes.adoption import is_alone
from harnessos.processes.environment import RUN_MARKER
from harnessos.processes.handle import send, wait_gone
from harnessos.processes.identity import boot_id, machine_id
from harnessos.processes.start import collect_ended, own
from harnessos.processes.table import Row, all_rows, environment_entry

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_ROUND = 0.2
_PATIENCE = 10.0
_left_behind: dict[Identity, list[Identity]] = {}
_spawned: dict[Identity, None] = {}
_REMEMBERED = 1_000


def remember_spawned(leader: Identity) -> None:
    """Keep that this process itself started the leader, for the newest thousand."""
    _spawned[leader] = None
    if len(_spawned) > _REMEMBERED:
        _spawned.pop(next(iter(_spawned)), None)


def marked(run_id: str) -> list[Identity]:
    """Return every living process of this machine that carries the run's marker, never the calling one."""
    return marked_runs().get(run_id, [])


def marked_runs() -> dict[str, list[Identity]]:
    """Return all marked living processes by run id, from one scan, without the calling one."""
    runs: dict[str, list[Identity]] = {}
    rows = _living(all_rows())
    for who in _identities(rows, rows):
        run_id = environment_entry(who.pid, RUN_MARKER)
        if run_id is not None:
            runs.setdefault(run_id, []).append(who)
    return runs


def kill_run(run_id: str, *, grace: float, group: Identity | None = None) -> list[Identity]:
    """End everything of a run: SIGTERM, at most `grace` seconds, SIGKILL until none is left. Return survivors.

    `group` is the leader the run was spawned as. Each signal goes to a checked (pid, start time), never to a reused pid.
    """
    return kill_marked(RUN_MARKER, run_id, grace=grace, group=group)


def kill_marked(name: str, value: str, *, grace: float, group: Identity | None) -> list[Identity]:
    """Do what `kill_run` says for any marker in the environment."""
    if group in _spawned and group.pid not in own.processes and group not in _left_behind and is_alone():
        # We started it, we have waited for its leader, and nothing below us has lost its parent: nothing can be left.
        return []
    known = {group, *_left_behind.pop(group, ())} if group else set()
    deadline = time.monotonic() + grace
    asked: set[Identity] = set()
    left = tree(name, value, group, known)
    while left and (seconds := deadline - time.monotonic()) > 0:
        for who in left:
            if who not in asked:
                send(who, signal.SIGTERM)
        asked.update(left)
        wait_gone(left, min(seconds, _ROUND))
        left = tree(name, value, group, known)
    deadline = time.monotonic() + _PATIENCE
    quiet = 0 if left else 1
    # A process in the middle of exec shows no environment for an instant: nothing counts only when seen twice.
    while quiet < 2 and time.monotonic() < deadline:
        quiet = 0 if left else quiet + 1
        for who in left:
            send(who, signal.SIGKILL)
        wait_gone(left, _ROUND)
        left = tree(name, value, group, known)
    collect_ended({who.pid for who in known})
    return left


def cpu_seconds(run_id: str, root: Identity | None) -> float:
    """Return user and system CPU seconds of the run's living tree and of what it has waited for.

    It can fall when a member ends unwaited: callers compare with the highest value seen.
    """
    rows = all_rows()
    return sum(rows[who.pid].cpu for who in _members(rows, RUN_MARKER, run_id, root, set()))


def tree(name: str, value: str, group: Identity | None, known: set[Identity]) -> list[Identity]:
    """Return the living members now and add them to `known`, the members ever seen."""
    found = _members(all_rows(), name, value, group, known)
    known.update(found)
    return found


def remember_group(leader: Identity) -> None:
    """Keep who else is in the group of a leader that has ended but is not yet waited for.

    Afterwards its pid may pass to somebody else, and only a member seen now proves that the group is still the old one.
    """
    rows = _living(all_rows())
    others = list(_identities((pid for pid, row in rows.items() if row.group == leader.pid), rows))
    if others:
        _left_behind[leader] = others


def _members(
    rows: Mapping[int, Row], name: str, value: str, group: Identity | None, known: set[Identity]
) -> list[Identity]:
    found = {pid for pid in rows if environment_entry(pid, name) == value}
    if group is not None and _same_group(rows, group, known):
        found.update(pid for pid, row in rows.items() if row.group == group.pid)
    return list(_identities(_with_descendants(rows, found), _living(rows)))


def _same_group(rows: Mapping[int, Row], leader: Identity, known: set[Identity]) -> bool:
    """Tell whether the group number still means the leader's group: it does while one known member is in it."""
    if (leader.machine_id, leader.boot_id) != (machine_id(), boot_id()):
        return False
    for who in (leader, *known):
        row = rows.get(who.pid)
        if row is not None and row.started == who.started and row.group == leader.pid:
            return True
    return False


def _with_descendants(rows: Mapping[int, Row], found: set[int]) -> set[int]:
    """Add all children of children: some clean their environment and leave the group. Nothing under this process."""
    children: dict[int, list[int]] = {}
    for row in rows.values():
        children.setdefault(row.parent, []).append(row.pid)
    reached: set[int] = set()
    waiting = list(found)
    while waiting:
        pid = waiting.pop()
        if pid not in reached and pid != os.getpid():
            reached.add(pid)
            waiting.extend(children.get(pid, ()))
    return reached


def _living(rows: Mapping[int, Row]) -> dict[int, Row]:
    return {pid: row for pid, row in rows.items() if not row.dead and pid != os.getpid()}


def _identities(pids: Iterable[int], rows: Mapping[int, Row]) -> Iterable[Identity]:
    machine, boot = machine_id(), boot_id()
    return [Identity(machine, boot, pid, rows[pid].started) for pid in pids if pid in rows]
