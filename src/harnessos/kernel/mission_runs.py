"""A mission's run from its start to the verdict over it. Starting is one transaction, so two triggers start one run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from harnessos import errors
from harnessos.kernel import attention, claims, ending, missions, reaping
from harnessos.kernel.claims import Nothing
from harnessos.kernel.events import Cause
from harnessos.model import mission as model
from harnessos.model.issue import Status
from harnessos.model.mission import Mission
from harnessos.model.outcome import Ended, Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harnessos.kernel.claims import Claimed, ClaimRequest
    from harnessos.model.run import Lease
    from harnessos.store.transaction import Row, Transaction


class Begin(NamedTuple):
    """How a run of a mission begins: `trigger` is start, firing, run, now or dream; `nominal_at` a firing's instant.

    `documents` are the hashes of the documents as they are now, for the report and the constitution.
    """

    trigger: str = "start"
    nominal_at: int | None = None
    kind: str = "run"
    documents: Mapping[str, str] = {}


class Started(NamedTuple):
    """The claim of the run, its number among the mission's, and the mission's row after it."""

    claimed: Claimed
    number: int
    mission: Row


def start(tx: Transaction, mission_id: str, request: ClaimRequest, begin: Begin, cause: Cause) -> Started:
    """Begin a run or a dream: pending -> ready -> in_progress, here or not at all.

    MissionComplete (10), MissionBlocked (11), AlreadyRunning (13). An expired run is ended first, and counts as a
    failure: without a process to watch, stuck means expired. NothingReady (75) when a budget or a provider is in the way.
    """
    mission, issue = _free(tx, mission_id, request, cause)
    was = model.read(mission)
    if was.claim is not None and was.claim.unjudged and begin.kind == "run":
        # Whoever calls judges it first; what came between is not overtaken.
        raise errors.Busy(
            f"{mission['identifier']}: the last run's claim is being judged", hint="try again in a moment"
        )
    claimed = claims.claim_standing(tx, request, issue, cause)
    if isinstance(claimed, Nothing):
        raise errors.NothingReady(
            f"{mission['identifier']}: {claimed.reason}", hint=f"`harness why {mission['identifier']}`"
        )
    by = Cause(cause.actor, cause.command, claimed.lease.run_id, claimed.lease.epoch)
    number = was.runs + 1
    if begin.kind == "run":
        data = {"number": number, "trigger": begin.trigger, "nominal_at": begin.nominal_at}
        missions.move(tx, mission, claimed.issue, model.started(was, tx.now), "mission.started", by, data)
    else:
        last = tx.one("mission_run_last", mission=mission_id, kind=begin.kind)
        number = (last["number"] or 0) + 1 if last else 1
        tx.do("mission_touch", id=mission_id)
    tx.do(
        "mission_run_insert",
        run=claimed.lease.run_id,
        mission=mission_id,
        number=number,
        kind=begin.kind,
        trigger=begin.trigger,
        nominal_at=begin.nominal_at,
        step=was.step,
        documents_json=json.dumps(dict(begin.documents), sort_keys=True),
    )
    return Started(claimed, number, missions.find(tx, mission_id))


def _free(tx: Transaction, mission_id: str, request: ClaimRequest, cause: Cause) -> tuple[Row, Row]:
    """Return the mission and its issue, locked and free to run, or raise what stands in the way."""
    mission, issue = missions.locked(tx, mission_id)
    if issue["status"] == Status.IN_PROGRESS:
        for seen in tx.all(
            "run_expired", now=tx.now, machine_id=request.holder.machine_id, boot_id=request.holder.boot_id, most=100
        ):
            if seen["issue_id"] == issue["id"]:
                reaping.reap_one(tx, seen, cause)
        mission, issue = missions.locked(tx, mission_id)
    refuse_stopped(mission)
    hold = missions.held(tx, issue["id"])
    if hold is not None:
        raise errors.MissionBlocked(
            f"{mission['identifier']} is paused by a person", hint=f"`harness mission resume {mission['workspace']}`"
        )
    if issue["status"] == Status.IN_PROGRESS:
        run = tx.one("run_live_of", issue=issue["id"])
        raise errors.AlreadyRunning(
            f"{mission['identifier']} is running already",
            hint="leave it alone: the run that holds it ends by itself, or its lease runs out",
            run=run["id"] if run else None,
            expires_at=run["expires_at"] if run else None,
        )
    return mission, issue


def refuse_stopped(mission: Row) -> None:
    """Raise for a mission that is complete, blocked or tripped, with the words SKILL.md knows."""
    was = model.read(mission)
    workspace = mission["workspace"]
    if mission["issue_status"] == Status.CANCELLED:
        raise missions.cancelled(mission)
    if was.status == Mission.MISSION_COMPLETE:
        raise errors.MissionComplete(f"{mission['identifier']} is mission_complete: there is nothing left to do")
    if was.breaker == "tripped":
        raise errors.MissionBlocked(
            f"{mission['identifier']} is blocked: the Circuit Breaker has tripped after {was.failures} failures in a row",
            hint=f"wait for a person: `harness mission resume {workspace}`",
        )
    if was.status == Mission.BLOCKED:
        raise errors.MissionBlocked(
            f"{mission['identifier']} is blocked: {was.blocking_reason or 'no reason was given'}",
            hint=f"wait for a person: `harness mission resume {workspace}`",
        )


class Said(NamedTuple):
    """What an agent says at the end of its run: `done` with a step, `fail` or `blocked`, and a text to it.

    `changed` names documents that nobody but a person may change and that are not as they were at the start.
    """

    word: str
    step: str = ""
    note: str = ""
    changed: str = ""


def say(
    tx: Transaction, lease: Lease, said: Said, end: Ended, cause: Cause, closing: ending.Closing = ending.PLAIN
) -> Row:
    """End the run with what its agent says; return the issue's row. LeaseLost when stale."""
    step = model.shown_step(said.step) if said.step else ""
    tx.do("mission_run_say", run=lease.run_id, claim=said.word, step=step, note=said.note, changed=said.changed)
    return ending.finish(tx, lease, end, cause, closing)


OUTCOMES = {"done": Outcome.SUCCESS, "fail": Outcome.AGENT_FAULT, "blocked": Outcome.RELEASED}
"""How a run ends in the ledger by the word its agent says; a `done` is judged after it."""


def ended_by(said: Said) -> Ended:
    """Return the end of a run by what its agent said."""
    return Ended(OUTCOMES[said.word], said.note)


def take_back(tx: Transaction, mission_id: str, said: Said, cause: Cause) -> None:
    """`fail` right after a `done` that nobody judged replaces the claim. Refused (65) without such a claim."""
    mission, issue = missions.locked(tx, mission_id)
    was = model.read(mission)
    if was.claim is None or not was.claim.unjudged or issue["status"] == Status.IN_PROGRESS:
        raise errors.IllegalMove(
            f"{mission['identifier']} has no run that could fail",
            hint=f"`harness mission start {mission['workspace']}` first",
        )
    run = was.claim.run
    tx.do(
        "mission_run_say", run=run, claim="fail", step=said.step or was.claim.step, note=said.note, changed=said.changed
    )
    tx.do("mission_run_result", run=run, result="failed", checks_json="[]")
    tx.do("mission_run_verdict", run=run, verdict="rejected")
    after = model.said_fail(was, tx.now)
    by = Cause(cause.actor, cause.command, run)
    missions.move(tx, mission, issue, after, "mission.claim_withdrawn", by, {"step": said.step, "note": said.note})
    missions.ask(tx, mission, was, after)


def block(tx: Transaction, mission_id: str, reason: str, cause: Cause) -> None:
    """The mission says, without a run, that it needs a person."""
    mission, issue = missions.locked(tx, mission_id)
    refuse_stopped(mission)
    if issue["status"] == Status.IN_PROGRESS:
        raise errors.AlreadyRunning(f"{mission['identifier']} is running; its own agent may say that it is blocked")
    was = model.read(mission)
    after = model.said_blocked(was, reason)
    missions.move(tx, mission, issue, after, "mission.blocked", cause, {"reason": reason})
    missions.ask(tx, mission, was, after)


class Verdict(NamedTuple):
    """What an evaluation found: its word (passed, failed, not_verifiable), one row a check, and the files it saw.

    `steps` are those of the playbook, which say what follows the claimed one.
    """

    word: str
    checks: Sequence[Mapping[str, Any]]
    files: Mapping[str, str]
    steps: Sequence[str] = ()


def judge(tx: Transaction, mission_id: str, claim_run: str | None, verdict: Verdict, cause: Cause) -> bool:
    """Record an evaluation; where it judges the open claim of `claim_run`, move the mission. Return whether it did.

    Each evaluation of a claim replaces the last one, and a claim counts at most one failure.
    """
    mission, issue = missions.locked(tx, mission_id)
    failing = [check["name"] for check in verdict.checks if check["mandatory"] and check["passed"] is False]
    judged = {
        "verdict": verdict.word,
        "files": dict(verdict.files),
        "at": tx.now,
        "run": claim_run,
        "failing": failing,
        "results": _results(
            mission, {str(check.get("standard", check["name"])): check["passed"] for check in verdict.checks}
        ),
    }
    tx.do("mission_judged", id=mission_id, judged_json=json.dumps(judged, sort_keys=True))
    was = model.read(mission)
    if claim_run is None or was.claim is None or was.claim.run != claim_run:
        return False
    if issue["status"] in (Status.IN_PROGRESS, Status.CANCELLED):
        return False
    passed = verdict.word == "passed"
    tx.do(
        "mission_run_result",
        run=claim_run,
        result=verdict.word,
        checks_json=json.dumps(list(verdict.checks), ensure_ascii=False),
    )
    tx.do("mission_run_verdict", run=claim_run, verdict="verified" if passed else "rejected")
    tx.do("mission_topic_judge", mission=mission_id, run=claim_run, verified=int(passed))
    _evidence(tx, claim_run, verdict)
    after = model.judged(was, passed=passed, playbook=verdict.steps, now=tx.now)
    by = Cause(cause.actor, cause.command, claim_run)
    missions.move(tx, mission, issue, after, "mission.judged", by, {"verdict": verdict.word, "failing": failing})
    missions.ask(tx, mission, was, after)
    return True


def _results(mission: Row, now: Mapping[str, bool | None]) -> dict[str, bool]:
    """Return the last result of each standard: what was not judged now keeps what was said of it before."""
    before: dict[str, bool] = json.loads(mission["judged_json"]).get("results", {})
    return {**before, **{name: passed for name, passed in now.items() if passed is not None}}


def _evidence(tx: Transaction, run_id: str, verdict: Verdict) -> None:
    run = tx.one("run_by_id", id=run_id)
    assert run is not None
    for check in verdict.checks:
        tx.do(
            "evidence_insert",
            id=tx.new_id("evi"),
            run=run_id,
            epoch=run["epoch"],
            turn=run["turns"],
            gate=check["name"],
            kind="check",
            required=int(check["mandatory"]),
            passed=None if check["passed"] is None else int(check["passed"]),
            exit_code=None,
            subject=verdict.files.get("mission.md", ""),
            tree_state="",
            output_sha256="",
            duration_ms=int(check["seconds"] * 1000),
            detail=check["detail"],
            excerpt=check.get("output", ""),
            log="",
            now=tx.now,
        )


def complete(
    tx: Transaction,
    mission_id: str,
    files: Mapping[str, str],
    cause: Cause,
    results: Mapping[str, bool | None] | None = None,
) -> None:
    """The mission is complete: its last evaluation passed at these very files, and so did all that is mandatory.

    `results` are those of every standard, by id.
    """
    mission, issue = missions.locked(tx, mission_id)
    refuse_stopped(mission)
    if issue["status"] == Status.IN_PROGRESS:
        raise errors.IllegalMove(
            f"{mission['identifier']} has a live run", hint="end it first: `harness mission done WS`, then eval"
        )
    if not mission["runs"]:
        raise errors.Refused(
            f"{mission['identifier']} has not run yet", hint=f"`harness mission start {mission['workspace']}`"
        )
    judged = json.loads(mission["judged_json"])
    if judged.get("verdict") != "passed" or judged.get("files") != dict(files):
        raise errors.Refused(
            f"{mission['identifier']} was not evaluated as it is now",
            hint=f"`harness mission eval {mission['workspace']}` judges it, then try again",
        )
    judged["results"] = _results(mission, results or {})
    tx.do("mission_judged", id=mission_id, judged_json=json.dumps(judged, sort_keys=True))
    after = model.completed(model.read(mission))
    missions.move(tx, mission, issue, after, "mission.completed", cause, {"files": len(files)})
    attention.moot(tx, issue["id"], cause)


def note_topic(tx: Transaction, mission_id: str, topic: Mapping[str, Any], cause: Cause) -> None:
    """Register the pointer to a topic (slug, title, entries, verified, run). Any: texts and numbers."""
    missions.find(tx, mission_id)
    tx.do("mission_topic_set", mission=mission_id, now=tx.now, **topic)
    tx.do("mission_touch", id=mission_id)


def fire(
    tx: Transaction, schedule: Row, nominal: int, cause: Cause, request: ClaimRequest | None
) -> tuple[bool, str, str | None, str | None]:
    """Begin a scheduled run or dream; return whether it began, why not, and the issue and run."""
    if request is None:
        return False, "only `harness up --missions` or `harness mission run WS` drives a mission", None, None
    kind = "dream" if schedule["target"] == "dream" else "run"
    begin = Begin("firing", nominal, kind)
    try:
        begun = start(tx, schedule["mission_id"], request, begin, cause)
    except (errors.MissionStopped, errors.NothingReady, errors.Busy) as problem:
        # What was tidied on the way (an expired run) stays; the mission itself did not move.
        return False, str(problem), None, None
    return True, "", begun.claimed.lease.issue_id, begun.claimed.lease.run_id
