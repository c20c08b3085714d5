"""Judging a workspace by its eval_criteria.md: which checks apply is decided here, each runs in a box of its own.

Unmarked checks judge every run, those of a step the claim of that step, those of completion the end; an optional check
is told and decides nothing. No executable check at all is not verifiable, which fails.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from harnessos import isolation
from harnessos.errors import BadUsage
from harnessos.files import private_folder
from harnessos.isolation import Check as Boxed
from harnessos.isolation import Level
from harnessos.mission.documents.checks import kind_of
from harnessos.mission.documents.criteria import mandatory
from harnessos.model.mission import plain_step

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from harnessos.dispatch.ground import Ground
    from harnessos.isolation import Result
    from harnessos.mission.documents.checks import Rule
    from harnessos.mission.documents.contract import Contract
    from harnessos.mission.documents.criteria import Check, Criteria, Standard
    from harnessos.ports import Clock

PASSED = "passed"
FAILED = "failed"
NOT_VERIFIABLE = "not_verifiable"
UNISOLATED = "none"
_OUTPUT_KEPT = 4_000
MINIMUM = "HARNESS_ISOLATION_MINIMUM"
"""The lowest level of isolation at which an operator lets checks run."""


class Boxes(NamedTuple):
    """How checks are kept apart here: at which level (None: none is allowed), measured by which clock, where."""

    level: Level | None
    clock: Clock
    scratch: Path

    def run(self, check: Boxed, workspace: Path, seconds: float = 60.0) -> Result:
        """Run one check in a box of its own."""
        limits = isolation.DEFAULT_LIMITS._replace(wall=seconds)
        return isolation.run(
            check, workspace, level=self.level, limits=limits, clock=self.clock, scratch_root=self.scratch
        )


class Judged(NamedTuple):
    """One check's result. `passed` None is open: it does not apply now. `isolation` is what was in force."""

    name: str
    standard: str
    mandatory: bool
    applies: str
    passed: bool | None
    detail: str
    seconds: float
    isolation: str
    output: str = ""

    def record(self) -> dict[str, Any]:
        """Return it as the ledger keeps it. Any: texts, numbers and null."""
        return self._asdict()

    def document(self) -> dict[str, Any]:
        """Return it as `eval --json` and logs/eval_report.json have it. Any: texts, numbers and null."""
        return {name: value for name, value in self._asdict().items() if name not in ("standard", "output")}


class Evaluation(NamedTuple):
    """What the checks add up to: `passed`, `failed` or `not_verifiable`."""

    verdict: str
    checks: tuple[Judged, ...]

    @property
    def failing(self) -> list[str]:
        """The names of the mandatory checks that did not pass."""
        return [check.name for check in self.checks if check.mandatory and check.passed is False]


class Scope(NamedTuple):
    """What is judged: the step a claim names (None: no claim), with `all_steps` every step, with `everything` the end too."""

    step: str | None = None
    everything: bool = False
    all_steps: bool = False


def applies(standard: Standard, scope: Scope) -> tuple[str, bool]:
    """Return when a standard applies, as a word, and whether that is now."""
    if standard.completion:
        return "completion", scope.everything
    if standard.step is None:
        return "run", True
    now = (
        scope.everything
        or scope.all_steps
        or (scope.step is not None and plain_step(scope.step) == plain_step(standard.step))
    )
    return f"step {plain_step(standard.step)}", now


def evaluate(
    place: Path,
    criteria: Criteria,
    contract: Contract | None,
    scope: Scope,
    boxes: Boxes,
    tell: Callable[[str], None] = lambda _: None,
) -> Evaluation:
    """Run every check that applies and say what it all adds up to. `tell` is given each check's name as it begins."""
    must = (
        mandatory(criteria, contract)
        if contract is not None
        else {one.id for one in criteria.standards if one.mandatory}
    )
    found: list[Judged] = []
    for standard in criteria.standards:
        word, now = applies(standard, scope)
        for check in standard.checks:
            open_ = Judged(
                check.name, standard.id, standard.id in must, word, None, f"open: it applies to {word}", 0.0, UNISOLATED
            )
            if now:
                tell(check.name)
            found.append(_judged(open_, boxes.run(boxed(check), place)) if now else open_)
    return Evaluation(decide(found), tuple(found))


def decide(checks: list[Judged]) -> str:
    """Return the verdict: every mandatory check that ran passed, and there was one to run."""
    decided = [check for check in checks if check.mandatory and check.passed is not None]
    if any(not check.passed for check in decided):
        return FAILED
    return PASSED if decided else NOT_VERIFIABLE


def boxed(check: Check) -> Boxed:
    """Return a check as the box takes it."""
    if check.language == "python":
        return Boxed.python(check.body)
    if check.language == "sh":
        return Boxed.sh(check.body)
    assert check.rule is not None
    return Boxed.structural(_fields(check.rule))


def _fields(rule: Rule) -> Mapping[str, object]:
    """Return a structural rule as the box reads it."""
    return {"kind": kind_of(rule), **{name: value for name, value in rule._asdict().items() if value is not None}}


def _judged(check: Judged, result: Result) -> Judged:
    level = result.level.value if result.level is not None else UNISOLATED
    return check._replace(
        passed=result.passed,
        detail=result.detail,
        seconds=round(result.seconds, 3),
        isolation=level,
        output=result.output[-_OUTPUT_KEPT:],
    )


def minimum(environ: Mapping[str, str]) -> Level:
    """Return the level an operator asks for at least (`HARNESS_ISOLATION_MINIMUM`), `limits` when nothing is said."""
    word = environ.get(MINIMUM, "")
    if word and word not in {level.value for level in Level}:
        raise BadUsage(f"{MINIMUM} is {word!r}", hint=f"one of {', '.join(level.value for level in Level)}")
    return Level(word) if word else Level.LIMITS


def boxes_of(ground: Ground) -> Boxes:
    """Return the boxes of this machine, at the best level it has."""
    root = ground.home / "boxes"
    private_folder(root)
    return Boxes(isolation.best(minimum(ground.environ)), ground.clock, root)
