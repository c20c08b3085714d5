"""The `command` runner: any program that reads a prompt and exits.

The prompt comes on stdin and as a file. Exit 0 asks for the verdict; 75 is a provider's wall, with `reset_at` from
`outcome.json` (else the provider counts as down); anything else is the agent's fault. Only this structured answer
classifies: text in the output never does (P12).
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from harnessos import errors, processes
from harnessos.files import atomic_write, private_folder, read_bounded, remove_any
from harnessos.model.amounts import LARGEST
from harnessos.model.budget import DOLLAR, UNREPORTED, Spent
from harnessos.model.outcome import PROVIDER_DOWN_MS, Ended, Outcome
from harnessos.model.words import sayable

if TYPE_CHECKING:
    from collections.abc import Mapping

TEMPORARY_FAILURE = 75
OUTCOME_LIMIT = 64 * 1024
EXIT_LIMIT = 1024
LONGEST_WAIT_MS = 31 * 24 * 3_600_000
"""No quota is waited for longer than this, whatever the agent says."""

JITTER_MOST_MS = 30_000
"""Runs that wait for one provider come back spread over a tenth of the wait, at most this long."""

STALL_S = 30 * 60
"""Without a second of CPU in a minute or a session call for this long, a run is stalled."""


class TurnFiles(NamedTuple):
    """Where one turn's prompt, output and end are kept, in the run's folder."""

    prompt: Path
    stdout: Path
    stderr: Path
    exit: Path
    outcome: Path


def files_of(folder: Path, turn: int) -> TurnFiles:
    """Return the files of a turn; `outcome.json` is the one name that agents know."""
    return TurnFiles(
        folder / f"prompt-{turn}.md",
        folder / f"turn-{turn}.out.log",
        folder / f"turn-{turn}.err.log",
        folder / f"turn-{turn}.exit.json",
        evidence_of(folder) / "outcome.json",
    )


def evidence_of(folder: Path) -> Path:
    """Return the part of a run's folder that is its agent's: HARNESS_EVIDENCE_DIR. The rest is the harness's own."""
    return folder / "evidence"


def clear(folder: Path, files: TurnFiles) -> None:
    """Make room for a turn: whatever lies under the names of its files goes, and the agent's folder is there."""
    evidence = evidence_of(folder)
    if evidence.is_symlink() or not evidence.is_dir():
        remove_any(evidence)
    private_folder(evidence)
    for path in files:
        remove_any(path)


def environment(
    base: Mapping[str, str], declared: Mapping[str, str], given: Mapping[str, str | int | None]
) -> dict[str, str]:
    """Build the agent's environment: the plain variables of `base`, the operator's `harness.env`, then ours.

    `harness` is on its PATH: cron and systemd start us by our whole path, with hardly any. `given` are HARNESS_ variables without their prefix; None leaves one out.
    """
    ours = {f"HARNESS_{name}": str(value) for name, value in given.items() if value is not None}
    return processes.built_environment(_reaching_us(base), {**declared, **ours})


def _reaching_us(environ: Mapping[str, str]) -> Mapping[str, str]:
    """Return the environment with a PATH on which `harness` is; what is on PATH already stays the one that is found."""
    path = environ.get("PATH", os.defpath)
    beside = Path(sys.executable).parent
    if shutil.which("harness", path=path) or not (beside / "harness").is_file():
        return environ
    return {**environ, "PATH": f"{path}{os.pathsep}{beside}"}


def start(
    command: tuple[str, ...] | str, *, cwd: Path, env: Mapping[str, str], run_id: str, files: TurnFiles
) -> processes.Child:
    """Start a turn. RunnerProblem when the command is not there or not executable, or the folder is gone."""
    argv = ["sh", "-c", command] if isinstance(command, str) else list(command)
    return processes.spawn(
        argv, cwd=cwd, env=env, run_id=run_id, stdin=files.prompt, stdout=files.stdout, stderr=files.stderr
    )


class Report(NamedTuple):
    """What a turn's end means. `ended` None: the agent says it is finished, so the harness verifies."""

    ended: Ended | None
    spent: Spent = UNREPORTED


def record_exit(files: TurnFiles, exit_code: int) -> None:
    """Keep the exit code, so that a restarted supervisor verifies a finished turn instead of repeating it (P11)."""
    atomic_write(files.exit, json.dumps({"exit_code": exit_code}).encode())


def recorded_exit(files: TurnFiles) -> int | None:
    """Return the exit code a supervisor recorded before it died."""
    try:
        code = json.loads(read_bounded(files.exit, EXIT_LIMIT))["exit_code"]
    except (errors.HarnessError, ValueError, LookupError, TypeError, RecursionError):
        return None  # not written, or not by us: the folder is the agent's too
    return code if isinstance(code, int) and not isinstance(code, bool) else None


def report(exit_code: int, files: TurnFiles, now: int, spread: str) -> Report:
    """Read `outcome.json` and say what the turn's end means; the exit code decides alone where the file is bad.

    `spread` is a text whose hash decides how much later than others this run comes back from a provider's wall.
    """
    document, problem = _outcome(files.outcome)
    ended = classify(exit_code, document, now)
    if ended is not None:
        ended = ended._replace(reason=f"{ended.reason} ({sayable(problem)})" if problem else ended.reason)
        if ended.reset_at is not None:
            ended = ended._replace(reset_at=_waited(ended.reset_at, now, spread))
    return Report(ended, Spent(_money(document.get("usd")), _count(document.get("tokens"))))


def _waited(reset_at: int, now: int, spread: str) -> int:
    """Return when to come back: a little after the reset; an instant that has passed says nothing."""
    wait = reset_at - now if reset_at > now else PROVIDER_DOWN_MS
    share = int.from_bytes(sha256(spread.encode()).digest()[:4], "big") / 2**32
    return now + min(wait, LONGEST_WAIT_MS) + int(share * min(wait / 10, JITTER_MOST_MS))


def classify(exit_code: int, document: Mapping[str, object], now: int) -> Ended | None:
    """Return what an exit code and an outcome document mean; None when the agent says it is finished. Pure."""
    said = sayable(str(document.get("reason", ""))[:1000])
    if exit_code == 0:
        return None
    if exit_code == TEMPORARY_FAILURE:
        reset = instant(document.get("reset_at"))
        if document.get("outcome") == "provider_down":
            return Ended(
                Outcome.PROVIDER_DOWN, said or "the provider is down", reset_at=reset or now + PROVIDER_DOWN_MS
            )
        if reset is not None:
            return Ended(Outcome.PROVIDER_QUOTA, said or "the provider's quota is used up", reset_at=reset)
        return Ended(Outcome.PROVIDER_DOWN, said or "the provider cannot be used now", reset_at=now + PROVIDER_DOWN_MS)
    how = f"exit code {exit_code}" if exit_code >= 0 else f"signal {_signal(-exit_code)}"
    fault = Outcome.TASK_FAULT if document.get("outcome") == "task_fault" else Outcome.AGENT_FAULT
    return Ended(fault, f"the agent ended with {how}" + (f": {said}" if said else ""))


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)


def _outcome(path: Path) -> tuple[Mapping[str, object], str]:
    if not os.path.lexists(path):
        return {}, ""
    try:
        document = json.loads(read_bounded(path, OUTCOME_LIMIT))
    except (errors.HarnessError, ValueError, RecursionError) as problem:
        return {}, f"its outcome.json cannot be read: {problem}"
    if not isinstance(document, dict):
        return {}, "its outcome.json is no JSON object"
    return document, ""


def instant(value: object) -> int | None:
    """Return `reset_at` as milliseconds: an integer of ms, or an ISO time with an offset."""
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return value
    if isinstance(value, str):
        try:
            parsed = datetime.fromisoformat(value)
        except ValueError:
            return None
        return int(parsed.timestamp() * 1000) if parsed.tzinfo else None
    return None


def _money(value: object) -> int | None:
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e6:
        return int(value * DOLLAR)
    return None


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= LARGEST else None
