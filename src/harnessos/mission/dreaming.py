"""Dreaming on the ledger: the mission's lease, a changeset of files, and pointers that follow it (rule 12, component 9)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from harnessos import errors
from harnessos.dispatch.renewing import Renewing
from harnessos.kernel import ending, mission_runs, missions, runs
from harnessos.kernel.claims import ClaimRequest
from harnessos.kernel.mission_runs import Begin
from harnessos.mission import keeping, remembering, summarising, workspace
from harnessos.mission.dream import changeset, journal, plan, preparing, proposal
from harnessos.mission.pointers import pointers
from harnessos.model.digest import sha256_hex
from harnessos.model.outcome import Ended, Outcome
from harnessos.model.run import WATCHED_TTL_MS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harnessos.mission.agent import Runner
    from harnessos.mission.dream.plan import Options, Plan
    from harnessos.mission.site import Site
    from harnessos.store.transaction import Row, Transaction


class Dreamt(NamedTuple):
    """What a dream came to. `dream_id` is None for one that found nothing new. Any: JSON values."""

    dream_id: str | None
    summary: dict[str, Any]


def preview(site: Site, options: Options, runner: Runner | None = None) -> tuple[Plan, str]:
    """Return what a dream would change, and that as a diff; nothing is written. AlreadyRunning (13) during a run."""
    _require_idle(site)
    found = _plan(site, options, _proposed(site, options, runner))
    return found, changeset.diff(found)


def _proposed(site: Site, options: Options, runner: Runner | None) -> Mapping[str, str]:
    """Return what an agent proposes, asked before anything is locked; it may take its time."""
    if runner is None:
        return {}
    given = preparing.given(site.place, _facts(site), options)
    return summarising.propose(site, runner, given, plan.make(given))


def _plan(site: Site, options: Options, proposed: Mapping[str, str]) -> Plan:
    given = preparing.given(site.place, _facts(site), options)
    made = plan.make(given)
    return proposal.with_proposal(given, made, proposed) if proposed else made


def _require_idle(site: Site) -> None:
    mission = site.row()
    if site.read(_live, mission["issue_id"]) is not None:
        raise errors.AlreadyRunning(
            f"{mission['identifier']} is running; a dream waits until it is idle", hint="try again when the run is over"
        )


def dream(site: Site, options: Options, runner: Runner | None = None) -> Dreamt:
    """Take the mission's lease, dream, and give it back. AlreadyRunning (13) during a run, and nothing is changed.

    With a `runner` its agent is asked for better summaries, which go through the same checks.
    """
    token = site.ground.ids.token()
    request = ClaimRequest(
        site.row()["project_id"],
        site.ground.unwatched,
        sha256_hex(token.encode()),
        "dream",
        ttl_ms=WATCHED_TTL_MS,
        path=str(site.place),
    )
    begun = site.write(mission_runs.start, site.mission_id, request, Begin("dream", kind="dream"), site.cause)
    lease = begun.claimed.lease
    end = Ended(Outcome.RELEASED, "the dream is over")
    try:
        with Renewing(site.ground, lease):
            return in_run(site, begun.claimed.run, options, runner)
    except errors.HarnessError as problem:
        end = Ended(Outcome.RELEASED, str(problem))
        raise
    finally:
        cause = site.cause._replace(run_id=lease.run_id, epoch=lease.epoch)
        site.write(ending.finish, lease, end, cause)
        keeping.refresh(site)


def in_run(site: Site, run: Row, options: Options | None = None, runner: Runner | None = None) -> Dreamt:
    """Dream under a lease that the caller holds and renews."""
    settle(site)
    options = options or plan.Options()
    proposed = _proposed(site, options, runner)
    with workspace.lock(site.place):
        found = _plan(site, options, proposed)
        now, summary = site.now(), found.summary()
        dream_id = site.ground.ids.new("dream", now)
        skipped = bool(found.skipped)
        site.write(_begin, site.mission_id, run, dream_id, "skipped" if skipped else "planned", summary)
        if skipped:
            journal.append(site.place, journal.note(dream_id, now, found.skipped))
        else:
            changeset.apply(site.place, found, dream_id, now)
            _follow(site, found)
            site.write(_end, dream_id, "applied", None)
    site.note("INFO", "dream", found.skipped or f"dream {dream_id}: {len(found.changes)} files changed")
    return Dreamt(None if skipped else dream_id, summary)


def undo(site: Site, dream_id: str | None) -> changeset.Undone:
    """Take a dream back, the last by default. AlreadyRunning (13) during a run."""
    _require_idle(site)
    settle(site)
    with workspace.lock(site.place):
        done = changeset.undo(site.place, dream_id, site.now())
        remembering.register_all(site)
        site.write(_end, done.dream_id, "undone", site.now())
    keeping.refresh(site)
    return done


def settle(site: Site) -> None:
    """End what a crash left of a dream: its files first, then what the ledger says of it and of the topics."""
    open_ones = [row for row in site.read(_dreams, site.mission_id) if row["state"] == "planned"]
    with workspace.lock(site.place):
        finished = changeset.finish_or_undo(site.place)
        if not open_ones and not finished:
            return
        for row in open_ones:
            state = "applied" if changeset.state_of(site.place, row["id"]) == changeset.COMPLETED else "undone"
            site.write(_end, row["id"], state, None if state == "applied" else site.now())
        remembering.register_all(site)


def _follow(site: Site, found: Plan) -> None:
    """Have the pointers follow what the dream made of the topics."""
    topics = [
        {"slug": topic.slug, "title": topic.title, "entries": topic.entries, "verified": int(topic.verified)}
        for topic in found.topics
    ]
    remembering.follow(site, topics, found.pruned)


def _facts(site: Site) -> plan.Facts:
    results = {row["run_id"]: row["result"] or None for row in site.read(_results, site.mission_id)}
    return plan.Facts(site.now(), results, frozenset(pointers(site)))


def _begin(tx: Transaction, mission_id: str, run: Row, dream_id: str, state: str, summary: dict[str, Any]) -> None:
    runs.heartbeat(tx, runs.lease_of(run))
    missions.find(tx, mission_id)
    text = json.dumps(summary, ensure_ascii=False)
    tx.do(
        "mission_dream_insert",
        id=dream_id,
        mission=mission_id,
        run=run["id"],
        state=state,
        summary_json=text,
        now=tx.now,
    )
    tx.do("mission_dreamt", id=mission_id, now=tx.now)


def _end(tx: Transaction, dream_id: str, state: str, undone_at: int | None) -> None:
    tx.do("mission_dream_state", id=dream_id, state=state, undone_at=undone_at)


def _results(tx: Transaction, mission_id: str) -> list[Row]:
    return tx.all("mission_run_results", mission=mission_id)


def _dreams(tx: Transaction, mission_id: str) -> list[Row]:
    return tx.all("mission_dream_list", mission=mission_id, most=20)


def _live(tx: Transaction, issue_id: str) -> Row | None:
    return tx.one("run_live_of", issue=issue_id)
