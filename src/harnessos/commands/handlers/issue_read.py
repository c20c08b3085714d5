"""`harness issue`, the commands that look."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harnessos.commands.output import instant
from harnessos.inspector import issue_view, listing, views
from harnessos.inspector.listing import Filter
from harnessos.inspector.views import counted

if TYPE_CHECKING:
    from harnessos.commands.call import Call
    from harnessos.inspector.issue_view import IssueView


def list_all(call: Call) -> None:
    """List issues."""
    args = call.args
    project = call.harness.project(args.project)
    wanted = Filter(args.status, args.milestone, args.label)
    page = call.harness.read(listing.query, project, wanted, args.cursor, args.limit)
    rows = [
        (line.identifier, line.status, line.blocked_reason, line.priority, line.attempts, line.verdict, line.task)
        for line in page.items
    ]
    columns = ("ISSUE", "STATUS", "WAITS FOR", "PRIORITY", "ATTEMPTS", "VERDICT", "TASK")
    call.out.table(views.document(page), columns, rows, "no issue")
    if page.cursor and not call.out.json:
        call.out.note(f"more: --cursor {page.cursor}")


def show(call: Call) -> None:
    """Show everything about one."""
    seen = call.harness.read(issue_view.query, call.args.issue)
    call.out.show(views.document(seen), "\n".join(_lines(seen)))


def _lines(seen: IssueView) -> list[str]:
    issue = seen.issue
    lines = [f"{issue['identifier']}  {issue['task']}", f"  status      {_status(issue)}"]
    plain = {"milestone": issue["milestone"], "priority": issue["priority"], "attempts": issue["attempts"]}
    plain.update(verdict=issue["verdict"], commit=issue["accepted_commit"])
    lines += [f"  {name.ljust(11)} {value}" for name, value in plain.items() if value is not None]
    lines += [f"  after       {d.identifier} ({d.status})" for d in seen.dependencies]
    lines += [f"  before      {d.identifier} ({d.status})" for d in seen.dependents]
    lines += [f"  approval    {row['name']}: {row['state']}" for row in seen.approvals]
    lines += [f"  question    {row['question']}\n              {row['command']}" for row in seen.attention]
    lines += [
        f"  attempt {run.attempt}   {run.id}  {run.agent}, {counted(run.turns, 'turn')}, {run.outcome or run.phase}"
        for run in reversed(seen.runs)
    ]
    lines += [
        f"  gate        {row['gate']}: {_passed(row['passed'])}" + (f"  {row['log']}" if row["log"] else "")
        for row in seen.evidence
    ]
    lines += [f"  {instant(entry.at)}  {entry.text}" for entry in seen.timeline]
    return lines


def _status(issue: dict[str, Any]) -> str:
    reason = issue["blocked_reason"]
    return f"{issue['status']} ({reason})" if reason else str(issue["status"])


def _passed(value: int | None) -> str:
    return {None: "could not run", 0: "failed", 1: "passed"}[value]
