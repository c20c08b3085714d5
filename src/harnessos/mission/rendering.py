"""heartbeat.md and progress.md as the ledger has them. Pure: the same state gives the same bytes.

heartbeat.md stays under 2,048 bytes whatever there is to say: long values are cut, and topics that find no room are
counted. Any text is safe in a cell: what would end it is written another way (B-23, B-24).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from harnessos.model.instants import stamp
from harnessos.model.mission import plain_step, shown_step

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

MOST_BYTES = 2_047
BEGIN = "<!-- harness:progress begin -->"
END = "<!-- harness:progress end -->"
_NOTE = "Rendered by HarnessOS. Of an edit only Current Step is taken over, at boot."
_CUT = 90
_TIGHT = 44


class State(NamedTuple):
    """What the documents show. Rows are the ledger's, newest first. Any: rows of several types.

    `conditions` are (id, condition, mandatory) of mission.md with the last result of their checks.
    """

    mission: Mapping[str, Any]
    topics: Sequence[Mapping[str, Any]] = ()
    next_firing: int | None = None
    runs: Sequence[Mapping[str, Any]] = ()
    steps: Sequence[str] = ()
    conditions: Sequence[tuple[str, str, bool, str]] = ()
    held: bool = False


def heartbeat(state: State) -> str:
    """Return heartbeat.md: under 2,048 bytes, topics as given, those that matter first."""
    for most in (_CUT, _TIGHT, _TIGHT // 2, _TIGHT // 4):
        head, tail = _status(state, most) + _pointer(state, most), _alerts(state)
        rows = _index(state.topics, MOST_BYTES - _size(head) - _size(tail), most)
        if rows is not None:
            return head + rows + tail
    raise AssertionError("the skeleton of heartbeat.md is smaller than its limit")


def _size(text: str) -> int:
    return len(text.encode())


def _status(state: State, most: int) -> str:
    mission = state.mission
    return (
        f"# Heartbeat\n\n<!-- {_NOTE} -->\n\n## System Status\n| Field | Value |\n|---|---|\n"
        + row("Task Name", mission["name"], most)
        + row("Current Status", mission["status"])
        + row("Last Execution Time", _time(mission["last_run_at"]))
        + row("Last Execution Result", mission["last_result"] or "none", most)
        + row("Total Executions", mission["runs"])
        + row("Consecutive Failures", mission["failures"])
        + row("Next Scheduled Execution", "paused" if state.held else _time(state.next_firing))
    )


def _pointer(state: State, most: int) -> str:
    mission = state.mission
    done = [plain_step(step) for step in json.loads(mission["steps_json"])]
    pending = [plain_step(step) for step in state.steps if plain_step(step) not in done]
    return (
        "\n## Execution Pointer\n| Field | Value |\n|---|---|\n"
        + row("Current Step", mission["step"], most)
        + row("Completed Steps", ", ".join(done) or "none", most)
        + row("Pending Steps", ", ".join(pending) or "none", most)
        + row("Blocking Reason", mission["blocking_reason"] or "none", most)
        + row("Last Successful Artifact", mission["artifact"] or "none", most)
    )


def _index(topics: Sequence[Mapping[str, Any]], room: int, most: int) -> str | None:
    """Return the Knowledge Index within `room` bytes, None when not even its head fits."""
    text = "\n## Knowledge Index\n| Topic | Path | Last Updated |\n|---|---|---|\n"
    rest = "| {} more | `harness memory topics` | |\n"
    room -= _size(text) + _size(rest.format(len(topics)))
    if room < 0:
        return None
    shown = 0
    for topic in topics:
        line = (
            f"| {cell(topic['title'], most)} | `knowledge/{topic['slug']}.md` | "
            f"`{stamp(topic['updated_at'])[:10]}`{'' if topic['verified'] else ' unverified'} |\n"
        )
        if _size(line) > room:
            break
        room -= _size(line)
        text += line
        shown += 1
    return text if shown == len(topics) else text + rest.format(len(topics) - shown)


def _alerts(state: State) -> str:
    mission = state.mission
    stuck = mission["stuck_at"]
    return (
        "\n## Active Alerts\n| Alert | Status | Since |\n|---|---|---|\n"
        f"| Circuit Breaker | `{mission['breaker']}` | `{_time(mission['tripped_at'])}` |\n"
        f"| Compaction Failures | `0` | `-` |\n"
        f"| Stuck Detection | `{'recovered' if stuck else 'clear'}` | `{_time(stuck)}` |\n"
    )


def _time(instant: int | None) -> str:
    return "-" if instant is None else stamp(instant)


def row(field: str, value: object, most: int = 0) -> str:
    """Return a table row ``| Field | `value` |``."""
    return f"| {field} | `{cell(str(value), most)}` |\n"


def cell(text: str, most: int = 0) -> str:
    """Return a text that stays inside its cell and its backticks, at most so many characters (0: all of them)."""
    flat = " ".join(text.replace("`", "'").split())
    flat = "".join(sign if sign.isprintable() else "\ufffd" for sign in flat).replace("|", "\\|")
    if most and len(flat) > most:
        flat = flat[: most - 1].rstrip("\\") + "…"
    return flat


def progress(state: State) -> str:
    """Return the generated part of progress.md, from its first marker to its last."""
    mission = state.mission
    parts = [
        f"{BEGIN}\n<!-- {_PROGRESS_NOTE} -->\n\n## Task Overview\n| Field | Value |\n|---|---|\n",
        row("Task Name", mission["name"]),
        row("Mission", mission["identifier"]),
        row("Current Status", mission["status"]),
        row("Started", stamp(mission["created_at"])),
        "\n## Execution History\n\n",
        *(record(run) for run in state.runs),
    ]
    if mission["archived"]:
        parts.append(f"Runs up to #{mission['archived']:03d} are in `logs/archive/`.\n\n")
    parts.append(
        "## Completion Condition Tracking\n| Condition | Verification | Mandatory | Last Result |\n|---|---|---|---|\n"
    )
    parts += [
        f"| {cell(name, _CUT)} | {cell(text, _CUT)} | {'yes' if mandatory else 'no'} | `{result}` |\n"
        for name, text, mandatory, result in state.conditions
    ]
    parts += [
        "\n## Cumulative Statistics\n| Field | Value |\n|---|---|\n",
        row("Total Executions", mission["runs"]),
        row("Success Count", mission["successes"]),
        row("Failure Count", mission["faults"]),
        f"\n{END}\n",
    ]
    return "".join(parts)


_PROGRESS_NOTE = "Rendered by HarnessOS from the ledger. What stands above this part is yours and stays."
_RESULTS = {"passed": "Success", "failed": "Failed", "not_verifiable": "Failed"}


def record(run: Mapping[str, Any]) -> str:
    """Return one run's record, newest first in the document (A10)."""
    checks = [check for check in json.loads(run["checks_json"]) if check["passed"] is False]
    hints = "".join(f"- Fix {cell(check['name'])}: {cell(check['detail'], 300)}\n" for check in checks)
    return (
        f"### Run #{run['number']:03d} — {stamp(run['started_at'])}\n| Field | Value |\n|---|---|\n"
        + row("Start Time", stamp(run["started_at"]))
        + row("End Time", _time(run["ended_at"]))
        + row("Execution Step", shown_step(run["step"] or run["began_step"]))
        + row("Execution Result", result_of(run))
        + row("Notes", run["note"] or run["reason"] or "none", 500)
        + (f"\n{hints}" if hints else "")
        + "\n---\n\n"
    )


def result_of(run: Mapping[str, Any]) -> str:
    """Return how a run ended, in the words of progress.md."""
    if run["live"]:
        return "Running"
    if run["claim"] == "done":
        return _RESULTS.get(run["result"], "Not judged")
    if run["claim"]:
        return {"fail": "Failed", "blocked": "Blocked"}[run["claim"]]
    return str(run["outcome"]).replace("_", " ").capitalize()


def split(text: str) -> tuple[str, str]:
    """Return what of a progress.md is its owner's and what was generated; all of it is theirs without the marker."""
    above, found, generated = text.partition(BEGIN)
    return (above, found + generated) if found else (text, "")


def joined(above: str, generated: str) -> str:
    """Return a progress.md: the owner's text as it is, then the generated part."""
    if not above or above.endswith("\n\n"):
        return above + generated
    return above + ("\n" if above.endswith("\n") else "\n\n") + generated


def field(text: str, name: str) -> str | None:
    """Return the value of ``| name | `value` |`` in a document, in whatever layout; None when there is no such row."""
    for line in text.split("\n"):
        cells = [part.strip() for part in line.strip().strip("|").split("|")]
        if len(cells) >= 2 and cells[0] == name:
            return cells[1].strip("`").strip()
    return None


def archive(runs: Iterable[Mapping[str, Any]], name: str) -> str:
    """Return the document that takes runs out of progress.md, newest first like there."""
    return f"# Runs of {cell(name)} that left progress.md\n\n" + "".join(record(run) for run in runs)
