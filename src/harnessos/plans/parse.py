"""A document's tree becomes a Plan, or every problem of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeVar, cast

from pydantic import TypeAdapter, ValidationError

from harnessos.documents.shapes import shape_problems
from harnessos.documents.tree import MAX_PROBLEMS, Marked, Problem, line_of
from harnessos.model.plan import MAX_ISSUES, Plan, PlannedCampaign, PlannedIssue, PlannedMilestone
from harnessos.plans.convert import to_campaign, to_issue, to_milestone
from harnessos.plans.references import Group, Wanted, resolve
from harnessos.plans.shape import ISSUE, KNOWN, MILESTONE, PLAN

if TYPE_CHECKING:
    from collections.abc import Sequence

Shape = TypeVar("Shape")

_NO_KEY = "is missing: a plan with plan_key needs a key on every issue"


class Parsed(NamedTuple):
    """A plan, or why there is none."""

    plan: Plan | None
    problems: list[Problem]


def parse_plan(tree: object) -> Parsed:
    """Check a tree of plain values as a plan. The tree of a JSON or TOML document is consumed to save memory."""
    if not isinstance(tree, dict):
        return Parsed(None, [Problem("", "a plan must be a mapping with the field `milestones`")])
    reader = _Reader(tree)
    plan = reader.read()
    problems = [found._replace(line=found.line or line_of(tree, found.where)) for found in reader.problems]
    return Parsed(None if problems else plan, problems)


class _Reader:
    """Reads milestone after milestone, issue after issue, and keeps every problem."""

    def __init__(self, tree: dict[str, object]) -> None:
        self.problems: list[Problem] = []
        self._tree = tree
        self._keep = isinstance(tree, Marked)
        self._keyed = "plan_key" in tree
        self._groups: list[Group] = []
        self._wanted: list[Wanted] = []
        self._milestones: list[PlannedMilestone | None] = []
        self._issues: list[PlannedIssue | None] = []

    def read(self) -> Plan | None:
        """Return the plan if there is no problem."""
        campaign = self._head()
        given = self._tree.get("milestones")
        if not isinstance(given, list) or not self._few(given):
            return None
        for at, raw in enumerate(given):
            self._milestone(at, raw)
            if len(self.problems) >= MAX_PROBLEMS:
                self.problems.append(Problem("", f"more than {MAX_PROBLEMS:,} problems, the rest is not listed"))
                return None
        edges = resolve(self._groups, self._wanted, self.problems)
        if self.problems:
            return None
        key = self._tree.get("plan_key")
        return Plan(
            plan_key=key if isinstance(key, str) else None,
            campaign=campaign,
            milestones=tuple(
                found._replace(depends_on=after) if after else found
                for found, after in zip(self._milestones, edges.milestones, strict=True)
                if found is not None
            ),
            issues=tuple(
                found._replace(depends_on=after) if after else found
                for found, after in zip(self._issues, edges.issues, strict=True)
                if found is not None
            ),
        )

    def _head(self) -> PlannedCampaign | None:
        shape = self._shape(PLAN, self._tree, "", {"milestones": ()})
        if shape is None:
            return None
        return to_campaign(shape["campaign"], self.problems) if "campaign" in shape else None

    def _few(self, given: Sequence[object]) -> bool:
        issues = (raw.get("issues") for raw in given if isinstance(raw, dict))
        count = sum(len(found) for found in issues if isinstance(found, list))
        if count <= MAX_ISSUES and len(given) <= MAX_ISSUES:
            return True
        held = f"{count:,} issues" if count > MAX_ISSUES else f"{len(given):,} milestones"
        self.problems.append(Problem("milestones", f"{held} are too many: at most {MAX_ISSUES:,} a plan, divide it"))
        return False

    def _milestone(self, at: int, raw: object) -> None:
        where = f"milestones[{at}]"
        shape = self._shape(MILESTONE, raw, where, {"milestone_key": "", "description": "", "issues": ()})
        self._milestones.append(None if shape is None else to_milestone(shape, where, self.problems))
        given = raw.get("issues") if isinstance(raw, dict) else None
        first = len(self._wanted)
        if isinstance(given, list):
            for index in range(len(given)):
                self._issue(at, f"{where}.issues[{index}]", given[index])
                if not self._keep:
                    given[index] = None
                if len(self.problems) >= MAX_PROBLEMS:
                    break
        key = _text(raw, "milestone_key")
        self._groups.append(Group(key, _texts(raw, "depends_on_milestone_keys"), first, len(self._wanted)))

    def _issue(self, milestone: int, where: str, raw: object) -> None:
        shape = self._shape(ISSUE, raw, where, {"task": ""})
        if shape is None:
            self._wanted.append(Wanted())
            self._issues.append(None)
            return
        issue = to_issue(shape, milestone, where, self.problems)
        # A key that is wrong as a key still counts, or whoever depends on it would be reported too.
        key = issue.key or _text(raw, "key")
        self._wanted.append(Wanted(key, shape.get("depends_on_indices", ()), shape.get("depends_on_keys", ())))
        self._issues.append(issue)
        if self._keyed and isinstance(raw, dict) and "key" not in raw:
            self.problems.append(Problem(f"{where}.key", _NO_KEY))

    def _shape(self, adapter: TypeAdapter[Shape], raw: object, where: str, blank: dict[str, object]) -> Shape | None:
        """Return `raw` in its shape; of a broken one what is sound, with `blank` for what it must have, so that
        all other problems of it are found as well. None when nothing of it is sound.
        """
        try:
            return adapter.validate_python(raw)
        except ValidationError as error:
            self.problems += shape_problems(error, where, KNOWN)
            if not isinstance(raw, dict):
                return None
            broken = {detail["loc"][0] for detail in error.errors(include_url=False, include_context=False)}
            sound = {field: value for field, value in raw.items() if field not in broken}
            return cast("Shape", {**blank, **sound})


def _text(raw: object, field: str) -> str | None:
    value = raw.get(field) if isinstance(raw, dict) else None
    return value if isinstance(value, str) else None


def _texts(raw: object, field: str) -> list[str]:
    value = raw.get(field) if isinstance(raw, dict) else None
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []
