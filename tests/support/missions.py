"""A mission on a test's ledger, and its runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harnessos.kernel import ending, mission_runs, missions
from harnessos.kernel.claims import ClaimRequest
from harnessos.kernel.events import Cause
from harnessos.kernel.mission_runs import Begin, Said, Started, Verdict
from harnessos.model import mission as model
from harnessos.model.mission import Standing
from harnessos.model.outcome import Ended, Outcome
from harnessos.model.process import Identity
from harnessos.model.run import Actor
from harnessos.store.transaction import Row, Transaction
from tests.support.ledger import BY_OPERATOR, Ledger

ALONE = Identity("here", "boot", 0, 0)
BY_AGENT = Cause(Actor("agent", "visitor"), "mission")
BEGIN = Begin()
STEPS = ("1", "2", "3", "4")


class OnLedger:
    """A mission and what is done to it, one kernel command a call."""

    def __init__(self, ledger: Ledger, **fields: Any) -> None:
        self.ledger = ledger
        wanted = missions.Wanted(**{"name": "watch", "machine_id": "here", "workspace": "/w", **fields})
        self.id: str = ledger.store.write(missions.create, wanted, BY_OPERATOR)["id"]
        self._tokens = 0

    @property
    def row(self) -> Row:
        return self.ledger.store.read(missions.find, self.id)

    @property
    def standing(self) -> Standing:
        return model.read(self.row)

    @property
    def issue(self) -> Row:
        found = self.ledger.one("issue_by_id", id=self.row["issue_id"])
        assert found is not None
        return found

    def start(self, begin: Begin = BEGIN, **fields: Any) -> Started:
        self._tokens += 1
        token = f"{self.id}-{self._tokens}"
        request = ClaimRequest(
            **{"project_id": self.row["project_id"], "holder": ALONE, "token_hash": token, "agent": "visitor",
               "ttl_ms": model.RUN_TTL_MS, "path": "/w", **fields}
        )  # fmt: skip
        return self.ledger.store.write(mission_runs.start, self.id, request, begin, BY_OPERATOR)

    def say(self, run: Started, word: str, step: str = "", note: str = "", changed: str = "") -> Row:
        said = Said(word, step, note, changed)
        return self.ledger.store.write(
            mission_runs.say, run.claimed.lease, said, mission_runs.ended_by(said), self.cause(run)
        )

    def end(self, run: Started, outcome: Outcome, **fields: Any) -> Row:
        return self.ledger.store.write(ending.finish, run.claimed.lease, Ended(outcome, "x", **fields), self.cause(run))

    def judge(self, run: Started | None, word: str, files: Mapping[str, str] | None = None) -> bool:
        claim = run.claimed.lease.run_id if run else None
        verdict = Verdict(word, [check(word == "passed")], files or {"mission.md": "1"}, STEPS)
        return self.ledger.store.write(mission_runs.judge, self.id, claim, verdict, BY_OPERATOR)

    def once(self, word: str = "passed", step: str = "Step 1") -> None:
        """A whole run: started, done, judged."""
        run = self.start()
        self.say(run, "done", step, "made it")
        self.judge(run, word)

    def fail_until_blocked(self) -> None:
        while not self.standing.stopped:
            self.say(self.start(), "fail", "1", "no luck")

    def resume(self, *, anew: bool = False, by: Cause = BY_OPERATOR) -> None:
        self.ledger.store.write(missions.resume, self.id, by, anew=anew)

    def asked(self) -> list[Row]:
        """What the mission's project asks a person."""
        return self.ledger.all("attention_open", project=self.row["project_id"], after="", most=100)

    def cause(self, run: Started) -> Cause:
        return Cause(Actor("agent", "visitor"), "mission", run.claimed.lease.run_id, run.claimed.lease.epoch)

    def runs(self) -> Sequence[Row]:
        return self.ledger.all("mission_run_list", mission=self.id, kind="run", before=1 << 40, most=100)


def check(passed: bool | None, name: str = "C1") -> dict[str, Any]:
    """A check's result as an evaluation records it."""
    return {"name": name, "standard": name, "mandatory": True, "applies": "run", "passed": passed, "detail": "d",
            "seconds": 0.1, "isolation": "limits", "output": ""}  # fmt: skip


def held(tx: Transaction, issue_id: str) -> str | None:
    """Why a mission is held."""
    return missions.held(tx, issue_id)
