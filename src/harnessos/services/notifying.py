"""One call of `harness.notify` for each attention row, with the row as JSON on its stdin."""

from __future__ import annotations

import json
from queue import SimpleQueue
from typing import TYPE_CHECKING

from harnessos import errors, processes
from harnessos.kernel import attention

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harnessos.bridge import Bridge
    from harnessos.dispatch.ground import Ground
    from harnessos.dispatch.place import Place
    from harnessos.services.projects import Served
    from harnessos.services.reporting import Reporter
    from harnessos.store.transaction import Row

TIMEOUT_S = 30
_SHOWN = ("id", "project", "identifier", "kind", "question", "command", "created_at")


class Notifier:
    """Starts the projects' notifiers, and tells of those that failed: someone relies on being woken."""

    def __init__(self, ground: Ground, reporter: Reporter) -> None:
        self._ground = ground
        self._reporter = reporter
        self._failed: SimpleQueue[tuple[str, str]] = SimpleQueue()

    def send(self, served: Sequence[Served], bridge: Bridge) -> None:
        """Send what nobody was notified of yet. Each row is taken before it is sent, so it is sent at most once.

        The notifiers run in a thread of their own: a slow one must not keep leases from being renewed.
        """
        places = {one.project["key"]: one.place for one in served if _notifies(one.place)}
        if not places:
            return
        rows = self._ground.store.write(attention.take_unsent, sorted(places))
        if rows:
            bridge.start(lambda: self._send(rows, places))

    def report(self) -> None:
        """Tell which notifiers failed since the last call. What they were to tell stays in the inbox."""
        while not self._failed.empty():
            project, problem = self._failed.get()
            self._reporter.say("up.cannot_notify", project=project, reason=problem)

    def _send(self, rows: Sequence[Row], places: Mapping[str, Place]) -> None:
        for row in rows:
            problem = _run(self._ground, row, places[str(row["project"])])
            if problem:
                self._failed.put((str(row["project"]), problem))


def _notifies(place: Place) -> bool:
    return place.trusted and place.workflow is not None and place.workflow.harness.notify is not None


def _run(ground: Ground, row: Row, place: Place) -> str | None:
    """Run one notifier to its end; return what went wrong, in words."""
    workflow = place.workflow
    assert workflow is not None
    argv = list(workflow.harness.notify or ())
    try:
        done = processes.run(
            argv,
            cwd=place.root,
            env=processes.built_environment(ground.environ, dict(workflow.harness.env)),
            timeout=TIMEOUT_S,
            stdin=json.dumps({name: row[name] for name in _SHOWN}).encode(),
        )
    except errors.RunnerProblem as problem:
        return str(problem)
    if done.exit_code == 0:
        return None
    how = f"exit code {done.exit_code}" if done.exit_code is not None else done.ended_by.value
    return f"{argv[0]} ended with {how}"
