"""An event in one sentence for people. Unknown kinds read as their noun and verb."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from harnessos.inspector.views import counted

if TYPE_CHECKING:
    from harnessos.store.transaction import Row

Data = Mapping[str, Any]
"""What an event carries. Any: each kind has its own fields."""


def sentence(event: Row) -> str:
    """Return what an event says, without its instant and actor."""
    data: Data = json.loads(event["data_json"])
    told = _TOLD.get(event["kind"])
    return told(data) if told else _plain(event["kind"], data)


def _plain(kind: str, data: Data) -> str:
    noun, _, verb = kind.partition(".")
    status = data.get("set", {}).get("status")
    return f"{noun} {verb.replace('_', ' ')}" + (f", now {status}" if status else "")


def _because(data: Data) -> str:
    reason = data.get("reason") or data.get("note") or data.get("set", {}).get("blocked_reason")
    return f": {reason}" if reason else ""


def _short(commit: object) -> str:
    return str(commit)[:12] if commit else "no commit"


def _ended(data: Data) -> str:
    status = data.get("set", {}).get("status")
    commit = f" at {_short(data['commit'])}" if data.get("commit") else ""
    return f"run ended {data.get('outcome')} after {counted(data.get('turns', 0), 'turn')}{commit}" + (
        f", issue now {status}" if status else ""
    ) + _because(data)  # fmt: skip


def _budget(data: Data) -> str:
    cap = data.get("cap")
    return f"budget {data.get('dimension')} set to {'unlimited' if cap is None else cap}"


_TOLD: dict[str, Callable[[Data], str]] = {
    "issue.planned": lambda d: f"planned: {d.get('task')}",
    "issue.promoted": lambda _: "ready: it waits for nothing any more",
    "issue.demoted": lambda _: "waits again",
    "issue.blocked": lambda d: "blocked" + _because(d),
    "issue.unblocked": lambda _: "no longer blocked",
    "issue.cancelled": lambda d: "cancelled" + _because(d),
    "issue.retried": lambda _: "gets fresh attempts",
    "issue.reopened": lambda d: "reopened" + _because(d),
    "issue.approved": lambda d: f"accepted by a person at {_short(d.get('commit'))}" + _because(d),
    "issue.redepended": lambda d: (
        f"dependencies changed: {len(d.get('added', ()))} added, {len(d.get('dropped', ()))} dropped"
    ),
    "issue.escalated": lambda d: (
        f"overdue ({', '.join(d.get('breaches', ())) or 'again'}), priority {d.get('priority')}"
    ),
    "run.claimed": lambda d: f"attempt {d.get('attempt')} taken by {d.get('agent')}",
    "run.launched": lambda d: f"turn {d.get('turn')} started",
    "run.checkpointed": lambda d: f"checkpoint {d.get('number')}: {d.get('title')}",
    "run.asked": lambda d: f"the agent asks for its end: {d.get('request')}",
    "run.verifying": lambda d: f"gates run at {_short(d.get('commit'))}",
    "run.judged": lambda d: f"judged {d.get('verdict')} at {_short(d.get('subject'))}" + _because(d),
    "run.rejected": lambda d: f"sent back, rejection {d.get('rejections')}",
    "run.stop_requested": lambda d: "asked to stop" + _because(d),
    "run.ended": _ended,
    "artifact.saved": lambda d: f"{d.get('kind')} kept: {d.get('path')}",
    "approval.approved": lambda d: f"approved: {', '.join(d.get('approvals', ()))}" + _because(d),
    "approval.rejected": lambda d: f"refused: {', '.join(d.get('approvals', ()))}" + _because(d),
    "approval.waived": lambda d: f"waived: {', '.join(d.get('approvals', ()))}" + _because(d),
    "schedule.added": lambda d: f"schedule {d.get('name')} added: {d.get('rule')} ({d.get('timezone')})",
    "schedule.changed": lambda d: f"schedule {d.get('name')} changed: {', '.join(d.get('changed', ()))}",
    "schedule.paused": lambda d: f"schedule {d.get('name')} paused",
    "schedule.resumed": lambda d: f"schedule {d.get('name')} goes on",
    "schedule.removed": lambda d: f"schedule {d.get('name')} taken out of use",
    "schedule.fired": lambda d: f"schedule {d.get('name')} fired",
    "schedule.skipped": lambda d: f"schedule {d.get('name')} did not fire" + _because(d),
    "budget.changed": _budget,
    "budget.held": lambda d: f"the day's budget is used up ({d.get('dimension')})",
}
