"""A mission lives through a day in this process, on a clock that its test moves.

A schedule fires it every five minutes and has it dream at night. Its agents play a part drawn by seeded chance: they
work, fail, lie, crash, wait, meet a quota. Supervisors die at some write, as a process does: nothing they would do after
it happens, and the next one is another process.
"""

from __future__ import annotations

import asyncio
import json
import os
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Concatenate

from harnessos.app.harness import harness
from harnessos.app.missions import booting, scheduling, verbs
from harnessos.app.missions.opening import At
from harnessos.bridge import Bridge
from harnessos.kernel import missions
from harnessos.mission import keeping, remembering
from harnessos.mission.agent import CommandAgent, Job, Runner
from harnessos.model import mission as model
from harnessos.model.outcome import Ended, Outcome
from harnessos.model.process import Identity
from harnessos.model.run import SUPERVISOR
from harnessos.runners.command import Report
from harnessos.services.supervisor import Options, Supervisor
from harnessos.store.opening import create_store
from harnessos.store.transaction import P, Row, Store, T, Transaction
from harnessos.testing import FakeClock
from harnessos.testing.crashpoints import Died, HookedStore
from tests.support.mission_documents import CRON_CONFIG, EVAL_CRITERIA, FILLED, MISSION
from tests.support.scale import Chance

MINUTE = 60_000
EVERY = 5 * MINUTE
QUOTA = 15 * MINUTE
START = 1_767_660_000_000
"""2026-01-06 00:40:00 UTC: the night's dream at three comes into the shortest day too."""
LONGEST_S = 60.0
SLEEPS_AT = 34
"""From this firing on the machine sleeps once, for forty minutes, while an agent is at work."""
NIGHT = (26, 27, 28)
"""Up to the dream at three nobody fails: a mission that waits for a person does not dream."""

DOCUMENTS = {
    **FILLED,
    "mission.md": MISSION.replace(
        "| Standard 4 | The report holds three lines or more | check: count | Mandatory |\n", ""
    ),
    "eval_criteria.md": EVAL_CRITERIA.partition("### Standard 3")[0],
    "cron_config.md": CRON_CONFIG.replace("0 0 */2 * * *", "0 */5 * * * *"),
}
"""A mission that never declares an end, every five minutes."""

ACTS = {
    "works": 76, "says nothing": 12, "lies": 3, "fails": 2, "ends with 1": 2, "breaks": 2, "takes long": 2, "is blocked": 1,
}  # fmt: skip
CERTAIN = {
    9: "ends with 1", 10: "ends with 1", 11: "ends with 1", 16: "lies", 19: "breaks", 24: "meets a quota",
}  # fmt: skip
"""What happens in these firings of each eight hours, whatever the chance: a trip, and what is rare."""
SCRIPT = """
case "$(cat "$HARNESS_HOME/act")" in
"works") echo "line of $HARNESS_RUN_ID" >> output/report.md;;
"lies") : > output/report.md;;
"breaks") kill -9 $$;;
"meets a quota") echo "{\\"reset_at\\": $(cat "$HARNESS_HOME/reset")}" > "$HARNESS_EVIDENCE_DIR/outcome.json"; exit 75;;
*) exit 1;;
esac
"""


class Mortal(HookedStore):
    """The ledger of a process that dies at its n-th place (`left`): from then on whatever it asks for raises Died."""

    def __init__(self, inner: Store) -> None:
        super().__init__(inner, self._passed)
        self.left: int | None = None
        self.died_at = ""

    def _passed(self, place: str) -> None:
        if self.left is not None and place.endswith((" begun", " after commit")):
            self.left -= 1
            if self.left <= 0 and not self.dead:
                self.died_at = place
        if self.dead:
            raise Died(place)

    @property
    def dead(self) -> bool:
        """Whether the process is no more."""
        return bool(self.died_at)

    def read(self, query: Callable[Concatenate[Transaction, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """See Store."""
        if self.dead:
            raise Died(query.__name__)
        return super().read(query, *args, **kwargs)


class Threads(Bridge):
    """A bridge that knows what it has begun."""

    def __init__(self) -> None:
        super().__init__()
        self.begun: list[Future[None]] = []

    def start(self, work: Callable[[], None]) -> Future[None]:
        """See Bridge."""
        self.begun.append(super().start(work))
        return self.begun[-1]

    def working(self) -> int:
        """Return how many threads are not over."""
        return sum(not future.done() for future in self.begun)


class Day:
    """See the module. `told` are the supervisors' events, `patience` the firings for which each trip was left alone."""

    def __init__(self, folder: Path, chance: Chance, firings: int) -> None:
        self.clock = FakeClock(START)
        self.home = folder / "home"
        self.place = folder / "ws"
        self.chance = chance
        self.firings = firings
        self.told: list[dict[str, Any]] = []
        self.acts: Counter[str] = Counter()
        self.deaths: list[str] = []
        self.patience: list[int] = []
        self.slept = False
        self._act = "works"
        self._free = threading.Event()
        self._held = False
        self._ignored = 0
        self._supervisors = 0
        self.at = self._made()
        self.begins, self.ends = START, START + firings * EVERY

    def _made(self) -> At:
        create_store(f"sqlite:///{self.home / 'harness.sqlite'}", clock=self.clock)
        at, _ = booting.open_or_take(self._harness(), str(self.place), _quiet, init=True)
        for name, text in DOCUMENTS.items():
            (self.place / name).write_text(text, encoding="utf-8")
        script = self.place.with_name("agent.sh")
        script.write_text(SCRIPT, encoding="utf-8")
        booting.look(at, None, [])
        at.harness.write(_without_a_budget, at.mission_id)
        scheduling.install(at, scheduling.look(at, None), f"command:/bin/sh {script}")
        return at

    def _harness(self, **environ: str) -> Any:
        # Any: app.harness.Harness.
        given = {"HARNESS_HOME": str(self.home), "PATH": os.environ["PATH"], "HOME": str(self.home.parent), **environ}
        return harness(None, given, self.place.parent, "test", clock=self.clock)

    # The agents

    def agent(self, runner: Runner) -> Agent:
        """Return the agent of the run that begins now; see services.missions."""
        return Agent(self, runner)

    @property
    def number(self) -> int:
        """The number of the firing that is on."""
        return (self.clock.now() - START) // EVERY

    def worked(self, job: Job) -> Report:
        """Play the part of this firing's agent."""
        act = self._act
        step = model.plain_step(job.mission["step"])
        step = "1" if step == "0" else step
        site = job.site
        site.note("INFO", step, f"{act} in firing {self.number}")
        self.clock.advance(self.chance.randrange(5_000, 140_000))
        if act in ("works", "takes long", "says nothing"):
            with (self.place / "output" / "report.md").open("a", encoding="utf-8") as report:
                report.write(f"line of {job.lease.run_id}\n")
        if act == "takes long":
            self._held = True
            assert self._free.wait(LONGEST_S)
            self._held = False
        if act == "lies":
            (self.place / "output" / "report.md").write_text("", encoding="utf-8")
        if act == "breaks":
            raise RuntimeError("the agent's thread broke on purpose")
        if act == "meets a quota":
            return Report(Ended(Outcome.PROVIDER_QUOTA, "come back later", reset_at=self.clock.now() + QUOTA))
        if act == "ends with 1":
            site.note("ERROR", step, "the source answered 503")
            return Report(Ended(Outcome.AGENT_FAULT, "the agent ended with exit code 1"))
        if act != "says nothing":
            self._speak(job, act, step)
        return Report(None)

    def _speak(self, job: Job, act: str, step: str) -> None:
        environ = {"HARNESS_SESSION_TOKEN": job.token, "HARNESS_RUN_ID": job.lease.run_id}
        with At(self._harness(**environ), self.place) as at:
            if act == "fails":
                verbs.fail(at, None, step, "no luck today")
            elif act == "is blocked":
                verbs.blocked(at, None, "which colour?")
            else:
                if self.chance.random() < 0.3:
                    lesson = f"In firing {self.number} source {self.chance.randrange(50)} was slower than the others."
                    remembering.learn(at.site, verbs.held(at, None), f"lessons {self.chance.randrange(8)}", lesson)
                verbs.done(at, None, step, f"one line more | `{self.number}`\n\\")

    # The day

    async def live(self) -> None:
        """Let the day pass: a supervisor serves until it dies, and another one goes on."""
        over = False
        while not over:
            self._supervisors += 1
            mortal = Mortal(self.at.harness.store)
            process = Identity(self.at.machine, self.at.site.ground.process.boot_id, 4_100_000 + self._supervisors, 1)
            ground = self.at.site.ground._replace(store=mortal, process=process, actor=SUPERVISOR)
            supervisor = Supervisor(ground, [], Options(), self._tell, missions=True, agents=self.agent)
            threads = Threads()
            try:
                await self._served(supervisor, threads, mortal)
                over = True
            except Died:
                self.deaths.append(mortal.died_at)
            finally:
                supervisor.stop(now=mortal.dead)
                self._free.set()
                threads.close()
                self._free.clear()

    async def _served(self, supervisor: Supervisor, threads: Threads, mortal: Mortal) -> None:
        while self.clock.now() < self.ends:
            self._next_firing(mortal)
            await self._quiet(supervisor, threads, mortal)
            if self.number >= SLEEPS_AT and self._held and not self.slept:
                self.slept = True
                self.clock.jump(8 * EVERY)
            for _ in range(2):
                self.clock.advance(31_000)
                await self._quiet(supervisor, threads, mortal)
            if self._held and self.chance.random() < 0.7:
                self._free.set()
                await self._quiet(supervisor, threads, mortal)
        mortal.left = None
        self._free.set()
        self.clock.advance(31_000)
        await self._quiet(supervisor, threads, mortal)

    def _next_firing(self, mortal: Mortal) -> None:
        """Go on to the next nominal time, and say what happens in it."""
        wanted = START + (self.number + 1) * EVERY
        self.clock.advance(wanted - self.clock.now())
        number = self.number
        if not self._held:
            self._free.clear()
            self._act = self._drawn(number)
            self.acts[self._act] += 1
            (self.home / "act").write_text(self._act, encoding="utf-8")
            (self.home / "reset").write_text(str(self.clock.now() + QUOTA), encoding="utf-8")
        if number in NIGHT:
            mortal.left = None
        elif mortal.left is None and (self.chance.random() < 0.04 or number in (5, 21)):
            mortal.left = self.chance.randrange(1, 40)
        self._operate()

    def _drawn(self, number: int) -> str:
        share = number % 96
        if number in NIGHT:
            return "works"
        if share in CERTAIN:
            return CERTAIN[share]
        if number >= SLEEPS_AT and not self.slept:
            return "takes long"
        return self.chance.choices(list(ACTS), list(ACTS.values()))[0]

    def _operate(self) -> None:
        """The operator looks now and then: a mission that was stopped goes on within three firings."""
        if not model.read(self.at.row()).stopped:
            self._ignored = 0
            return
        self._ignored += 1
        if self._ignored >= 3 or self.number in NIGHT or self.chance.random() < 0.4:
            self.patience.append(self._ignored)
            self.at.harness.write(missions.resume, self.at.mission_id, self.at.cause)
            keeping.refresh(self.at.site)

    async def _quiet(self, supervisor: Supervisor, threads: Threads, mortal: Mortal) -> None:
        """Tick until nothing is at work but an agent that waits for the next firing. Died when the process is dead."""
        for _ in range(200):
            before = len(threads.begun)
            await supervisor.tick(threads)
            until = asyncio.get_running_loop().time() + LONGEST_S
            while threads.working() > int(self._held) and asyncio.get_running_loop().time() < until:
                await threads.rest(0.05)
            if mortal.dead:
                raise Died(mortal.died_at)
            if threads.working() <= int(self._held) and len(threads.begun) == before:
                return
        raise AssertionError("the supervisor comes to no rest")

    def _tell(self, event: Mapping[str, object]) -> None:
        self.told.append(dict(event))

    # The evening

    def close(self) -> None:
        """Close the ledger."""
        self.at.harness.close()

    def rows(self, target: str) -> list[Row]:
        """Return the firings of the schedule for `target`, oldest first."""
        return self.at.harness.read(_firings, self.at.mission_id, target)

    def runs(self, kind: str = "run") -> list[Row]:
        """Return the mission's runs, newest first."""
        return self.at.harness.read(_runs, self.at.mission_id, kind)


class Agent:
    """See mission.agent.Agent: every twelfth firing a process, else a part in this one."""

    def __init__(self, day: Day, runner: Runner) -> None:
        self._day = day
        self._real = CommandAgent(runner)

    def work(self, job: Job) -> Report:
        """See mission.agent.Agent."""
        return self._real.work(job) if self._day.number % 12 == 0 else self._day.worked(job)

    def left(self, job: Job) -> Report | None:
        """See mission.agent.Agent."""
        return self._real.left(job)


def _quiet(_: str) -> None:
    return


def _without_a_budget(tx: Transaction, mission_id: str) -> None:
    issue = missions.find(tx, mission_id)["issue_id"]
    for dimension in ("runs", "wall_ms"):
        tx.do("budget_set", scope_kind="mission", scope=issue, dimension=dimension, cap=None, set_by="test")


def _firings(tx: Transaction, mission_id: str, target: str) -> list[Row]:
    [schedule] = [row for row in tx.all("schedule_of_mission", mission=mission_id) if row["target"] == target]
    return tx.all("schedule_firings", schedule=schedule["id"], before=1 << 62, most=10_000)[::-1]


def _runs(tx: Transaction, mission_id: str, kind: str) -> list[Row]:
    return tx.all("mission_run_list", mission=mission_id, kind=kind, before=1 << 40, most=10_000)


def lived(folder: Path, chance: Chance, firings: int) -> Day:
    """Return a day that is over."""
    folder.mkdir(exist_ok=True)
    day = Day(folder, chance, firings)
    asyncio.run(day.live())
    return day


def said(row: Row) -> str:
    """Return what a firing says of itself."""
    return json.dumps({key: row[key] for key in ("nominal_at", "outcome", "reason", "run_id")})
