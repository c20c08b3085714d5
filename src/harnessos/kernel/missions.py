"""Missions: standing issues whose runs begin by a person, an agent or a schedule, and end back in pending.

A mission's standing (model.mission) moves in one statement with its issue and the event that says so, on the issue's
chain. What a run said, and how it was judged, is in `mission_runs`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from harnessos import errors
from harnessos.kernel import attention, budgets, campaigns, events, issues, projects
from harnessos.kernel.events import Head
from harnessos.model import mission as model
from harnessos.model.issue import Status
from harnessos.model.mission import Mission, Standing
from harnessos.model.run import SUPERVISOR

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harnessos.kernel.events import Cause
    from harnessos.model.outcome import Ended
    from harnessos.store.transaction import Row, Transaction

KEY = "MSN"
"""The reserved project of missions that belong to no other."""
PAUSED = "operator"
"""The kind of the hold by which a person pauses a mission."""
CONSTITUTION, CRITERIA = "mission.md", "eval_criteria.md"
JUDGED_BY = (CONSTITUTION, CRITERIA)
"""The documents that say what a mission must come to; a run is not to change what it is judged by."""
_MOST_TOLD = 300
NO_BUDGET = '{"issue_wall_minutes":"unlimited","attempts":"unlimited"}'
"""A standing issue has no budget of its own, its mission's day has."""


class Wanted(NamedTuple):
    """A mission to be: its name, where it lies, its runner (a JSON document, `{}` for an agent that comes by itself)."""

    name: str
    machine_id: str
    workspace: str
    max_failures: int = model.MAX_FAILURES
    runner: str = "{}"
    project_id: str | None = None


def find(tx: Transaction, mission_id: str) -> Row:
    """Return a mission's row with its issue's `identifier` and `issue_status`."""
    row = tx.one("mission_by_id", id=mission_id)
    if row is None:
        raise errors.UnknownIdentifier(
            f"this ledger has no mission {mission_id}", hint="`harness mission adopt WS` takes the workspace into it"
        )
    return row


def locked(tx: Transaction, mission_id: str) -> tuple[Row, Row]:
    """Return the mission and its issue, both as they stay until the transaction ends."""
    issue = issues.lock(tx, find(tx, mission_id)["issue_id"])
    return find(tx, mission_id), issue


def create(tx: Transaction, wanted: Wanted, cause: Cause) -> Row:
    """Write a mission with its standing issue; return its row. The project MSN is made at its first use."""
    project = _project(tx, wanted.project_id, cause)
    issue_id, mission_id = tx.new_id("iss"), tx.new_id("msn")
    standing = Standing(max_failures=_threshold(wanted.max_failures))
    issue = _issue(tx, project, wanted.name, cause, issue_id)
    data = {
        "set": {"status": Status.PENDING.value, "definition": issue["definition"], "lease_epoch": 0, "attempts": 0},
        "mission": model.stored(standing),
        "identifier": issue["identifier"],
        "name": wanted.name,
        "workspace": wanted.workspace,
    }
    head = events.append(tx, ("issue", issue_id), Head(0, ""), "mission.created", cause, data)
    tx.do("mission_issue_insert", **issue, event_seq=head.seq, event_head=head.hash)
    tx.do(
        "mission_insert",
        id=mission_id,
        issue=issue_id,
        project=project["id"],
        name=wanted.name,
        machine_id=wanted.machine_id,
        workspace=wanted.workspace,
        runner_json=wanted.runner,
        max_failures=standing.max_failures,
        now=tx.now,
    )
    budgets.open_scope(tx, budgets.Scope("mission", issue_id))
    return find(tx, mission_id)


def _project(tx: Transaction, project_id: str | None, cause: Cause) -> Row:
    row = tx.one("project_by_id", id=project_id) if project_id else tx.one("project_by_key", key=KEY)
    return row if row is not None else projects.create(tx, KEY, "Missions", "folder", None, None, cause)


def _issue(tx: Transaction, project: Row, name: str, cause: Cause, issue_id: str) -> dict[str, Any]:
    """Return the columns of a standing issue. Any: texts, numbers and NULL."""
    from harnessos.kernel.planned_issues import lane

    campaign = campaigns.find(tx, project["id"], campaigns.DEFAULT)
    numbers = tx.one("project_numbers", id=project["id"], count=1)
    assert numbers is not None
    number = int(numbers["first"])
    return {
        "id": issue_id,
        "project": project["id"],
        "campaign": campaign["id"],
        "lane": lane(tx, campaign, None),
        "number": number,
        "identifier": f"{project['key']}-{number}",
        "task": name,
        "definition": "",
        "planned_by": str(cause.actor),
        "now": tx.now,
        "kind": "standing",
        "parent": None,
        "budget_json": NO_BUDGET,
    }


def move(
    tx: Transaction,
    mission: Row,
    issue: Row,
    after: Standing,
    kind: str,
    cause: Cause,
    data: Mapping[str, Any] | None = None,
    columns: Mapping[str, Any] | None = None,
) -> Row:
    """Give a mission a new standing, and its issue the status that follows from it; return the issue's row.

    `columns` are further columns of the issue. Any: texts, numbers and NULL.
    """
    if issue["status"] == Status.CANCELLED and kind != "mission.reset":
        raise cancelled(mission)
    before, now = model.stored(model.read(mission)), model.stored(after)
    changed = {name: now[name] for name in model.COLUMNS if now[name] != before[name]}
    status, reason = _status(after)
    changes = {"status": status.value, "blocked_reason": reason, **(columns or {})}
    if status is Status.DONE:
        changes["verdict"] = "verified"
    new = issues.change(tx, issue, kind, cause, changes, {"mission": changed, **(data or {})})
    tx.do("mission_change", id=mission["id"], **now)
    return new


def cancelled(mission: Row) -> errors.MissionBlocked:
    """Return the error for a mission that was cancelled."""
    return errors.MissionBlocked(
        f"{mission['identifier']} was cancelled",
        hint=f"`harness mission reset {mission['workspace']}` begins it anew (a person's to do)",
    )


def _status(standing: Standing) -> tuple[Status, str | None]:
    if standing.status == Mission.MISSION_COMPLETE:
        return Status.DONE, None
    if standing.breaker == "tripped":
        return Status.BLOCKED, "breaker:mission"
    if standing.status == Mission.BLOCKED:
        return Status.BLOCKED, f"agent:{standing.blocking_reason}"
    return (Status.IN_PROGRESS if standing.status == Mission.RUNNING else Status.PENDING), None


def concluded(tx: Transaction, issue: Row, run: Row, end: Ended, cause: Cause) -> Row:
    """A run of a mission is over: by what its agent said, or by the end itself. Called by `ending.conclude`."""
    mission, mine = tx.one("mission_by_issue", issue=issue["id"]), tx.one("mission_run_by_id", run=run["id"])
    assert mission is not None
    assert mine is not None
    was = model.read(mission)
    if mine["kind"] == "dream":
        after = was
    elif mine["claim"] == "done":
        after = model.said_done(was, run["id"], mine["step"], mine["note"])
    elif mine["claim"] == "fail":
        after = model.said_fail(was, tx.now)
    elif mine["claim"] == "blocked":
        after = model.said_blocked(was, mine["note"])
    else:
        after = model.ran_out(was, end.outcome, tx.now)
    # Whoever may rewrite what it is judged by can pass any judgement: a person looks first (rule 5).
    told = f"{mine['changed']} changed during run #{mine['number']}"
    if CONSTITUTION in mine["changed"].split(", "):
        after = model.said_blocked(after, f"{told}, its results need a person")
    data = {"outcome": end.outcome.value, "reason": end.reason, "claim": mine["claim"], "number": mine["number"]}
    wall = issue["wall_ms"] + budgets.wall_used(run)
    new = move(tx, mission, issue, after, "run.ended", cause, data, {"wall_ms": wall})
    ask(tx, mission, was, after)
    if CRITERIA in mine["changed"].split(", "):
        _ask(
            tx,
            mission,
            "mission",
            f"criteria/{mission['id']}",
            f"{told}: until a person has looked it does not complete by itself",
            "resume",
        )
    return new


def rewritten(tx: Transaction, mission_id: str) -> bool:
    """Return whether the criteria changed during a run and nobody has settled that since."""
    return tx.one("attention_asked", dedup=f"criteria/{mission_id}") is not None


def ask(tx: Transaction, mission: Row, was: Standing, after: Standing) -> None:
    """Put what now needs a person into the inbox: a mission that has just been stopped."""
    if not after.stopped or was.stopped or after.status == Mission.MISSION_COMPLETE:
        return
    tripped = after.breaker == "tripped"
    if tripped:
        tx.do("breaker_open", scope_kind="mission", scope=mission["issue_id"], reason=after.blocking_reason, now=tx.now)
    question = after.blocking_reason or "it says that it needs a person"
    question += _last_words(tx, mission) if tripped else ""
    kind, dedup = ("breaker" if tripped else "mission"), f"mission/{mission['id']}/{mission['revision']}"
    _ask(tx, mission, kind, dedup, question, "resume")


def _last_words(tx: Transaction, mission: Row) -> str:
    """Return why the last run failed: the checks that did, else what was said at its end."""
    runs = tx.all("mission_run_list", mission=mission["id"], kind="run", before=1 << 40, most=1)
    if not runs:
        return ""
    failed = [check for check in json.loads(runs[0]["checks_json"]) if check["mandatory"] and check["passed"] is False]
    why = "; ".join(f"{check['name']}: {check['detail']}" for check in failed) or runs[0]["note"] or runs[0]["reason"]
    return f", the last one: {why[:_MOST_TOLD]}" if why else ""


def ask_to_mend(tx: Transaction, mission_id: str, problem: str) -> None:
    """Ask a person, once, to mend what keeps a mission's scheduled runs from working."""
    _ask(tx, find(tx, mission_id), "mission", f"mend/{mission_id}", problem, "boot")


def ask_to_complete(tx: Transaction, mission_id: str, why: str) -> None:
    """Ask a person, once, to say that a mission is complete whose checks all pass, and whom `why` keeps from it."""
    question = f"every check passes, complete it if you agree: {why}"
    _ask(tx, find(tx, mission_id), "mission", f"complete/{mission_id}", question, "complete")


def _ask(tx: Transaction, mission: Row, kind: str, dedup: str, question: str, verb: str) -> None:
    """Ask a person about a mission; `harness mission VERB` is the answer."""
    attention.ask(
        tx,
        mission["project_id"],
        mission["issue_id"],
        kind=kind,
        dedup=dedup,
        question=f"{mission['identifier']} ({mission['name']}): {question}",
        command=f"harness mission {verb} {mission['workspace']}",
    )


def resume(tx: Transaction, mission_id: str, cause: Cause, *, anew: bool = False) -> Row:
    """A person lifts hold, block and breaker; `anew` also starts at Step 0 and opens a complete mission again."""
    verb = "reset" if anew else "resume"
    mission, issue = locked(tx, mission_id)
    _person(cause, f"{verb} a mission", f"harness mission {verb} {mission['workspace']}")
    if issue["status"] == Status.IN_PROGRESS:
        if not anew and tx.run("hold_lift", scope_kind="mission", scope=issue["id"], kind=PAUSED):
            events.note(tx, ("issue", issue["id"]), "mission.unpaused", cause, {})
            tx.do("mission_touch", id=mission_id)
            return issue
        run = tx.one("run_live_of", issue=issue["id"])
        raise errors.AlreadyRunning(
            f"{mission['identifier']} is running; nothing was changed",
            hint="wait for the end of its run, or end it: "
            + (f"`harness run stop {run['id']}`" if run else "`harness why`"),
        )
    was = model.read(mission)
    if was.status == Mission.MISSION_COMPLETE and not anew:
        raise errors.MissionComplete(
            f"{mission['identifier']} is complete", hint="`harness mission reset WS` starts it over, from Step 0"
        )
    lifted = tx.run("hold_lift", scope_kind="mission", scope=issue["id"], kind=PAUSED)
    tx.do("breaker_close", scope_kind="mission", scope=issue["id"], now=tx.now, by=str(cause.actor))
    attention.moot(tx, issue["id"], cause)
    after = model.began_anew(was) if anew else model.resumed(was)
    columns = {"verdict": None} if was.status == Mission.MISSION_COMPLETE else {}
    new = move(tx, mission, issue, after, f"mission.{verb}", cause, {"unpaused": bool(lifted)}, columns)
    tx.wake()
    return new


def pause(tx: Transaction, mission_id: str, cause: Cause) -> None:
    """A person holds a mission: no run begins until `resume`; one that is live goes on."""
    mission, issue = locked(tx, mission_id)
    _person(cause, "pause a mission", f"harness mission pause {mission['workspace']}")
    reason = f"mission_paused:{mission['identifier']}"
    tx.do("hold_set", scope_kind="mission", scope=issue["id"], kind=PAUSED, reason=reason, until=None, now=tx.now)
    events.note(tx, ("issue", issue["id"]), "mission.paused", cause, {})
    tx.do("mission_touch", id=mission_id)


def held(tx: Transaction, issue_id: str) -> str | None:
    """Return why a mission is held by a person, None when it is not."""
    row = tx.one("mission_hold", scope_kind="mission", issue=issue_id, kind=PAUSED)
    return row["reason"] if row else None


def configure(tx: Transaction, /, mission_id: str, cause: Cause, **given: Any) -> Row:
    """Change `name`, `machine_id`, `workspace`, `runner_json` or `max_failures`; what is the same writes nothing. Any: by column."""
    mission, issue = locked(tx, mission_id)
    changed = {name: value for name, value in given.items() if mission[name] != value}
    if not changed:
        return mission
    if "runner_json" in changed:
        _person(cause, "say which agent drives a mission", f"harness mission run {mission['workspace']} --agent KIND")
    threshold = changed.get("max_failures")
    if threshold is not None:
        _person(cause, "change the threshold of the breaker", "harness mission boot WS --max-failures N")
        after = model.read(mission)._replace(max_failures=_threshold(threshold))
        issue = move(tx, mission, issue, after, "mission.changed", cause, changed)
    else:
        events.note(tx, ("issue", issue["id"]), "mission.changed", cause, changed)
    columns = {name: changed.get(name, mission[name]) for name in ("name", "machine_id", "workspace", "runner_json")}
    tx.do("mission_place", id=mission_id, **columns)
    if "name" in changed:
        tx.do("mission_issue_name", issue=issue["id"], name=changed["name"])
    return find(tx, mission_id)


def adopt(tx: Transaction, mission_id: str, standing: Standing, cause: Cause, facts: Mapping[str, Any]) -> None:
    """Take over the standing that a workspace's documents show, when its mission is new here. Any: as recorded."""
    mission, issue = locked(tx, mission_id)
    _person(cause, "take over what a mission's documents show", f"harness mission adopt {mission['workspace']}")
    was = model.read(mission)
    if was.runs or issue["lease_epoch"]:
        return
    move(tx, mission, issue, standing, "mission.adopted", cause, facts)
    ask(tx, mission, was, standing)


def import_step(tx: Transaction, mission_id: str, step: str, cause: Cause) -> None:
    """A person or agent moved the pointer by hand in heartbeat.md; nothing else of such an edit is taken over."""
    mission, issue = locked(tx, mission_id)
    was = model.read(mission)
    # During a run the breakpoint is the run's; the supervisor takes an edit over before the run's agent begins.
    if was.step == step or (issue["status"] == Status.IN_PROGRESS and cause.actor != SUPERVISOR):
        return
    move(tx, mission, issue, was._replace(step=step), "mission.step_imported", cause, {"from": was.step})


def rendering(tx: Transaction, mission_id: str, hashes: Mapping[str, str]) -> None:
    """Record what is about to be written (document name -> SHA-256), beside what was written before it."""
    mission = find(tx, mission_id)
    known: dict[str, list[str]] = json.loads(mission["rendered_json"])
    for name, value in hashes.items():
        last = [old for old in known.get(name, []) if old != value]
        known[name] = [value, *last[:1]]
    tx.do("mission_rendered", id=mission_id, rendered_json=json.dumps(known, sort_keys=True))


def _threshold(value: int) -> int:
    if not 1 <= value <= 1000:
        raise errors.BadUsage(
            f"{value} consecutive failures is no threshold for a breaker", hint="1 to 1000; the default is 3"
        )
    return value


def _person(cause: Cause, what: str, command: str) -> None:
    if cause.actor.kind == "agent":
        raise errors.OperatorOnly(f"only a person may {what}", hint=f"ask for: `{command}`")
