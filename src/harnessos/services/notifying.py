"""One call of `harness.notify` for each attention row, with the row as JSON on its stdin."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from harnessos import errors, processes
from harnessos.kernel import attention

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harnessos.bridge import Bridge
    from harnessos.dispatch.ground import Ground
    from harnessos.dispatch.place import Place
    from harnessos.services.projects import Served
    from harnessos.store.transaction import Row

TIMEOUT_S = 30
_SHOWN = ("id", "project", "identifier", "kind", "question", "command", "created_at")


def notify(ground: Ground, served: Sequence[Served], bridge: Bridge) -> None:
    """Send what nobody was notified of yet. Each row is taken before it is sent, so it is sent at most once.

    The notifiers run in a thread of their own: a slow one must not keep leases from being renewed.
    """
    places = {one.project["key"]: one.place for one in served if _notifies(one.place)}
    if not places:
        return
    rows = ground.store.write(attention.take_unsent, sorted(places))
    if rows:
        bridge.start(lambda: _send(ground, rows, places))


def _notifies(place: Place) -> bool:
    return place.trusted and place.workflow is not None and place.workflow.harness.notify is not None


def _send(ground: Ground, rows: Sequence[Row], places: Mapping[str, Place]) -> None:
    for row in rows:
        place = places[str(row["project"])]
        workflow = place.workflow
        assert workflow is not None
        try:
            processes.run(
                list(workflow.harness.notify or ()),
                cwd=place.root,
                env=processes.built_environment(ground.environ, dict(workflow.harness.env)),
                timeout=TIMEOUT_S,
                stdin=json.dumps({name: row[name] for name in _SHOWN}).encode(),
            )
        except errors.RunnerProblem:
            # The row stays in the inbox, which is where it counts; doctor reports a notifier that cannot be started.
            continue
