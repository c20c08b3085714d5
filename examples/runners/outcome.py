"""What the recipes share: start the agent, read the JSON it prints, write outcome.json, end with the right code.

Only what the agent's own program reports about itself classifies an end. Text that the agent or its task wrote is never
looked at: a task about rate limits must not pause everything that runs.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

FINISHED = 0
FAILED = 1
TRY_LATER = 75


class Agent:
    """A started agent: `frames` are the JSON objects it prints, `code` is its exit code once they are read."""

    def __init__(self, argv: list[str]) -> None:
        self.code = 0
        self._argv = argv

    def frames(self) -> Iterator[dict[str, object]]:
        """Yield every line that is a JSON object; all lines go on to standard output, which the harness keeps."""
        # The prompt is already on our standard input, and goes to the agent as it is.
        with subprocess.Popen(self._argv, stdout=subprocess.PIPE, encoding="utf-8", errors="replace") as process:
            for line in process.stdout or ():
                print(line, end="", flush=True)
                frame = parsed(line)
                if frame:
                    yield frame
        self.code = process.returncode


def absent(program: str) -> str:
    """Return why the program cannot be started, or nothing: the agent's PATH is the one the supervisor was started with."""
    return "" if shutil.which(program) else f"{program} is not on PATH ({os.environ.get('PATH', '')})"


def parsed(text: str) -> dict[str, object]:
    """Return the JSON object that the text is; empty for anything else."""
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def part(frame: dict[str, object], name: str) -> dict[str, object]:
    """Return an object inside a frame; empty when it is not there."""
    value = frame.get(name)
    return value if isinstance(value, dict) else {}


def number(frame: dict[str, object], *names: str) -> int:
    """Return the sum of the named whole numbers in a frame."""
    values = (frame.get(name) for name in names)
    return sum(value for value in values if isinstance(value, int) and not isinstance(value, bool))


def at(seconds: object) -> str | None:
    """Return seconds since the epoch as ISO 8601, None for anything else."""
    if not isinstance(seconds, int | float) or isinstance(seconds, bool) or seconds <= 0:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


def after(seconds: float) -> str:
    """Return the instant so many seconds from now as ISO 8601."""
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")


def finish(outcome: str, reason: str, **more: object) -> int:
    """Write outcome.json (docs/schemas/outcome.schema.json), fields that are None left out; return the exit code."""
    fields = {"outcome": outcome, "reason": (reason.strip() or outcome)[:2000], **more}
    document = {name: value for name, value in fields.items() if value is not None}
    folder = os.environ.get("HARNESS_EVIDENCE_DIR")
    if folder:
        fresh = Path(folder) / "outcome.json.part"
        fresh.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
        fresh.replace(Path(folder) / "outcome.json")
    print(f"{outcome}: {fields['reason']}", file=sys.stderr)
    return {"success": FINISHED, "provider_quota": TRY_LATER, "provider_down": TRY_LATER}.get(outcome, FAILED)
