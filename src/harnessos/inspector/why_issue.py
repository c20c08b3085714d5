"""Why an issue is where it is, for every status and every reason. Pure: from facts to an answer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from harnessos.inspector import reasons, remedies
from harnessos.inspector.remedies import Remedy, harness
from harnessos.inspector.views import counted, span
from harnessos.model.issue import Status, merge_first

if TYPE_CHECKING:
    from harnessos.inspector.why_facts import Facts
    from harnessos.store.transaction import Row


class Deciding(NamedTuple):
    """The row that decides: its table, its key, the column, and what stands there."""

    table: str
    id: str
    column: str
    value: object


class Answer(NamedTuple):
    """One sentence, the row, the command."""

    sentence: str
    row: Deciding
    remedy: Remedy


def explain(facts: Facts) -> Answer:
    """Return why the issue is where it is."""
    return _BY_STATUS[Status(facts.issue["status"])](facts)


def _name(facts: Facts) -> str:
    return str(facts.issue["identifier"])


def _column(facts: Facts, column: str) -> Deciding:
    return Deciding("issues", facts.issue["id"], column, facts.issue[column])


def _commit(commit: object) -> str:
    return str(commit)[:12] if commit else "no commit"


def _done(facts: Facts) -> Answer:
    issue, last = facts.issue, facts.last
    by = f" in run {last['id']}" if last else ""
    ago = f" {span(facts.now - issue['ended_at'])} ago" if issue["ended_at"] else ""
    text = f"{_name(facts)} is done{ago}: {issue['verdict']} at {_commit(issue['accepted_commit'])}{by}"
    verdict = facts.verdict
    row = Deciding("verdicts", verdict["id"], "verdict", verdict["verdict"]) if verdict else _column(facts, "verdict")
    return Answer(text, row, harness("issue", "reopen", _name(facts)))


def _cancelled(facts: Facts) -> Answer:
    event = facts.cancelled
    data = json.loads(event["data_json"]) if event else {}
    because = f": {data['reason']}" if data.get("reason") else ""
    by = f" by {event['actor']}" if event else ""
    row = Deciding("events", str(event["seq"]), "data_json", data.get("reason")) if event else _column(facts, "status")
    return Answer(f"{_name(facts)} was cancelled{by}{because}", row, harness("issue", "reopen", _name(facts)))


def _failed(facts: Facts) -> Answer:
    issue, last = facts.issue, facts.last
    because = f": {last['reason']}" if last and last["reason"] else ""
    how = f" the last ended {last['outcome']}{because}" if last else ""
    row = Deciding("runs", last["id"], "outcome", last["outcome"]) if last else _column(facts, "attempts")
    text = f"{_name(facts)} failed after {counted(issue['attempts'], 'attempt')};{how}"
    return Answer(text, row, harness("issue", "retry", _name(facts)))


def _in_progress(facts: Facts) -> Answer:
    run = facts.last
    if run is None or not run["live"]:
        text = f"{_name(facts)} is in progress but no live run holds it, which must not be"
        return Answer(text, _column(facts, "status"), harness("issue", "cancel", _name(facts)))
    who, age = run["agent"] or "an agent", span(facts.now - run["started_at"])
    holder = f"{_name(facts)} is held by {who} on {run['machine_id']} for {age} (run {run['id']}, epoch {run['epoch']}"
    doing = f"turn {run['turns']}, {run['phase']}" if run["turns"] else str(run["phase"])
    if facts.abandoned:
        text = f"{holder}, {doing}), but its supervisor is dead (process {run['pid']}): `harness up` takes the run over"
        return Answer(text, Deciding("runs", run["id"], "pid", run["pid"]), remedies.up(facts.project["key"]))
    if run["expires_at"] <= facts.now:
        late = span(facts.now - run["expires_at"])
        text = f"{holder}), but the lease ran out {late} ago and the next claim ends the run"
        row = Deciding("runs", run["id"], "expires_at", run["expires_at"])
        return Answer(text, row, remedies.begin(facts.project["key"]))
    if run["stop_request"]:
        text = f"{holder}, {doing}) and was asked to stop: {run['stop_request']}"
        row = Deciding("runs", run["id"], "stop_request", run["stop_request"])
        return Answer(text, row, harness("issue", "cancel", _name(facts)))
    quiet, left = span(facts.now - run["progress_at"]), span(run["expires_at"] - facts.now)
    text = f"{holder}, {doing}), last progress {quiet} ago, lease for another {left}"
    return Answer(text, Deciding("runs", run["id"], "live", 1), harness("run", "stop", run["id"]))


_BLOCKED = {
    "approval:review": "a person must look at {commit}: a protected file changed or an approval is open",
    "approval:unverified": "no gate is declared, so a person must accept {commit} as it is",
    "breaker:issue": "its breaker is open: {breaks} in a row ended in harness faults or were lost",
    "budget:issue": "its own budget is used up after {wall} of work",
    "operator:gate_error": "its gates could not run three times in a row",
}


def _blocked(facts: Facts) -> Answer:
    issue, reason = facts.issue, str(facts.issue["blocked_reason"])
    remedy, row = remedies.for_blocked(_name(facts), reason), _column(facts, "blocked_reason")
    kind, _, detail = reason.partition(":")
    last = facts.last
    if kind == "dependency_failed":
        return _behind(facts)
    if reason in _BLOCKED:
        commit = f"the judged commit {_commit(last['commit_id'])}" if last else "the judged commit"
        said = _BLOCKED[reason].format(
            commit=commit, breaks=counted(issue["breaks"], "run"), wall=span(issue["wall_ms"])
        )
        if reason == "breaker:issue" and facts.breaker:
            row = Deciding("breakers", f"issue/{issue['id']}", "reason", facts.breaker["reason"])
        if last and last["reason"]:
            said = f"{said} ({last['reason']})"
    elif kind == "merge_conflict":
        said = merge_first(detail)
    else:
        said = f"an operator or the harness stopped it: {detail or reason}"
    return Answer(f"{_name(facts)} is blocked ({reason}): {said}", row, remedy)


def _behind(facts: Facts) -> Answer:
    root, reason = facts.root, facts.issue["blocked_reason"]
    start = f"{_name(facts)} is blocked ({reason}): "
    if root is None or root["status"] not in (Status.FAILED, Status.CANCELLED):
        status = root["status"] if root else "gone"
        text = f"{start}that issue is {status} again, and this has not reached here yet"
        return Answer(text, _column(facts, "blocked_reason"), _promote(facts))
    edge = Deciding("issue_dependencies", f"{facts.issue['id']}/{root['id']}", "state", 2)
    text = f"{start}it depends on {root['identifier']}, which is {root['status']}"
    return Answer(text, edge, remedies.for_root(root["identifier"], root["status"]))


def _promote(facts: Facts) -> Remedy:
    return harness("plan", "promote", "--project", facts.project["key"], needs="anyone")


def _pending(facts: Facts) -> Answer:
    waits = facts.waits or {}
    name = _name(facts)
    if facts.milestone is not None:
        return _behind_milestone(facts, facts.milestone)
    if waits.get("issue_dependency"):
        return _behind_issue(facts, str(waits["issue_dependency"]))
    if waits.get("approval"):
        approval = waits["approval"]
        row = Deciding("approvals", f"{facts.issue['id']}/{approval}", "state", "pending")
        remedy = harness("issue", "approve", name, "--name", approval)
        return Answer(f"{name} waits for a person to give the approval {approval}", row, remedy)
    if waits.get("milestone_approval"):
        approval = waits["milestone_approval"]
        row = Deciding("approvals", f"{facts.issue['milestone_id']}/{approval}", "state", "pending")
        text = f"{name} waits for the approval {approval} of its milestone"
        return Answer(text, row, harness("issue", "approve", name, "--milestone", "--name", approval))
    settling = facts.settling
    row = Deciding("issues", facts.issue["id"], "unmet", facts.issue["unmet"])
    if settling is not None:
        row = Deciding("settlements", settling["subject_id"], "subject_kind", settling["subject_kind"])
    return Answer(f"{name} waits for nothing and is about to become ready", row, _promote(facts))


def _behind_milestone(facts: Facts, milestone: Row) -> Answer:
    still = sum(milestone[f"n_{status}"] for status in ("pending", "ready", "in_progress", "failed", "blocked"))
    first, status = milestone["first"], milestone["first_status"]
    which = f", first of them {first}, which is {status}" if first else ""
    text = (
        f"{_name(facts)} waits for the milestone {milestone['key']}, which is {milestone['status']} "
        f"with {counted(still, 'issue')} open{which}"
    )
    row = Deciding("milestone_dependencies", f"{facts.issue['milestone_id']}/{milestone['id']}", "state", 0)
    if status == Status.FAILED:
        return Answer(text, row, remedies.for_root(first, status))
    if status == Status.READY:
        return Answer(text, row, remedies.begin(facts.project["key"], first))
    if first:
        # What is blocked or under way has a reason of its own, and its own command.
        return Answer(text, row, harness("why", first, needs="anyone"))
    return Answer(text, row, _promote(facts))


def _behind_issue(facts: Facts, dependency: str) -> Answer:
    name, root = _name(facts), facts.root
    row = _column(facts, "unmet")
    through = ""
    remedy = harness("issue", "edit", name, "--drop-dependency", dependency)
    if root is not None:
        if root["identifier"] == dependency:
            row = Deciding("issue_dependencies", f"{facts.issue['id']}/{root['id']}", "state", 0)
        else:
            through = f", which comes after {root['identifier']}"
        through += f", which is {root['status']}"
        if root["status"] == Status.READY:
            remedy = remedies.begin(facts.project["key"], root["identifier"])
        elif root["status"] == Status.FAILED:
            remedy = remedies.for_root(root["identifier"], "failed")
        elif root["status"] == Status.BLOCKED:
            through += f" ({root['blocked_reason']})"
            if not str(root["blocked_reason"]).startswith("dependency_failed:"):
                remedy = remedies.for_blocked(root["identifier"], root["blocked_reason"])
    return Answer(f"{name} waits for {dependency}{through}", row, remedy)


def _ready(facts: Facts) -> Answer:
    for look in (_paused, _project_held, _asleep, _files, _unserved, _provider_held):
        answer = look(facts)
        if answer is not None:
            return answer
    key, name = facts.project["key"], _name(facts)
    if facts.untrusted is not None:
        answer = untrusted(key, facts.untrusted)
        return answer._replace(sentence=f"{name} is ready, but {answer.sentence}")
    since = span(facts.now - facts.issue["ready_at"]) if facts.issue["ready_at"] else "0 s"
    overdue = f", overdue ({facts.issue['breaches']})" if facts.issue["breaches"] else ""
    text = f"{name} is ready for {since}{overdue} and nobody has claimed it"
    return Answer(text, _column(facts, "ready_at"), remedies.begin(key, name))


def _paused(facts: Facts) -> Answer | None:
    campaign = facts.campaign
    if campaign["status"] == "active":
        return None
    row = Deciding("campaigns", campaign["id"], "status", campaign["status"])
    text = f"{_name(facts)} is ready, but its campaign {campaign['name']} is {campaign['status']}"
    if campaign["status"] == "archived":
        return Answer(f"{text} for good", row, harness("issue", "cancel", _name(facts)))
    return Answer(text, row, harness("campaign", "resume", campaign["name"], "--project", facts.project["key"]))


def _project_held(facts: Facts) -> Answer | None:
    hold = next((hold for hold in facts.holds if hold["scope_kind"] == "project"), None)
    if hold is None:
        return None
    until = f" for another {span(hold['until'] - facts.now)}" if hold["until"] else ""
    text = f"{_name(facts)} is ready, but {facts.project['key']} is held{until}: {hold['reason']}"
    row = Deciding("holds", f"project/{hold['scope_id']}/{hold['kind']}", "reason", hold["reason"])
    return Answer(text, row, remedies.raise_cap(facts.project["key"], hold["reason"], facts.budgets))


def _asleep(facts: Facts) -> Answer | None:
    until = facts.issue["not_before"]
    if facts.issue["parked"] != 1 or until is None or until <= facts.now:
        return None
    last = facts.last
    because = f" after attempt {last['attempt']} ended {last['outcome']}" if last else ""
    if last and last["reason"]:
        because += f" ({last['reason']})"
    text = f"{_name(facts)} is tried again in {span(until - facts.now)}{because}"
    return Answer(text, _column(facts, "not_before"), harness("issue", "retry", _name(facts)))


def _files(facts: Facts) -> Answer | None:
    held = facts.blocking
    if held is None:
        return None
    text = (
        f"{_name(facts)} is ready, but the live run of {held['identifier']} holds {held['path']}, which it declares too"
    )
    row = Deciding("run_files", f"{facts.project['id']}/{held['path']}", "run_id", held["run_id"])
    return Answer(text, row, harness("run", "stop", held["run_id"]))


def _unserved(facts: Facts) -> Answer | None:
    if not facts.missing or facts.lane is None:
        return None
    text = f"{_name(facts)} is ready, but this host does not serve {', '.join(facts.missing)}, which it needs"
    column = "capabilities" if facts.lane["capabilities"] else "workload_class"
    row = Deciding("lanes", facts.lane["id"], column, facts.lane[column])
    begin = remedies.begin(facts.project["key"], _name(facts), *remedies.serving(facts.lane))
    return Answer(text, row, begin)


def _provider_held(facts: Facts) -> Answer | None:
    hold = next(iter(facts.holds), None)
    if hold is None:
        return None
    until = f" for another {span(hold['until'] - facts.now)}" if hold["until"] else ""
    text = (
        f"{_name(facts)} is ready, but agents of {hold['scope_id']} rest{until} ({hold['reason']}); "
        "another provider's may take it"
    )
    row = Deciding(
        "holds", f"{hold['scope_kind']}/{hold['scope_id']}/{hold['kind']}", "reason", reasons.hold_name(hold)
    )
    return Answer(text, row, remedies.begin(facts.project["key"], _name(facts)))


def untrusted(key: str, place: Row) -> Answer:
    """Return the answer for a project that who asks does not trust on this machine."""
    row = Deciding(
        "locations", f"{place['project_id']}/{place['machine_id']}/{place['path']}", "trusted_by", place["trusted_by"]
    )
    text = f"{key} is not trusted on this machine, so `harness up` runs none of its commands in {place['path']}"
    return Answer(text, row, harness("project", "trust", key))


_BY_STATUS = {
    Status.PENDING: _pending,
    Status.READY: _ready,
    Status.IN_PROGRESS: _in_progress,
    Status.BLOCKED: _blocked,
    Status.DONE: _done,
    Status.FAILED: _failed,
    Status.CANCELLED: _cancelled,
}
