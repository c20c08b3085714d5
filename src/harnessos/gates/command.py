"""The `command` gate: a program's exit code."""

from __future__ import annotations

import hashlib
import itertools
import os
from typing import TYPE_CHECKING, NamedTuple, assert_never

from harnessos import processes
from harnessos.errors import RunnerProblem
from harnessos.gates.ground import clean, excerpt
from harnessos.processes.tree import kill_marked

if TYPE_CHECKING:
    from harnessos.gates.ground import Ground
    from harnessos.model.gate import Gate
    from harnessos.model.verdict import GateResult

MARKER = "HARNESS_GATE_ID"
"""Every process of one gate carries it: what a gate leaves behind is ended, the agent of the same run is not."""

_gates = itertools.count()
GRACE_SECONDS = 0.5
OUTPUT_LIMIT = 16 * 2**20
SHELL = "/bin/sh"
_NOT_FOUND, _NOT_EXECUTABLE = 127, 126


class Ran(NamedTuple):
    """A finished command: the result so far and all of its output."""

    result: GateResult
    output: bytes


def run(gate: Gate, ground: Ground) -> GateResult:
    """Run the command and compare its exit code."""
    return run_command(gate, ground).result


def run_command(gate: Gate, ground: Ground) -> Ran:
    """Run a gate's command in the checkout; output goes to the log, standard input is closed.

    A command that cannot be started says nothing about the work (passed None); one that is too slow, too loud or
    killed has failed.
    """
    ground.log_folder.mkdir(parents=True, exist_ok=True)
    log = ground.log_of(gate)
    log.unlink(missing_ok=True)
    argv = list(gate.argv) if gate.argv is not None else [SHELL, "-c", gate.shell or ""]
    gate_id = f"{ground.run_id}.{gate.name}.{os.getpid()}.{next(_gates)}"
    try:
        finished = processes.run(
            argv,
            cwd=ground.checkout,
            env={**ground.env, MARKER: gate_id},
            timeout=gate.timeout_s,
            output_limit=OUTPUT_LIMIT,
            log=log,
            merge=True,
            stop=ground.stop,
            run_id=ground.run_id,
        )
    except RunnerProblem as missing:
        return Ran(ground.could_not_run(gate, f"{argv[0]} could not be started: {missing}"), b"")
    finally:
        kill_marked(MARKER, gate_id, grace=GRACE_SECONDS, group=None)
    passed, detail = _judge(gate, finished)
    result = ground.answer(gate, "", detail)._replace(
        passed=passed,
        exit_code=finished.exit_code,
        output_sha256=hashlib.sha256(finished.output).hexdigest(),
        seconds=round(finished.seconds, 3),
        excerpt=excerpt(finished.output),
        log=str(log),
    )
    return Ran(result, finished.output)


def _judge(gate: Gate, finished: processes.Finished) -> tuple[bool | None, str]:
    match finished.ended_by:
        case processes.EndedBy.TIMEOUT:
            return False, f"ran longer than {gate.timeout_s} s and was killed"
        case processes.EndedBy.OUTPUT_LIMIT:
            return False, f"wrote more than {OUTPUT_LIMIT // 2**20} MB of output and was killed"
        case processes.EndedBy.STOPPED:
            return None, "was stopped before it ended"
        case processes.EndedBy.EXIT:
            return _judge_exit(gate, finished)
    assert_never(finished.ended_by)


def _judge_exit(gate: Gate, finished: processes.Finished) -> tuple[bool | None, str]:
    code = finished.exit_code
    if code is None or code < 0:
        return False, f"was killed by signal {-code}" if code else "ended without an exit code"
    if code == gate.expected_exit:
        return True, f"exit {code} as expected in {finished.seconds:.1f} s"
    if why := _never_ran(gate, code, finished.output):
        return None, why
    return False, f"exit {code}, expected {gate.expected_exit}"


def _never_ran(gate: Gate, code: int, output: bytes) -> str:
    """Return why the command never got as far as looking at the work, or nothing."""
    last = clean(output[-2000:].decode("utf-8", "replace")).strip().rpartition("\n")[2]
    if code == _NOT_FOUND:
        return f"a command was not found: {last}"
    if code == _NOT_EXECUTABLE:
        return f"a command could not be executed: {last}"
    if gate.argv is not None and code == 1 and "-m" in gate.argv[1:-1]:
        module = gate.argv[gate.argv.index("-m", 1) + 1]
        if last.endswith(f": No module named {module}"):
            return f"{gate.argv[0]} has no module {module}"
    return ""
