"""What a schedule plans: the template of one issue, and the earlier product's array of jobs. Strict, all problems listed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, NotRequired, cast

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, with_config
from typing_extensions import TypedDict

from harnessos.documents.reading import load_document
from harnessos.documents.shapes import Line, Name, Prose, shape_problems
from harnessos.documents.tree import Problem, line_of
from harnessos.errors import BadContent, BadDocument
from harnessos.model import cron, plan_document
from harnessos.model import schedule as model
from harnessos.plans.convert import to_issue
from harnessos.plans.shape import (
    ApprovalShape,
    Instant,
    IssueShape,
    PolicyShape,
    Priority,
    RecipientShape,
    ReferenceShape,
    Size,
    fields_of,
    policy_fields,
    work_fields,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from harnessos.model.plan import PlannedIssue

MOST_JOBS = 10_000
_STRICT = ConfigDict(strict=True, extra="forbid")
_AFTER = re.compile(r"\+\s*(\S+)")
_NOT_HERE = ("key", "depends_on_indices", "depends_on_keys", "depends_on_ids")


@with_config(_STRICT)
class JobShape(TypedDict):
    """A job of the earlier product, with a name and a time zone where one wants to say them."""

    task: Prose
    cron: Line
    projectKey: Name
    campaignName: Name
    priority: Priority
    size: Size
    deadlineAt: NotRequired[Instant]
    recipients: NotRequired[Annotated[list[RecipientShape], Field(min_length=1)]]
    approvals: NotRequired[Annotated[list[ApprovalShape], Field(min_length=1)]]
    externalRefs: NotRequired[Annotated[list[ReferenceShape], Field(min_length=1)]]
    policy: NotRequired[PolicyShape]
    name: NotRequired[Name]
    timezone: NotRequired[Line]


_JOB = TypeAdapter(JobShape)
_ISSUE = TypeAdapter(IssueShape)
_JOB_FIELDS = fields_of(("", JobShape), *work_fields(""), *policy_fields(".policy"))
_ISSUE_FIELDS = {
    **fields_of(*work_fields(""), *policy_fields("policy")),
    "": tuple(name for name in IssueShape.__annotations__ if name not in _NOT_HERE),
}
_OWN = ("cron", "projectKey", "campaignName", "name", "timezone")


class Job(NamedTuple):
    """One job: under which name it is scheduled, when, where, and what its target needs."""

    name: str
    rule: str
    timezone: str
    project: str
    document: dict[str, Any]
    planned: PlannedIssue


def read_jobs(path: Path, timezone: str) -> list[Job]:
    """Read the JSON array of jobs. BadDocument lists everything that is wrong with it, NotAFile when there is none."""
    tree, problems = load_document(path)
    if not problems and (not isinstance(tree, list) or not tree):
        problems = [Problem("", "must be a list of jobs, with at least one")]
    if not problems and len(cast("list[object]", tree)) > MOST_JOBS:
        problems = [Problem("", f"holds more than {MOST_JOBS:,} jobs")]
    jobs: list[Job] = []
    if not problems:
        taken: dict[str, str] = {}
        for at, raw in enumerate(cast("list[object]", tree)):
            job = _job(raw, f"[{at}]", timezone, taken, problems)
            if job is not None:
                jobs.append(job)
    if problems:
        raise _refused(str(path), tree, problems)
    return jobs


def _job(raw: object, where: str, timezone: str, taken: dict[str, str], problems: list[Problem]) -> Job | None:
    before = len(problems)
    try:
        shape = _JOB.validate_python(raw)
    except ValidationError as error:
        problems += shape_problems(error, where, _JOB_FIELDS)
        if isinstance(raw, dict):
            _rule(raw.get("cron"), f"{where}.cron", problems)
            _zone(raw.get("timezone"), f"{where}.timezone", problems)
        return None
    _rule(shape["cron"], f"{where}.cron", problems)
    _zone(shape.get("timezone"), f"{where}.timezone", problems)
    issue = {name: value for name, value in shape.items() if name not in _OWN}
    planned = to_issue(cast("IssueShape", issue), 0, where, problems)
    document = _document(planned, shape["campaignName"], None)
    name = _name(shape, document, where, taken, problems)
    if len(problems) > before:
        return None
    zone = shape.get("timezone", timezone)
    return Job(name, shape["cron"], zone, shape["projectKey"], document, planned)


def _name(
    shape: JobShape, document: Mapping[str, Any], where: str, taken: dict[str, str], problems: list[Problem]
) -> str:
    """Return the job's name: its own, or one made from its task; equal jobs share one, others get a number."""
    told = repr((shape["cron"], shape.get("timezone"), sorted(document.items(), key=str)))
    wanted = shape.get("name")
    if wanted is not None:
        try:
            model.check_name(wanted)
        except BadContent as problem:
            problems.append(Problem(f"{where}.name", f"{problem.message}; {problem.hint}"))
        if taken.setdefault(f"{shape['projectKey']}/{wanted}", told) != told:
            problems.append(Problem(f"{where}.name", f"another job is called {wanted}"))
        return wanted
    base = model.name_from(shape["task"])
    number = 1
    while taken.setdefault(f"{shape['projectKey']}/{_numbered(base, number)}", told) != told:
        number += 1
    return _numbered(base, number)


def _numbered(base: str, number: int) -> str:
    return base if number == 1 else f"{base}-{number}"


def _rule(text: object, where: str, problems: list[Problem]) -> None:
    if isinstance(text, str) and text.strip():
        try:
            cron.parse(text)
        except BadContent as problem:
            problems.append(Problem(where, f"{problem.message}; {problem.hint}"))


def _zone(name: object, where: str, problems: list[Problem]) -> None:
    if isinstance(name, str):
        try:
            cron.zone(name)
        except BadContent as problem:
            problems.append(Problem(where, f"{problem.message}; {problem.hint}"))


def read_template(raw: Mapping[str, object], campaign: str, source: str = "the template") -> tuple[Any, PlannedIssue]:
    """Check the template of an issue: fields of a plan's issue, `deadlineAt` also as `+2h` after the nominal time.

    Return what the schedule keeps (Any: a JSON document) and the issue. BadDocument lists what is wrong.
    """
    fields, after, problems = _after(raw)
    for name in _NOT_HERE:
        if name in fields:
            problems.append(Problem(name, "an issue that a schedule plans has no key and waits for no other"))
            del fields[name]
    planned = None
    try:
        planned = to_issue(_ISSUE.validate_python(fields), 0, "", problems)
    except ValidationError as error:
        problems += shape_problems(error, "", _ISSUE_FIELDS)
    if planned is None or problems:
        problems = [problem._replace(where=problem.where.lstrip(".")) for problem in problems]
        raise _refused(source, dict(raw), problems)
    return _document(planned, campaign, after), planned


def template_of(path: Path) -> dict[str, object]:
    """Read a template's file: a mapping in YAML, JSON or TOML. BadDocument, NotAFile."""
    tree, problems = load_document(path)
    if not problems and not isinstance(tree, dict):
        problems = [Problem("", "must be a mapping with the fields of an issue, such as `task`")]
    if problems:
        raise _refused(str(path), tree, problems)
    return cast("dict[str, object]", tree)


def _after(raw: Mapping[str, object]) -> tuple[dict[str, object], int | None, list[Problem]]:
    """Take a relative deadline out of a template."""
    given = raw.get("deadlineAt")
    found = _AFTER.fullmatch(given) if isinstance(given, str) else None
    if found is None:
        return dict(raw), None, []
    fields = {name: value for name, value in raw.items() if name != "deadlineAt"}
    try:
        return fields, model.duration(found[1]), []
    except ValueError as problem:
        return fields, None, [Problem("deadlineAt", str(problem))]


def _document(planned: PlannedIssue, campaign: str, after: int | None) -> dict[str, Any]:
    return {
        "campaign": campaign,
        "deadline_after_ms": after,
        "issue": plan_document.issue_document(planned),
    }


def _refused(file: str, tree: object, problems: list[Problem]) -> BadDocument:
    causes = [found._replace(line=found.line or line_of(tree, found.where)).describe(file) for found in problems]
    count = "one problem" if len(causes) == 1 else f"{len(causes):,} problems"
    return BadDocument(
        f"{file} has {count}, nothing was written:\n" + "\n".join(causes),
        hint="mend the places named above; `harness schedule add --help` shows what it takes",
        causes=causes,
        path=file,
    )
