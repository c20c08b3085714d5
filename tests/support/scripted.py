"""Play the scripted agent as the `command` runner would start it."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple  # Any: outcome.json is plain JSON

from harnessos import processes
from tests.support.python import ROOT

AGENT = ROOT / "examples" / "agents" / "scripted_agent.py"


class Played(NamedTuple):
    """How an invocation ended. `code` is negative for a signal, None when it was cut off; `outcome` None: no file."""

    code: int | None
    said: str
    outcome: dict[str, Any] | None


def invoke(
    argv: Sequence[str],
    worktree: Path,
    evidence: Path,
    *,
    prompt: str,
    issue: str = "WORDS-1",
    attempt: int = 1,
    turn: int = 1,
    env: dict[str, str] | None = None,
    until: str | None = None,
) -> Played:
    """Start an agent in a worktree with the environment and the prompt that a run gives it; cut it off once it says `until`."""
    evidence.mkdir(parents=True, exist_ok=True)
    report = evidence / "outcome.json"
    report.unlink(missing_ok=True)
    prompt_file = evidence / "prompt.md"
    prompt_file.write_text(prompt, encoding="utf-8")
    given = {
        "HARNESS_ISSUE": issue,
        "HARNESS_ATTEMPT": str(attempt),
        "HARNESS_TURN": str(turn),
        "HARNESS_WORKTREE": str(worktree),
        "HARNESS_PROMPT_FILE": str(prompt_file),
        "HARNESS_EVIDENCE_DIR": str(evidence),
    }
    log = evidence / "agent.log"
    log.unlink(missing_ok=True)
    done = processes.run(
        argv,
        cwd=worktree,
        env=processes.built_environment(os.environ, {**given, **(env or {})}),
        timeout=60.0,
        log=log,
        stop=None if until is None else lambda: until.encode() in log.read_bytes(),
        stdin=prompt.encode(),
        merge=True,
        run_id="run-test",
    )
    outcome = json.loads(report.read_text(encoding="utf-8")) if report.exists() else None
    return Played(done.exit_code, done.output.decode(errors="replace"), outcome)


def play(script: dict[str, Any], worktree: Path, tmp_path: Path, **given: Any) -> Played:
    """Play a script; `given` as `invoke` takes it."""
    place = tmp_path / "script" / "script.json"
    place.parent.mkdir(exist_ok=True)
    place.write_text(json.dumps(script), encoding="utf-8")
    return invoke([sys.executable, str(AGENT), "--script", str(place)], worktree, tmp_path / "evidence", **given)


def outcome_schema() -> dict[str, Any]:
    """Return the published schema of outcome.json."""
    schema: dict[str, Any] = json.loads((ROOT / "docs" / "schemas" / "outcome.schema.json").read_text(encoding="utf-8"))
    return schema
