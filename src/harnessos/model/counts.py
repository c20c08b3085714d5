"""Counting tests: JUnit XML, TAP, and the closing summaries that test runners print. Bytes or text in, counts out."""

from __future__ import annotations

import re
from typing import NamedTuple


class Counts(NamedTuple):
    """How many tests ran and failed; skipped and deselected ones did not run. `problem` voids the report."""

    ran: int = 0
    failed: int = 0
    skipped: int = 0
    problem: str = ""


LONGEST_SUMMARY = 1000
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_PYTEST = re.compile(
    r"=*\s*(\d+ [a-z]+(?: [a-z]+)?(?:, \d+ [a-z]+(?: [a-z]+)?)*) in \d[\d.,]*s?(?: \([\d:, a-z]+\))?\s*=*"
)
_PYTEST_NONE = re.compile(r"=*\s*no tests (?:ran|collected)\b.*", re.IGNORECASE)
_UNITTEST = re.compile(r"Ran (\d+) tests? in [\d.]+s")
_UNITTEST_END = re.compile(r"(?:OK|FAILED|NO TESTS RAN)(?: \((?P<parts>[a-z =\d,]+)\))?")
_CARGO = re.compile(r"test result: (?:ok|FAILED)\. (\d+) passed; (\d+) failed; (\d+) ignored;.*")
_PLAIN = re.compile(r"(?:[#*\u2139]\s*)?(?:Tests:?\s+)?(\d+ (?:passed|failed|passing|failing|skipped|todo|total)\b.*)")
_RAN = frozenset({"passed", "failed", "error", "errors", "xfailed", "xpassed", "passing", "failing"})
_BAD = frozenset({"failed", "error", "errors", "failing"})
_NOT_RUN = frozenset({"skipped", "deselected", "todo", "pending"})


def read_summary(output: str) -> Counts:
    """Count by the last closing summary in the output; without one the answer carries a problem.

    Known: pytest, unittest, cargo (its several results are added), and lines of `N passed, N failed` as jest, vitest
    and others print them.
    """
    counts, cargo = None, Counts()
    for raw in _COLOURS.sub("", output).splitlines():
        line = raw.strip()
        if not line or len(line) > LONGEST_SUMMARY:
            continue
        if match := _CARGO.fullmatch(line):
            passed, failed, skipped = map(int, match.groups())
            cargo = Counts(cargo.ran + passed + failed, cargo.failed + failed, cargo.skipped + skipped)
            counts = cargo
        elif (match := _PYTEST.fullmatch(line)) or (match := _PLAIN.fullmatch(line)):
            counts = _words(match.group(1)) or counts
        elif _PYTEST_NONE.fullmatch(line):
            counts = Counts()
        elif match := _UNITTEST.fullmatch(line):
            counts = Counts(ran=int(match.group(1)))
        elif counts is not None and (match := _UNITTEST_END.fullmatch(line)) and match.group("parts"):
            counts = _unittest_end(counts, match.group("parts"))
    return counts or Counts(problem="the output has no closing summary of a test runner")


def _words(summary: str) -> Counts | None:
    numbers: dict[str, int] = {}
    for number, word in re.findall(r"(\d+) ([a-z]+)(?=,|;|\s|$)", summary):
        numbers[word] = numbers.get(word, 0) + int(number)
    if not numbers.keys() & (_RAN | _NOT_RUN):
        return None
    ran, failed, skipped = (sum(numbers.get(word, 0) for word in words) for words in (_RAN, _BAD, _NOT_RUN))
    return Counts(ran, failed, skipped)


def _unittest_end(counts: Counts, parts: str) -> Counts:
    numbers = {name.strip(): int(number) for name, number in re.findall(r"([a-z ]+)=(\d+)", parts)}
    skipped = numbers.get("skipped", 0)
    failed = sum(numbers.get(name, 0) for name in ("failures", "errors", "unexpected successes"))
    return Counts(max(counts.ran - skipped, 0), failed, skipped)


_TAP_LINE = re.compile(r"(not )?ok\b(?:\s+\d+)?(.*)")
_TAP_PLAN = re.compile(r"1\.\.(\d+)(?:\s*#.*)?")


def read_tap(text: str) -> Counts:
    """Count the top level of a TAP stream; a missing or broken plan and `Bail out!` are problems."""
    plan, seen, ran, failed, skipped = None, 0, 0, 0, 0
    for line in text.splitlines():
        if line.startswith("Bail out!"):
            return Counts(ran, failed, skipped, f"the tests bailed out: {line[9:].strip()}"[:300])
        if match := _TAP_PLAN.fullmatch(line.rstrip()):
            plan = int(match.group(1))
        elif match := _TAP_LINE.fullmatch(line.rstrip()):
            seen += 1
            directive = match.group(2).rpartition("#")[2].strip().upper() if "#" in match.group(2) else ""
            if directive.startswith("SKIP"):
                skipped += 1
                continue
            ran += 1
            failed += bool(match.group(1)) and not directive.startswith("TODO")
    problem = "" if plan == seen else f"the plan announces {plan} tests, {seen} were reported"
    return Counts(ran, failed, skipped, "the report has no plan line (1..N)" if plan is None else problem)
