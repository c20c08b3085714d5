"""What a workspace's rendered documents say of its state, when the ledger knows nothing of it yet.

A workspace of the earlier scripts is taken over as it is; one whose documents were only filled in has no state.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from harnessos.errors import HarnessError
from harnessos.files import read_bounded
from harnessos.mission import rendering
from harnessos.model.instants import parse_stamp
from harnessos.model.mission import Mission, Standing, shown_step

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_LIMIT = 1 << 20


class Found(NamedTuple):
    """The fields of a heartbeat.md, as texts."""

    fields: Mapping[str, str]

    def standing(self, fresh: Standing) -> Standing:
        """Return the standing these fields describe. What cannot be understood is as it is at first, never better.

        A breaker that is not plainly `off`, and a status that is no word of ours, stop the mission: a person looks.
        """
        status = self.fields.get("Current Status", "idle").casefold()
        breaker = self.fields.get("Circuit Breaker", "off").casefold()
        failures = _count(self.fields.get("Consecutive Failures"))
        runs = _count(self.fields.get("Total Executions"))
        known = fresh._replace(
            step=shown_step(self.fields.get("Current Step") or fresh.step),
            failures=failures or 0,
            runs=runs or 0,
            last_result=self.fields.get("Last Execution Result", ""),
            last_run_at=_instant(self.fields.get("Last Execution Time")),
        )
        if status == Mission.MISSION_COMPLETE:
            return known._replace(status=Mission.MISSION_COMPLETE)
        if breaker != "off" or known.failures >= known.max_failures:
            reason = (
                self.fields.get("Blocking Reason") or "the circuit breaker had tripped before the mission was adopted"
            )
            return known._replace(status=Mission.BLOCKED, breaker="tripped", blocking_reason=reason)
        if status == Mission.BLOCKED or status not in set(Mission) or failures is None or runs is None:
            reason = self.fields.get("Blocking Reason") or f"its heartbeat.md said {status!r} when it was adopted"
            return known._replace(status=Mission.BLOCKED, blocking_reason=reason)
        # Whoever ran it then is not ours to wait for.
        return known._replace(status=Mission.IDLE if status == Mission.RUNNING else Mission(status))

    @property
    def facts(self) -> dict[str, Any]:
        """What the event of the adoption records. Any: texts."""
        return {"heartbeat": dict(self.fields)}


_FIELDS = (
    "Current Status", "Last Execution Time", "Last Execution Result", "Total Executions", "Consecutive Failures",
    "Current Step", "Blocking Reason", "Circuit Breaker",
)  # fmt: skip


def read(place: Path) -> Found | None:
    """Return what heartbeat.md says, None where it says nothing: not there, empty, or as `boot --init` leaves it."""
    path = place / "heartbeat.md"
    try:
        text = read_bounded(path, _LIMIT).decode("utf-8", "replace")
    except HarnessError:
        return None
    found = {name: value for name in _FIELDS if (value := rendering.field(text, name)) is not None}
    return Found(found) if found else None


def _count(text: str | None) -> int | None:
    """Return a count as written, 0 where there is none, None for what is no count."""
    if text is None or text in ("", "-"):
        return 0
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _instant(text: str | None) -> int | None:
    if not text:
        return None
    return parse_stamp(text) or parse_stamp(f"{text}+00:00")
