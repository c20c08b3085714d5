"""One call of `harness.notify` for each attention row, with the row as JSON on its stdin."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from harnessos import errors, processes
from harnessos.kernel import attention

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harnessos.dispatch.ground import Ground
    from harnessos.services.projects import Served

TIMEOUT_S = 30


def notify(ground: Ground, served: Sequence[Served]) -> None:
    """Send what nobody was notified of yet. Each row is taken before it is sent, so it is sent at most once."""
    by_key = {one.project["key"]: one for one in served if one.place.workflow and one.place.workflow.harness.notify}
    if not by_key:
        return
    for row in ground.store.write(attention.take_unsent, sorted(by_key)):
        one = by_key[str(row["project"])]
        workflow = one.place.workflow
        if workflow is None or workflow.harness.notify is None or not one.place.trusted:
            continue
        document = {
            name: row[name] for name in ("id", "project", "identifier", "kind", "question", "command", "created_at")
        }
        try:
            processes.run(
                list(workflow.harness.notify),
                cwd=one.place.root,
                env=processes.built_environment(ground.environ, dict(workflow.harness.env)),
                timeout=TIMEOUT_S,
                stdin=json.dumps(document).encode(),
            )
        except errors.RunnerProblem:
            # The row stays in the inbox, which is where it counts; doctor reports a notifier that cannot be started.
            continue
