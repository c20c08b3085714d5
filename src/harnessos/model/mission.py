"""A mission's standing: what each verb, each end of a run and each evaluation makes of it. Values and rules only.

The breaker counts consecutive failures; a claim that is judged counts at most one, and every new evaluation of it
starts from what stood before the claim. A tripped breaker and a block are lifted by a person only (rules 3, 4 and 7).
"""

from __future__ import annotations

import json
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from harnessos.model.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MAX_FAILURES = 3
RUN_TTL_MS = 2 * 3_600_000
"""The lease of an agent that nobody watches lasts as long as a run may: without a process, stuck means expired."""
FIRST_STEP = "Step 0"
ARTIFACT_LIMIT = 200


class Mission(StrEnum):
    """Where a mission is, in the words of heartbeat.md."""

    IDLE = "idle"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    BLOCKED = "blocked"
    MISSION_COMPLETE = "mission_complete"


class Claim(NamedTuple):
    """What the last `done` said. `result` is empty until an evaluation; `before` is what stood when it was made."""

    run: str
    step: str
    note: str
    result: str = ""
    before: Mapping[str, Any] = {}
    """Any: a failure count, a step, the steps done, an artifact, counts of judged runs."""

    @property
    def unjudged(self) -> bool:
        """Whether nobody has evaluated it yet."""
        return not self.result


class Standing(NamedTuple):
    """The columns of a mission that decide. `steps` are the steps of this cycle that were judged as done."""

    status: str = Mission.IDLE
    breaker: str = "off"
    failures: int = 0
    max_failures: int = MAX_FAILURES
    blocking_reason: str = ""
    tripped_at: int | None = None
    step: str = FIRST_STEP
    steps: tuple[str, ...] = ()
    artifact: str = ""
    last_result: str = ""
    last_run_at: int | None = None
    stuck_at: int | None = None
    runs: int = 0
    successes: int = 0
    faults: int = 0
    claim: Claim | None = None

    @property
    def stopped(self) -> bool:
        """Whether only a person can set it going again."""
        return self.status in (Mission.BLOCKED, Mission.MISSION_COMPLETE) or self.breaker == "tripped"


COLUMNS = (
    "status", "breaker", "failures", "max_failures", "blocking_reason", "tripped_at", "step", "steps_json", "artifact",
    "last_result", "last_run_at", "stuck_at", "runs", "successes", "faults", "claim_json",
)  # fmt: skip
"""The stored form of a standing; what its events carry under `mission`, and replay compares."""

_JUDGED = ("failures", "step", "steps", "artifact", "successes", "faults")
"""What an evaluation decides, and the next evaluation of the same claim decides anew."""


def read(row: Mapping[str, Any]) -> Standing:
    """Return the standing a row holds."""
    values = {name: row[name] for name in Standing._fields if name not in ("steps", "claim")}
    claim = json.loads(row["claim_json"])
    return Standing(**values, steps=tuple(json.loads(row["steps_json"])), claim=Claim(**claim) if claim else None)


def stored(standing: Standing) -> dict[str, Any]:
    """Return the columns of a standing. Any: texts, numbers and NULL."""
    values: dict[str, Any] = standing._asdict()
    claim = values.pop("claim")
    values["steps_json"] = json.dumps(list(values.pop("steps")), ensure_ascii=False)
    values["claim_json"] = "{}" if claim is None else json.dumps(claim._asdict(), sort_keys=True, ensure_ascii=False)
    values["status"] = str(standing.status)
    return values


def plain_step(text: str) -> str:
    """Return a step's bare number or name: `Step 2.3` is `2.3`."""
    bare = " ".join(text.split())
    return bare[5:].strip() if bare[:5].lower() == "step " else bare


def shown_step(text: str) -> str:
    """Return a step as documents show it: `2.3` is `Step 2.3`, a name stays a name."""
    bare = plain_step(text)
    return f"Step {bare}" if bare[:1].isdigit() else bare


def known_step(steps: Sequence[str], claimed: str) -> bool:
    """Return whether the playbook has a step, or the step that a part like `2.3` belongs to."""
    known = [plain_step(step) for step in steps]
    bare = plain_step(claimed)
    return not known or bare in known or bare.partition(".")[0] in known


def next_step(steps: Sequence[str], done: str, pointer: str) -> str:
    """Return where the next run begins once `done` was judged as done; `pointer` is where this one began.

    After the last step of the playbook a new cycle begins at the first. A part of a step is remembered as it is, and a
    step that the playbook does not have moves nothing: nobody could say what follows it.
    """
    known = [plain_step(step) for step in steps]
    if plain_step(done) not in known:
        return shown_step(done) if known_step(steps, done) else pointer
    place = known.index(plain_step(done)) + 1
    return shown_step(known[place % len(known)])


def started(was: Standing, now: int) -> Standing:
    """A run begins. Whatever claim was open is over."""
    return was._replace(status=Mission.RUNNING, runs=was.runs + 1, last_run_at=now, claim=None, stuck_at=None)


def said_done(was: Standing, run: str, step: str, note: str) -> Standing:
    """The run's agent claims to be done with a step: nothing is counted before an evaluation."""
    before = {name: getattr(was, name) for name in _JUDGED}
    claim = Claim(run, shown_step(step or was.step), note, "", before)
    return was._replace(status=Mission.COMPLETED, last_result="Done, not judged", claim=claim)


def said_fail(was: Standing, now: int) -> Standing:
    """The run failed, or what it claimed is taken back: one more failure, and the breakpoint stays."""
    if was.claim is not None:
        was = _before(was, was.claim)
    return _failed(was._replace(claim=None, last_result="Failed"), now)


def said_blocked(was: Standing, reason: str) -> Standing:
    """The agent says that it needs a person."""
    if was.breaker == "tripped":
        return was
    return was._replace(status=Mission.BLOCKED, blocking_reason=reason, last_result="Blocked")


def ran_out(was: Standing, outcome: Outcome, now: int) -> Standing:
    """A run ended without a word of its own: lost and failed ones count, waits for a provider and releases do not."""
    if outcome in (Outcome.LOST, Outcome.AGENT_FAULT, Outcome.TASK_FAULT, Outcome.HARNESS_FAULT):
        stuck = now if outcome is Outcome.LOST else was.stuck_at
        word = {Outcome.LOST: "Lost", Outcome.HARNESS_FAULT: "Harness fault"}.get(outcome, "Failed")
        return _failed(was._replace(stuck_at=stuck, last_result=word), now)
    return was._replace(status=Mission.IDLE, last_result=outcome.value.replace("_", " ").capitalize())


def judged(was: Standing, *, passed: bool, playbook: Sequence[str], now: int) -> Standing:
    """An evaluation decides the open claim. `playbook` are the numbers of its steps, in order."""
    claim = was.claim
    assert claim is not None
    base = _before(was, claim)
    claim = claim._replace(result="passed" if passed else "failed")
    if not passed:
        return _failed(base._replace(last_result="Failed", claim=claim), now)
    begins = bool(playbook) and plain_step(claim.step) == plain_step(playbook[0])
    # A new cycle begins with its first step: what was done in the last one is no news.
    earlier = () if begins else tuple(step for step in base.steps if step != claim.step)
    after = base._replace(
        failures=base.failures if was.breaker == "tripped" else 0,
        step=next_step(playbook, claim.step, base.step),
        steps=(*earlier, claim.step),
        artifact=claim.note[:ARTIFACT_LIMIT] or base.artifact,
        successes=base.successes + 1,
        last_result="Success",
        claim=claim,
    )
    # A person lifts a block, an evaluation does not.
    return after if was.stopped else after._replace(status=Mission.COMPLETED)


def resumed(was: Standing) -> Standing:
    """A person lifts block and breaker; the pointer stays."""
    return was._replace(status=Mission.IDLE, breaker="off", failures=0, blocking_reason="", tripped_at=None, claim=None)


def began_anew(was: Standing) -> Standing:
    """A person starts the mission over: as `resumed`, from Step 0."""
    return resumed(was)._replace(step=FIRST_STEP, steps=(), stuck_at=None)


def completed(was: Standing) -> Standing:
    """Everything the mission was for is there, and checked."""
    return was._replace(status=Mission.MISSION_COMPLETE, last_result="Mission completed", claim=None)


def _before(was: Standing, claim: Claim) -> Standing:
    before = dict(claim.before)
    if before:
        before["steps"] = tuple(before["steps"])
    return was._replace(**before)


def _failed(was: Standing, now: int) -> Standing:
    failures, faults = was.failures + 1, was.faults + 1
    after = was._replace(failures=failures, faults=faults)
    if failures < was.max_failures:
        return after if after.stopped else after._replace(status=Mission.FAILED)
    return after._replace(
        status=Mission.BLOCKED,
        breaker="tripped",
        blocking_reason=was.blocking_reason
        if was.breaker == "tripped"
        else f"Circuit breaker: {failures} consecutive failures",
        tripped_at=was.tripped_at or now,
    )
