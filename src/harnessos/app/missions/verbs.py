"""`start`, `done`, `fail`, `blocked`: what an agent says of its run. Whatever is said is in the ledger before it is shown."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, NamedTuple

from harnessos import errors
from harnessos.app.harness import fingerprint
from harnessos.app.missions import booting
from harnessos.app.missions.opening import At, lease_run
from harnessos.kernel import mission_runs, runs
from harnessos.kernel.claims import ClaimRequest
from harnessos.kernel.mission_runs import Begin, Said
from harnessos.memory import stream
from harnessos.mission import boot, judging, keeping, tidying, workspace
from harnessos.mission.documents import reading
from harnessos.model import mission as model
from harnessos.model.outcome import FINISHED, Outcome

if TYPE_CHECKING:
    from pathlib import Path

    from harnessos.app.harness import Harness
    from harnessos.app.missions.booting import Booted
    from harnessos.kernel.events import Cause
    from harnessos.store.transaction import Row, Transaction

MOST_TEXT = 20_000
_DAY_S = 86_400


class StartedHere(NamedTuple):
    """A run that began, or the caller's own that goes on. `token` is None for the latter: the caller has it."""

    run: str
    number: int
    step: str
    token: str | None
    expires_at: int
    booted: Booted


def start(at: At, session: str | None, ttl_s: int | None) -> StartedHere:
    """Begin a run by the agent that calls: the same codes as boot, and the breakpoint.

    A claim that nobody judged is judged first. The token is kept in the workspace for the commands that follow.
    """
    given = session or at.harness.environ.get("HARNESS_SESSION_TOKEN")
    found = booting.look(at, given, [])
    booting.refuse(found)
    mission = found.mission
    if found.boot.code == boot.READY and _own(at, mission, given) is not None:
        run = _own(at, mission, given)
        assert run is not None
        row = at.harness.write(runs.heartbeat, runs.lease_of(run))
        return StartedHere(run["id"], mission["runs"], mission["step"], None, row["expires_at"], found)
    judging.judge_open(at.site, found.loaded)
    ttl_ms = _ttl_ms(ttl_s)
    token = at.harness.ids.token()
    _require_writable(at)
    with workspace.lock(at.place):
        workspace.plan(at.place, token)
        begun = at.harness.write(
            mission_runs.start,
            at.mission_id,
            _request(at, fingerprint(token), ttl_ms),
            Begin("start", documents=found.loaded.hashes),
            at.cause,
        )
        run_id = begun.claimed.lease.run_id
        workspace.begun(at.place, workspace.RunFile(run_id, token))
        workspace.unplan(at.place)
    at.site.note("INFO", begun.mission["step"], f"run #{begun.number} started")
    keeping.refresh(at.site, found.loaded)
    return StartedHere(run_id, begun.number, begun.mission["step"], token, begun.claimed.run["expires_at"], found)


def _require_writable(at: At) -> None:
    """Find out before the ledger begins a run whether the stream and the run's file can be written."""
    os.close(stream.lock(at.place))
    workspace.clear_run_file(at.place)


def _own(at: At, mission: Row, token: str | None) -> Row | None:
    """Return the live run if the caller named its token: by a flag or the environment, never by the file."""
    run = at.harness.read(_live, mission["issue_id"])
    return run if run is not None and token is not None and run["token_hash"] == fingerprint(token) else None


def _ttl_ms(ttl_s: int | None) -> int:
    if ttl_s is None:
        return model.RUN_TTL_MS
    if not 1 <= ttl_s <= _DAY_S:
        raise errors.BadUsage(f"--ttl {ttl_s} is no time for a lease", hint="seconds, 1 to 86400; 7200 by default")
    return ttl_s * 1000


def _request(at: At, token_hash: str, ttl_ms: int) -> ClaimRequest:
    ground = at.harness.ground
    mission = at.row()
    return ClaimRequest(
        mission["project_id"],
        ground.unwatched,
        token_hash,
        "agent",
        ttl_ms=ttl_ms,
        path=str(at.place),
        budget=json.dumps({"wall_minutes": max(1, ttl_ms / 60_000)}),
    )


def done(at: At, session: str | None, step: str | None, summary: str) -> Row:
    """Record the claim that a step is done, and end the run; an evaluation decides it. Return the mission's row."""
    return _say(at, session, Said("done", step or "", _text(summary)), "SUCCESS")


def fail(at: At, session: str | None, step: str | None, problem: str) -> Row:
    """Record a failure and end the run, or take an unjudged claim back. Return the mission's row."""
    return _say(at, session, Said("fail", step or "", _text(problem)), "ERROR")


def blocked(at: At, session: str | None, reason: str) -> Row:
    """Record that the mission needs a person; a live run of the caller's ends. Return the mission's row."""
    return _say(at, session, Said("blocked", "", _text(reason)), "WARN")


def _text(text: str) -> str:
    if len(text) > MOST_TEXT:
        raise errors.BadContent(
            f"a text of {len(text):,} characters is too long to record",
            hint=f"at most {MOST_TEXT:,}; put it into output/",
        )
    return text


def _say(at: At, session: str | None, said: Said, level: str) -> Row:
    run = lease_run(at, session)
    if run is None:
        _without_a_run(at, said)
    else:
        said = said._replace(changed=keeping.rewritten(at.site, run["id"], reading.load(at.place)))
        if run["supervised"]:
            _ask(at, run, said)
        else:
            cause = runs.cause_of(run, at.harness.command)
            end = mission_runs.ended_by(said)
            at.harness.write(mission_runs.say, runs.lease_of(run), said, end, cause)
            workspace.over(at.place, run["id"])
    at.site.note(level, said.step or at.row()["step"], f"{said.word}: {said.note}" if said.note else said.word)
    keeping.refresh(at.site, take_step=False)
    if run is not None and not run["supervised"]:
        tidying.when_due(at.site)
    return at.row()


def _without_a_run(at: At, said: Said) -> None:
    if said.word == "fail":
        at.harness.write(mission_runs.take_back, at.mission_id, said, at.cause)
    elif said.word == "blocked":
        at.harness.write(mission_runs.block, at.mission_id, said.note, at.cause)
    else:
        mission = at.row()
        mission_runs.refuse_stopped(mission)
        raise errors.IllegalMove(
            f"{mission['identifier']} has no run that could be done",
            hint=f"`harness mission start {at.place}` begins one, and says where to go on",
        )


def _ask(at: At, run: Row, said: Said) -> None:
    """In a run that the harness drives, what is said is acted on once the agent's process has ended."""
    word = {"done": FINISHED, "fail": Outcome.AGENT_FAULT.value, "blocked": Outcome.RELEASED.value}[said.word]
    at.harness.write(_record, run, said, word, runs.cause_of(run, at.harness.command))


def _record(tx: Transaction, run: Row, said: Said, word: str, cause: Cause) -> None:
    runs.ask(tx, runs.lease_of(run), word, None, cause)
    step = model.shown_step(said.step) if said.step else ""
    tx.do("mission_run_say", run=run["id"], claim=said.word, step=step, note=said.note, changed=said.changed)


def _mine(tx: Transaction, run_id: str) -> Row | None:
    return tx.one("mission_run_by_id", run=run_id)


def _live(tx: Transaction, issue_id: str) -> Row | None:
    return tx.one("run_live_of", issue=issue_id)


def held(at: At, session: str | None) -> Row | None:
    """Return the caller's live run with its lease renewed, None without one. LeaseLost once it moved on."""
    run = lease_run(at, session, worker=True)
    if run is not None:
        at.harness.write(runs.heartbeat, runs.lease_of(run))
    return run


def renew_if_any(harness: Harness, place: Path) -> None:
    """As `renew`, for a command that needs no ledger: without a mission, a token or a ledger there is nothing to renew."""
    try:
        known = workspace.registration(place)
        at = At(harness, place, known) if known is not None else None
        if at is not None and at.token(None) is not None:
            with at:
                renew(at, None)
    except (errors.BadContent, errors.NotAFile, errors.StoreUnavailable):
        return  # another ledger's workspace, or none that answers: the documents are looked at all the same


def renew(at: At, session: str | None) -> None:
    """Renew the lease of the caller's run, if it has one of this mission. LeaseLost for a named token that moved on.

    Who only reads goes on without a lease: with the token that the workspace keeps, which may be an old one; with one of
    the environment that is of other work; and after the run said itself how it went. Nothing is renewed where nothing may
    be written.
    """
    if at.harness.reads_only:
        return
    try:
        held(at, session)
    except (errors.Refused, errors.UnknownIdentifier):
        if session:
            raise
    except errors.LeaseLost as lost:
        named = session or at.harness.environ.get("HARNESS_SESSION_TOKEN")
        mine = at.harness.read(_mine, str(lost.facts["run"]))
        if named and not (mine and mine["claim"]):
            raise
