"""Checkpoints and the resume packet that a new attempt begins with (P13)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

TEXT_FIELDS = ("title", "summary", "next_step")
LIST_FIELDS = ("plan", "files", "failed", "commands", "decisions", "artifacts")
"""plan: steps, `[x]` in front of what is done. files: "path: why". failed: approaches that did not work.
commands: "command -> result". decisions: sentences. artifacts: paths."""

PACKET_BYTES = 1500 * 4
"""A token is counted as 4 bytes of UTF-8."""
DONE = "[x]"


class Progress(NamedTuple):
    """A checkpoint as the kernel stores it; `body_json` comes from `body`, `derived` says that no agent wrote it."""

    title: str
    summary: str
    next_step: str
    body_json: str
    derived: bool = False


def body(fields: Mapping[str, Sequence[str]]) -> str:
    """Return the JSON text of a checkpoint's lists; unknown names are dropped by the caller's parser, not here."""
    return json.dumps({name: list(fields.get(name, ())) for name in LIST_FIELDS}, ensure_ascii=False)


def resume_packet(checkpoints: Sequence[Mapping[str, Any]], run: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Merge an issue's checkpoints (oldest first) into what the next attempt must know.

    Later checkpoints win; lists are united in order; a step recorded as done stays done and is never listed
    as next; the whole is kept under 1500 tokens by dropping the oldest list entries.
    """
    if not checkpoints and run is None:
        return None
    lists: dict[str, list[str]] = {name: [] for name in LIST_FIELDS}
    for row in checkpoints:
        for name, entries in json.loads(row["body_json"]).items():
            if name == "plan" and entries:
                lists["plan"] = _steps(lists["plan"], entries)
            else:
                lists[name].extend(entry for entry in entries if entry not in lists[name])
    last = checkpoints[-1] if checkpoints else None
    packet: dict[str, Any] = {
        "last_run": None if run is None else {k: run[k] for k in ("id", "attempt", "outcome", "reason", "commit_id")},
        "title": last["title"] if last else "",
        "summary": last["summary"] if last else "",
        "next_step": _next(last["next_step"] if last else "", lists["plan"]),
        "done": [step for step in lists["plan"] if step.startswith(DONE)],
        "plan": [step for step in lists["plan"] if not step.startswith(DONE)],
        **{name: lists[name] for name in LIST_FIELDS if name != "plan"},
    }
    return _shortened(packet)


def _steps(before: list[str], after: Sequence[str]) -> list[str]:
    done = {_name(step) for step in (*before, *after) if step.startswith(DONE)}
    kept = [step for step in before if step.startswith(DONE) and _name(step) not in {_name(s) for s in after}]
    return kept + [f"{DONE} {_name(step)}" if _name(step) in done else step for step in after]


def _name(step: str) -> str:
    return step.removeprefix(DONE).removeprefix("[ ]").strip()


def _next(step: str, plan: Sequence[str]) -> str:
    done = {_name(entry) for entry in plan if entry.startswith(DONE)}
    if _name(step) not in done:
        return step
    return next((_name(entry) for entry in plan if not entry.startswith(DONE)), "")


def _shortened(packet: dict[str, Any]) -> dict[str, Any]:
    for name in ("title", "summary", "next_step"):
        packet[name] = _cut(packet[name], 1200)
    if packet["last_run"] is not None:
        packet["last_run"]["reason"] = _cut(packet["last_run"]["reason"], 300)
    lists = [name for name, value in packet.items() if isinstance(value, list)]
    for name in lists:
        packet[name] = [_cut(entry, 300) for entry in packet[name]]
    while _size(packet) > PACKET_BYTES:
        longest = max(lists, key=lambda name: _size(packet[name]))
        if not packet[longest]:
            break
        packet[longest].pop(0)
    return packet


def _cut(text: str, most: int) -> str:
    """Return `text`, shortened to about `most` bytes as JSON writes it: other scripts and escapes take several."""
    kept = text
    while (size := _size(kept)) > most:
        kept = kept[: min(len(kept) - 1, len(kept) * most // size)]
    return kept if kept == text else kept + "…"


def _size(value: object) -> int:
    return len(json.dumps(value, ensure_ascii=False).encode())
