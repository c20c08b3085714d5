"""The `tests` gate: a command, and proof that it ran tests (P05: zero tests collected is a failure)."""

from __future__ import annotations

import contextlib
import stat
from typing import TYPE_CHECKING

from harnessos.gates.command import run_command
from harnessos.gates.contained import Unreadable, locate, read_regular
from harnessos.gates.junit import read_junit
from harnessos.model.counts import Counts, read_summary, read_tap
from harnessos.model.gate import ReportFormat

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from harnessos.gates.ground import Ground
    from harnessos.model.gate import Gate
    from harnessos.model.verdict import GateResult

REPORT_LIMIT = 64 * 2**20
ASIDE = ".harness-aside"


def run(gate: Gate, ground: Ground) -> GateResult:
    """Run the tests and count them; exit code, failures and the number of tests must all be right."""
    if gate.report is None:
        result, output = run_command(gate, ground)
        counts = None
    else:
        try:
            with _set_aside(ground.checkout, gate.report):
                result, output = run_command(gate, ground)
                counts = _read_report(gate, ground.checkout, gate.report)
        except Unreadable as refused:
            return ground.answer(gate, f"the report's place cannot be used: {refused}", "")
    if result.passed is None or result.exit_code is None or result.exit_code < 0:
        return result
    if counts is None:
        text = output.decode("utf-8", "replace")
        counts = read_tap(text) if gate.format is ReportFormat.TAP else read_summary(text)
    return _judge(gate, result, counts)


def _judge(gate: Gate, result: GateResult, counts: Counts) -> GateResult:
    seen = f"{counts.ran} tests ran, {counts.failed} failed, {counts.skipped} were skipped"
    if counts.failed:
        return result._replace(passed=False, detail=f"{seen} (exit {result.exit_code})")
    if counts.problem:
        return result._replace(passed=False, detail=f"{counts.problem} (exit {result.exit_code})")
    if counts.ran == 0:
        return result._replace(passed=False, detail=f"no test ran, which proves nothing (exit {result.exit_code})")
    if counts.ran < gate.min_tests:
        return result._replace(passed=False, detail=f"{seen}; at least {gate.min_tests} must run")
    return result._replace(detail=seen if result.passed else f"{result.detail}, though {seen}")


@contextlib.contextmanager
def _set_aside(checkout: Path, report: str) -> Iterator[None]:
    """Take a report that is there already out of the way, so that only one written by this run can count.

    It is put back afterwards: the checkout must still be the commit for the next gate.
    """
    place = locate(checkout, report, follow_last=False)
    aside = place.with_name(place.name + ASIDE)
    if not _moved(place, aside, report):
        yield
        return
    try:
        yield
    finally:
        # The command may have cleared the whole folder; then the tree's state, which the caller reads, tells.
        with contextlib.suppress(FileNotFoundError, NotADirectoryError, IsADirectoryError):
            aside.replace(place)


def _moved(place: Path, aside: Path, report: str) -> bool:
    """Move a stale report away; False when there is none."""
    try:
        if stat.S_ISDIR(place.lstat().st_mode):
            raise Unreadable(f"{report} is a folder")
        place.replace(aside)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as broken:  # a folder without permission, or one that bears the name of `aside`
        raise Unreadable(f"{report} is there already and cannot be moved: {broken.strerror}") from broken
    return True


def _read_report(gate: Gate, checkout: Path, report: str) -> Counts:
    try:
        content = read_regular(checkout, report, REPORT_LIMIT, follow_last=False)
    except Unreadable as refused:
        return Counts(problem=f"the command wrote no usable report: {refused}")
    if gate.format is ReportFormat.JUNIT:
        return read_junit(content)
    text = content.decode("utf-8", "replace")
    return read_tap(text) if gate.format is ReportFormat.TAP else read_summary(text)
