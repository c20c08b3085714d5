"""Why an issue, run or project is where it is: one sentence, the row that decides it, the command that changes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from harnessos import errors
from harnessos.inspector import next_action, reasons, remedies, views, why_facts, why_issue, why_mission, why_task
from harnessos.inspector.remedies import Remedy, harness, raise_cap
from harnessos.inspector.status import budgets
from harnessos.inspector.views import ANY_HOST, Host, span
from harnessos.inspector.why_issue import Answer, Deciding
from harnessos.store import named

if TYPE_CHECKING:
    from harnessos.inspector.next_action import NextAction
    from harnessos.store.transaction import Row, Transaction


class Why(NamedTuple):
    """The answer. `row` is the deciding one; `command` can be typed as it is; `needs` is operator or anyone.

    `supervised` is the command by which a supervisor does what `command` does by hand, where the project has a runner.
    """

    subject: str
    kind: str
    status: str
    blocked_reason: str | None
    sentence: str
    row: Deciding
    command: tuple[str, ...]
    needs: str
    supervised: tuple[str, ...] | None = None


def query(tx: Transaction, name: str, host: Host = ANY_HOST) -> Why:
    """Explain an issue (`DOCS-42`), a run (`run-...`) or a project (`DOCS`); UnknownIdentifier for anything else.

    A file that is still to be written stands as FILE in the command.
    """
    kind, row = _named(tx, name)
    return _KINDS[kind](tx, row, host)


def project_of(tx: Transaction, name: str) -> Row:
    """Return the project that an issue, a run or a project's key is about."""
    kind, row = _named(tx, name)
    return row if kind == "project" else views.project_by_id(tx, row["project_id"])


def _named(tx: Transaction, name: str) -> tuple[str, Row]:
    if name.startswith("run-"):
        return "run", views.run(tx, name)
    issue = tx.one("issue_by_identifier", identifier=name.upper())
    if issue is not None:
        return "issue", issue
    project = tx.one("project_by_key", key=name.upper())
    if project is not None:
        return "project", project
    raise errors.UnknownIdentifier(f"there is no issue, run or project {name} in this ledger", identifier=name)


def _why(subject: str, kind: str, status: str, reason: str | None, answer: Answer) -> Why:
    remedy = answer.remedy
    return Why(subject, kind, status, reason, answer.sentence, answer.row, remedy.command, remedy.needs)


def _issue(tx: Transaction, issue: Row, host: Host) -> Why:
    if issue["kind"] == "standing":
        reason = issue["blocked_reason"]
        return _why(issue["identifier"], "issue", issue["status"], reason, why_mission.explain(tx, issue))
    if issue["kind"] == "dispatched" and issue["status"] in ("pending", "in_progress"):
        return _why(issue["identifier"], "issue", issue["status"], None, why_task.explain(tx, issue))
    facts = why_facts.of_issue(tx, issue, host)
    known = {**issue, "campaign": facts.campaign["name"], "campaign_status": facts.campaign["status"]}
    reason = reasons.blocked_reason(known, facts.waits, facts.holds)
    found = _why(issue["identifier"], "issue", issue["status"], reason, why_issue.explain(facts))
    return found._replace(supervised=remedies.supervised(facts.project["key"], found.command, host))


def _run(tx: Transaction, run: Row, host: Host) -> Why:
    issue = named.issue(tx, run["identifier"])
    own = _issue(tx, issue, host)
    name = run["id"]
    if run["live"]:
        return own._replace(subject=name, kind="run", status=run["phase"])
    ended = span(tx.now - run["ended_at"])
    because = f": {run['reason']}" if run["reason"] else ""
    verdict = f", judged {run['verdict']}" if run["verdict"] else ""
    text = (
        f"{name} was attempt {run['attempt']} at {run['identifier']} and ended {run['outcome']}{verdict} "
        f"{ended} ago{because}; the issue is {issue['status']} now"
    )
    answer = Answer(text, Deciding("runs", name, "outcome", run["outcome"]), Remedy(own.command, own.needs))
    return _why(name, "run", "ended", own.blocked_reason, answer)


def _project(tx: Transaction, project: Row, host: Host) -> Why:
    """Explain a project: a hold, every campaign stopped, no trust here, else what `next` says."""
    key, project_id = project["key"], project["id"]
    hold = next((row for row in reasons.holds_of(tx, project_id) if row["scope_kind"] == "project"), None)
    if hold is not None:
        until = f" for another {span(hold['until'] - tx.now)}" if hold["until"] else ""
        text = f"{key} is held{until}: {hold['reason']}"
        remedy = raise_cap(key, hold["reason"], budgets(tx, project_id))
        row = Deciding("holds", f"project/{project_id}/{hold['kind']}", "reason", hold["reason"])
        return _why(key, "project", "held", reasons.hold_name(hold), Answer(text, row, remedy))
    campaigns = tx.all("campaign_list", project=project_id)
    stopped = next((row for row in campaigns if row["status"] == "paused"), None)
    if stopped is not None and not any(row["status"] == "active" for row in campaigns):
        text = f"nothing of {key} is claimed: its campaign {stopped['name']} is paused"
        row = Deciding("campaigns", stopped["id"], "status", stopped["status"])
        remedy = harness("campaign", "resume", stopped["name"], "--project", key)
        return _why(key, "project", "paused", f"campaign_paused:{stopped['name']}", Answer(text, row, remedy))
    untrusted = why_facts.untrusted(tx, project_id, host)
    if untrusted is not None:
        return _why(key, "project", "untrusted", None, why_issue.untrusted(key, untrusted))
    following = next_action.query(tx, project, host)
    row = Deciding("projects", project_id, "key", key)
    remedy = Remedy(tuple(following.payload["command"]), following.payload["needs"])
    answer = Answer(f"{key}: {following.reason}", row, remedy if following.action != "idle" else _ahead(following))
    found = _why(key, "project", following.action, None, answer)
    return found._replace(supervised=remedies.supervised(key, found.command, host))


def _ahead(idle: NextAction) -> Remedy:
    """Return what ends an idle time: what is under way or waits has a reason of its own; after the end comes a plan."""
    if idle.context.issue is not None:
        return harness("why", idle.context.issue["identifier"], needs="anyone")
    return harness("plan", "apply", "FILE", "--project", str(idle.context.project), needs="anyone")


_KINDS = {"run": _run, "issue": _issue, "project": _project}
