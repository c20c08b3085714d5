"""logs/dream_journal.md: what each dream did, for people, the newest last. Only ever appended to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harnessos.files import atomic_write, contained
from harnessos.mission.dream.analysis import RECOVERY
from harnessos.mission.dream.playbook_block import escape
from harnessos.model.instants import stamp

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from harnessos.mission.dream.plan import Plan

JOURNAL = "logs/dream_journal.md"
_HEADER = "# Dream Journal\n\nWritten by `harness mission dream`; every cycle names the changeset that `dream --undo` takes back.\n"
_MOST = 50


def cycle(plan: Plan, dream_id: str, now: int) -> str:
    """Return the record of a dream."""
    analysis = plan.analysis
    recoveries = sum(1 for one in analysis.findings if one.kind == RECOVERY)
    said = [
        _title(dream_id, now),
        *_section(
            "Stream Analysis",
            [
                f"Records since {stamp(analysis.since)}: {analysis.records}",
                f"Errors: {analysis.errors}",
                f"Warnings: {analysis.warnings}",
                f"Successes: {analysis.successes}",
                f"Recurring messages: {len(analysis.findings) - recoveries}",
                f"Recoveries: {recoveries}",
                *(escape(note) for note in analysis.notes),
            ],
        ),
        *_section("Topic Consolidation", _consolidation(plan)),
        *_section(
            "Pointer Pruning",
            [
                *(f"removed the pointer to {escape(slug)}: there is no such topic" for slug in plan.pruned),
                *(f"registered the topic {escape(slug)}" for slug in plan.adopted),
            ],
        ),
        *_section("Playbook Updates", _playbook(plan)),
        *_section("Problems", [escape(problem) for problem in plan.problems], always=False),
        "---",
    ]
    return "\n".join(said) + "\n"


def note(dream_id: str, now: int, text: str) -> str:
    """Return the record of a dream that changed nothing, or of an undo."""
    return f"{_title(dream_id, now)}\n\n- {escape(text)}\n\n---\n"


def append(workspace: Path, record: str) -> None:
    """Write a record at the end, whole or not at all; what stands there stays byte for byte. A record is written once."""
    path = contained(workspace, workspace / JOURNAL)
    path.parent.mkdir(parents=True, exist_ok=True)
    old = path.read_bytes() if path.exists() else _HEADER.encode()
    if record.split("\n", 1)[0].encode() + b"\n" in old:
        return
    gap = b"\n" if old.endswith(b"\n") or not old else b"\n\n"
    atomic_write(path, old + gap + record.encode("utf-8", "replace"))


def _title(dream_id: str, now: int) -> str:
    return f"## Dream Cycle — {stamp(now)} ({dream_id})"


def _section(title: str, lines: Sequence[str], *, always: bool = True) -> list[str]:
    if not lines and not always:
        return []
    return ["", f"### {title}", "", *(f"- {line}" for line in lines or ["nothing"]), ""]


def _consolidation(plan: Plan) -> list[str]:
    """Return the merges by what stays, then what was archived and why."""
    into: dict[str, list[str]] = {}
    archived = []
    for one in plan.removed:
        if one.reason == "merged":
            into.setdefault(one.into, []).append(f"{one.entry.id} of {escape(one.slug)}")
        else:
            why = "its run failed" if one.reason == "failed" else "nothing verified it for 7 days"
            archived.append(f"archived {one.entry.id} of {escape(one.slug)}: {why}")
    merged = [f"merged {', '.join(names)} into {stays}" for stays, names in into.items()]
    return _bounded(merged + archived)


def _playbook(plan: Plan) -> list[str]:
    changed = any(change.path == "playbook.md" for change in plan.changes)
    lines = [f"{one.kind} at step {escape(one.step)}: {one.text}" for one in plan.insights] if changed else []
    more = [f"{plan.left_out} more found no room"] if changed and plan.left_out else []
    return lines + more


def _bounded(lines: list[str]) -> list[str]:
    return [*lines[:_MOST], *([f"and {len(lines) - _MOST} more"] if len(lines) > _MOST else [])]
