"""The environment of gates: built, quiet, and without anything that opens the ledger."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from harnessos import processes

if TYPE_CHECKING:
    from collections.abc import Mapping

PROBE_SECONDS = 20
# A gate runs the agent's code: with one of these it could speak to the ledger, or write into the harness's home.
_WITHHELD = ("HARNESS_SESSION_TOKEN", "HARNESS_STORE", "HARNESS_HOME", "HARNESS_EVIDENCE_DIR", "HARNESS_PROMPT_FILE")
# Tools ask no questions and print plain summaries; byte code would make the checkout differ from its commit.
_QUIET = {"CI": "true", "NO_COLOR": "1", "TERM": "dumb", "GIT_TERMINAL_PROMPT": "0", "PYTHONDONTWRITEBYTECODE": "1"}


def gate_environment(
    built: Mapping[str, str], *, run_id: str, project: str, issue: str, attempt: int, checkout: Path, subject: str
) -> dict[str, str]:
    """Return the environment for a gate from `processes.built_environment` with the operator's `harness.env` applied.

    `CI` is `true` and colours are off unless the operator's environment says otherwise (TERM is always `dumb`).
    """
    env = _QUIET | {key: value for key, value in built.items() if key not in _WITHHELD}
    return env | {
        "TERM": "dumb",
        "HARNESS_RUN_ID": run_id,
        "HARNESS_PROJECT": project,
        "HARNESS_ISSUE": issue,
        "HARNESS_ATTEMPT": str(attempt),
        "HARNESS_WORKTREE": str(checkout),
        "HARNESS_SUBJECT": subject,
    }


class Elsewhere(NamedTuple):
    """A package of the checkout that the gate's interpreter takes from another place."""

    package: str
    origin: str


_PROBE = """
import importlib.util, json, sys
sys.path.insert(0, "")
found = {}
for name in sys.argv[1:]:
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        spec = None
    if spec is not None:
        found[name] = spec.origin or next(iter(spec.submodule_search_locations or []), "")
print(json.dumps(found))
"""


def interpreter_imports_elsewhere(
    interpreter: str, checkout: Path, env: Mapping[str, str], run_id: str
) -> tuple[Elsewhere, ...]:
    """Ask an interpreter from where it would import the checkout's own packages; those from outside are returned.

    An editable install of the main checkout is the usual reason: the gate then judges other code than the run's.
    Raises errors.RunnerProblem when there is no such interpreter.
    """
    import json

    names = own_packages(checkout)
    if not names:
        return ()
    argv = [interpreter or sys.executable, "-c", _PROBE, *names]
    finished = processes.run(argv, cwd=checkout, env=env, timeout=PROBE_SECONDS, run_id=run_id)
    if finished.ended_by is not processes.EndedBy.EXIT or finished.exit_code != 0:
        return ()
    origins: dict[str, str] = json.loads(finished.output)
    top = checkout.resolve()
    return tuple(
        Elsewhere(name, origin)
        for name, origin in sorted(origins.items())
        if origin and not Path(os.path.realpath(origin)).is_relative_to(top)
    )


def own_packages(checkout: Path) -> tuple[str, ...]:
    """Return the names of the Python packages at the top of a checkout and in its `src`."""
    places = [place for root in (checkout, checkout / "src") for place in root.glob("*/__init__.py")]
    return tuple(sorted({place.parent.name for place in places if place.parent.name.isidentifier()} - {"tests"}))
