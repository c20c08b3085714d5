"""Every action that `harness next` proposes is given as it stands, and works: it succeeds and changes what comes next."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harnessos import processes
from harnessos.app.harness import harness
from harnessos.cli.main import run as harness_command
from harnessos.cli.parser import parser_of
from harnessos.cli.table import find
from harnessos.commands.call import Call
from harnessos.commands.output import Output
from harnessos.commands.table import handler
from harnessos.kernel import campaigns, operations, schedules
from harnessos.kernel.ending import Closing
from harnessos.kernel.schedules import Wanted
from harnessos.mcp import calling
from harnessos.mcp.asking import Hooks
from harnessos.mcp.desk import Desk
from harnessos.mcp.options import Options
from harnessos.model.outcome import Outcome
from harnessos.plans.templates import read_template
from harnessos.store import named
from harnessos.store.opening import create_store, open_store
from harnessos.testing import FakeClock
from tests.support.by_hand import change
from tests.support.ledger import BY_OPERATOR, HERE, HOUR, MINUTE, Ledger, approval, draft, policy
from tests.support.repositories import make_repository


class World:
    """A registered repository with its ledger, and the command line in it, all under one clock."""

    def __init__(self, url: str, folder: Path, clock: FakeClock, capsys: pytest.CaptureFixture[str]) -> None:
        self.url = url
        self._folder = folder
        self._clock = clock
        self._capsys = capsys
        self.store = open_store(url, clock=clock)
        self.ledger = Ledger.__new__(Ledger)
        self.ledger.store, self.ledger.clock, self.ledger.keys = self.store, clock, {}
        self.ledger.project = self.store.read(named.project, "DOCS")

    def run(self, *words: str) -> tuple[int, Any]:
        """Run a command; return its exit code and its JSON. Any: each command has its own document."""
        command, rest = find(list(words))
        assert command is not None, f"there is no command {words}"
        args = parser_of(command).parse_args([*rest, "--json"])
        behind = harness(args.store, cwd=self._folder, command=command.words, clock=self._clock)
        self._capsys.readouterr()
        try:
            code = handler(command)(Call(args, behind, Output(json=True))) or 0
        finally:
            behind.close()
        return code, json.loads(self._capsys.readouterr().out)

    def next(self, *serving: str) -> Any:
        """Return what comes next. Any: a JSON document."""
        code, document = self.run("next", *serving)
        assert code == 0
        return document

    def give(self, proposed: Any) -> Any:
        """Give the command that is proposed, as it is; return its JSON. Any: each has its own document."""
        program, *words = proposed["payload"]["command"]
        assert program == "harness"
        code, printed = self.run(*words)
        assert code == 0, (words, printed)
        return printed

    def follow(self, action: str, *serving: str) -> Any:
        """Insist on the next action, give its command as it is, and return what that printed. Any: its JSON."""
        proposed = self.next(*serving)
        assert proposed["action"] == action, proposed
        assert proposed["reason"]
        printed = self.give(proposed)
        if action != "idle":
            assert self.next(*serving) != proposed, "the command changed nothing"
        return printed


class McpWorld(World):
    """The same through the tools: an agent with an operator's server asks, and sends the call it is told to send."""

    def __init__(self, url: str, folder: Path, clock: FakeClock, capsys: pytest.CaptureFixture[str]) -> None:
        super().__init__(url, folder, clock, capsys)
        self.desk = Desk(Options(operator=True), url, cwd=folder, clock=clock)

    def next(self, *serving: str) -> Any:
        """Return what comes next, without the call that it names. Any: a JSON document."""
        return {name: value for name, value in self._asked(serving).items() if name != "next"}

    def _asked(self, serving: tuple[str, ...]) -> Any:
        given = list(zip(serving[::2], serving[1::2], strict=True))
        classes = [value for name, value in given if name == "--workload-class"]
        capabilities = [value for name, value in given if name == "--capability"]
        lists = {"workloadClasses": classes, "capabilities": capabilities}
        host = {name: found for name, found in lists.items() if found}
        self._serving = serving
        return self._call("harness_inspector", "next_action", **({"host_capabilities": host} if host else {}))

    def _call(self, tool: str, action: str, /, **arguments: Any) -> Any:
        told = calling.perform(self.desk, tool, {"action": action, **arguments}, Hooks())
        assert not told.failed, told.document
        return told.document

    def give(self, proposed: Any) -> Any:
        """Send the call that is proposed; what no tool may do a person types."""
        then = self._asked(self._serving)["next"]
        if then["tool"] is None:
            assert then["command"] == shlex.join(proposed["payload"]["command"])
            return super().give(proposed)
        return self._call(then["tool"], then["action"], **then["arguments"])


@pytest.fixture(params=[
    "sqlite", "sqlite mcp",
    pytest.param("postgres", marks=pytest.mark.postgres), pytest.param("postgres mcp", marks=pytest.mark.postgres),
])  # fmt: skip
def world(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    clock: FakeClock,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[World]:
    """A repository, registered on each kind of store; asked by words, and by calls."""
    url = f"sqlite:///{tmp_path / 'ledger' / 'harness.sqlite'}"
    if request.param.startswith("postgres"):
        url = request.getfixturevalue("database")
    for name in ("HARNESS_STORE", "HARNESS_RUN_ID", "HARNESS_SESSION_TOKEN", "HARNESS_PROJECT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HARNESS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HARNESS_MACHINE_ID", HERE.machine_id)
    monkeypatch.setenv("HARNESS_BOOT_ID", HERE.boot_id)
    folder = make_repository(tmp_path / "repo")
    create_store(url, clock=clock)
    assert harness_command(["init", str(folder), "--key", "DOCS", "--store", url]) == 0
    made = (McpWorld if request.param.endswith("mcp") else World)(url, folder, clock, capsys)
    yield made
    made.store.close()
    if isinstance(made, McpWorld):
        made.desk.close()


def test_ready_work_is_begun(world: World) -> None:
    world.ledger.plan("a", draft("b", priority="high"))
    printed = world.follow("begin")
    assert printed["issue"]["identifier"] == world.ledger.identifier("b")
    assert world.ledger.status("b") == "in_progress"


def test_ready_work_after_its_timer_is_begun(world: World) -> None:
    world.ledger.plan("a")
    world.ledger.fail(world.ledger.claim("a"))
    world.ledger.clock.advance(MINUTE)
    assert world.follow("begin")["session"] is not None


def test_ready_work_whose_files_are_held_is_passed_over(world: World) -> None:
    world.ledger.plan(draft("a", files=("src/",)), draft("b", files=("src/x",), priority="high"), "c")
    world.ledger.claim("a")
    assert world.follow("begin")["issue"]["identifier"] == world.ledger.identifier("c")


def test_an_expired_lease_is_reaped_and_its_issue_taken(world: World) -> None:
    world.ledger.plan("a", "b")
    run = world.ledger.claim("a", ttl_ms=MINUTE)
    world.ledger.clock.advance(2 * MINUTE)
    proposed = world.next()
    assert proposed["context"]["lease"]["run_id"] == run.lease.run_id
    printed = world.follow("reap")
    assert printed["issue"]["identifier"] == world.ledger.identifier("a")
    assert world.ledger.run(run)["outcome"] == "lost"


def test_an_expired_lease_that_opens_the_breaker_is_reaped_all_the_same(world: World) -> None:
    world.ledger.plan("a")
    for _ in range(2):
        world.ledger.end(world.ledger.claim("a"), Outcome.LOST)
    world.ledger.claim("a", ttl_ms=MINUTE)
    world.ledger.clock.advance(2 * MINUTE)
    assert world.follow("reap")["session"] is None
    assert world.ledger.reason("a") == "breaker:issue"


def test_a_lease_its_own_watcher_may_still_renew_is_left_alone(world: World) -> None:
    world.ledger.plan("a")
    world.ledger.claim("a", here=processes.this_process(), ttl_ms=MINUTE, supervised=True)
    world.ledger.clock.advance(MINUTE + 1)
    assert world.next()["action"] == "idle"
    world.ledger.clock.advance(MINUTE)
    world.follow("reap")


def test_a_run_whose_watcher_is_dead_is_left_to_a_supervisor_once_nothing_else_can_be_done(world: World) -> None:
    world.ledger.plan("a", "b")
    world.ledger.claim("a", ttl_ms=HOUR, supervised=True)
    assert world.next()["action"] == "begin", "ready work is not kept waiting by it"
    world.ledger.claim("b")
    proposed = world.next()
    assert (proposed["action"], proposed["payload"]["needs"]) == ("recover", "operator")
    assert proposed["payload"]["command"] == ["harness", "up", "--project", "DOCS"]


def test_an_issue_whose_run_was_lost_is_recovered_before_other_work(world: World) -> None:
    world.ledger.plan("a", draft("b", priority="high"))
    world.ledger.claim("a", ttl_ms=MINUTE)
    world.ledger.clock.advance(2 * MINUTE)
    world.ledger.reap()
    assert world.follow("recover")["issue"]["identifier"] == world.ledger.identifier("a")


def _review(ledger: Ledger) -> None:
    ledger.finish(ledger.claim("a"), protected=["WORKFLOW.md"])


def _unverified(ledger: Ledger) -> None:
    ledger.end(ledger.claim("a"), Outcome.SUCCESS, Closing(commit="c0ffee"), verdict="unverified")


def _failed(ledger: Ledger) -> None:
    ledger.fail(ledger.claim("a"), final=True)


def _breaker(ledger: Ledger) -> None:
    for _ in range(3):
        ledger.end(ledger.claim("a"), Outcome.HARNESS_FAULT)
        ledger.clock.advance(HOUR)


def _gates(ledger: Ledger) -> None:
    for _ in range(3):
        ledger.end(ledger.claim("a"), Outcome.HARNESS_FAULT, gate_error=True)
        ledger.clock.advance(HOUR)


def _issue_budget(ledger: Ledger) -> None:
    run = ledger.claim("a", ttl_ms=24 * HOUR)
    ledger.clock.advance(7 * HOUR)
    ledger.fail(run)


def _stopped(ledger: Ledger) -> None:
    ledger.do(operations.block, ledger.identifier("a"), "operator:wait", BY_OPERATOR)


@pytest.mark.parametrize("arrange", [_review, _unverified, _failed, _breaker, _gates, _issue_budget, _stopped])
def test_what_an_issue_asks_of_a_person_is_answered(world: World, arrange: Callable[[Ledger], None]) -> None:
    world.ledger.plan("a")
    arrange(world.ledger)
    world.follow("answer")
    assert world.ledger.status("a") in {"ready", "done"}
    assert world.ledger.attention() == []


@pytest.mark.parametrize("arrange", [_review, _unverified, _failed, _breaker, _gates, _issue_budget, _stopped])
def test_what_is_blocked_is_named_when_its_question_was_put_aside(
    world: World, arrange: Callable[[Ledger], None]
) -> None:
    world.ledger.plan("a")
    arrange(world.ledger)
    world.run("attention", "resolve", world.ledger.attention()[0]["id"])
    world.follow("unblock")
    assert world.ledger.status("a") in {"ready", "done"}


def test_a_used_up_budget_is_raised(world: World) -> None:
    world.ledger.plan("a", "b")
    world.ledger.cap("runs", "1")
    world.ledger.claim("a")
    world.ledger.ask()
    world.follow("answer")
    world.follow("begin")


def test_a_held_project_is_named_when_its_question_was_put_aside(world: World) -> None:
    world.ledger.plan("a", "b")
    world.ledger.cap("wall_ms", "0.1")
    world.ledger.ask()
    world.run("attention", "resolve", world.ledger.attention()[0]["id"])
    assert world.next()["context"]["blocker"]["kind"] == "budget"
    world.follow("unblock")


def test_something_overdue_is_begun_and_then_put_aside(world: World) -> None:
    world.ledger.plan(draft("a", deadline_at=world.ledger.clock.now() + MINUTE), "b")
    world.ledger.clock.advance(2 * MINUTE)
    world.ledger.claim("b")
    begun = world.next()
    assert begun["context"]["policy_breach"]["triggers"] == ["deadline_breached"]
    world.follow("begin")
    world.follow("answer")
    assert world.ledger.attention() == []


def test_an_approval_is_given(world: World) -> None:
    world.ledger.plan(draft("a", metadata=approval("legal")))
    assert world.next()["context"]["blocker"]["name"] == "legal"
    world.follow("approve")
    assert world.ledger.status("a") == "ready"


def test_what_was_not_settled_is_settled_and_not_hidden_by_blocked_work(world: World) -> None:
    world.ledger.plan("a", "bad", draft("b", depends=["a"]), draft("behind", depends=["bad"]))
    world.ledger.do_all("a")
    world.ledger.cancel("bad")
    world.ledger.claim("b")
    statement = (
        "INSERT INTO settlements (subject_id, subject_kind, project_id, created_at) "
        f"VALUES ('{world.ledger['a']['id']}', 'issue', '{world.ledger.project['id']}', 1)"
    )
    assert change(world.url, statement) == 1
    assert world.ledger.status("behind") == "blocked"
    world.follow("promote")
    assert world.next()["action"] == "unblock"


def test_a_schedule_that_is_due_is_fired_before_blocked_work_is_looked_at(world: World) -> None:
    world.ledger.plan("a", draft("b", depends=("a",)))
    world.ledger.cancel("a")
    assert world.next()["action"] == "unblock"
    document, _ = read_template({"task": "look"}, "default")
    wanted = Wanted("hourly", "issue", "every 1h", document)
    world.ledger.do(schedules.add, world.ledger.project, wanted, BY_OPERATOR)
    assert world.next()["action"] == "unblock"
    world.ledger.clock.advance(HOUR)
    assert world.next()["context"]["blocker"]["name"] == "hourly"
    assert world.follow("schedule")["inserted"] == 1
    assert world.next()["action"] == "begin"


def test_a_schedule_that_cannot_fire_asks_until_a_person_has_seen_it(world: World) -> None:
    document, _ = read_template({"task": "look"}, "nowhere")
    wanted = Wanted("hourly", "issue", "every 1h", document)
    world.ledger.do(schedules.add, world.ledger.project, wanted, BY_OPERATOR)
    for _ in range(4):
        world.ledger.clock.advance(HOUR)
        assert world.run("schedule", "evaluate")[1]["skipped"] == 1
    assert "no campaign nowhere" in world.next()["reason"]
    world.follow("answer")
    assert world.next()["action"] == "idle"


def test_an_issue_that_waits_for_nothing_is_promoted(world: World) -> None:
    world.ledger.plan("a", draft("b", depends=["a"]))
    world.ledger.claim("a")
    change(world.url, "UPDATE issue_dependencies SET state = 1")
    change(world.url, f"UPDATE issues SET unmet = 0 WHERE identifier = '{world.ledger.identifier('b')}'")
    assert world.follow("promote")["moved"] == [world.ledger.identifier("b")]


@pytest.mark.parametrize("end", ["failed", "cancelled"])
def test_the_root_of_what_is_blocked_is_set_going(world: World, end: str) -> None:
    world.ledger.plan("a", draft("b", depends=["a"]))
    if end == "failed":
        world.ledger.fail(world.ledger.claim("a"), final=True)
        world.run("attention", "resolve", world.ledger.attention()[0]["id"])
    else:
        world.ledger.cancel("a")
    assert world.next()["context"]["blocker"]["identifier"] == world.ledger.identifier("a")
    world.follow("unblock")
    assert world.ledger.statuses("a", "b") == ["ready", "pending"]


def test_a_paused_campaign_with_work_is_resumed(world: World) -> None:
    world.ledger.plan("a", into="night")
    world.ledger.do(campaigns.set_status, world.ledger.campaign("night"), "paused", BY_OPERATOR)
    world.follow("unblock")
    world.follow("begin")


def test_work_this_host_does_not_serve_is_offered_with_what_it_needs(world: World) -> None:
    world.ledger.plan(draft("a", policy=policy(workload_class="gpu", capabilities=("cuda",))))
    proposed = world.next("--workload-class", "docs")
    assert proposed["context"]["blocker"]["missing"] == ["workload class gpu", "capability cuda"]
    assert world.follow("serve", "--workload-class", "docs")["session"] is not None


def test_served_work_is_plainly_begun(world: World) -> None:
    world.ledger.plan(draft("a", policy=policy(workload_class="gpu", capabilities=("cuda",))))
    world.follow("begin", "--workload-class", "gpu", "--capability", "cuda")


@pytest.mark.parametrize("state", ["nothing", "live", "timer", "files", "finished"])
def test_idle_says_why_and_points_at_the_status(world: World, state: str) -> None:
    if state != "nothing":
        world.ledger.plan(draft("a", files=("x",)), *([draft("b", files=("x",))] if state == "files" else []))
    if state in {"live", "files"}:
        world.ledger.claim("a")
    if state == "timer":
        world.ledger.fail(world.ledger.claim("a"))
    if state == "finished":
        world.ledger.do_all("a")
        world.ledger.settle()
    world.follow("idle")
    word = {"nothing": "nothing", "live": "works at", "timer": "tried again", "files": "(x)", "finished": "finished"}
    assert word[state] in world.next()["reason"]


def test_a_project_is_worked_to_its_end_by_following_what_comes_next(world: World) -> None:
    """An agent that does nothing but obey finishes everything, whatever stands in the way."""
    world.ledger.plan(
        "a",
        draft("b", depends=["a"], metadata=approval("legal")),
        draft("c", milestone="two"),
        milestones={"m": (), "two": ("m",)},
    )
    for _ in range(40):
        proposed = world.next()
        if proposed["action"] == "idle":
            break
        _, printed = world.run(*proposed["payload"]["command"][1:])
        if proposed["action"] == "begin":
            run = world.ledger.one("run_by_id", id=printed["session"]["run_id"])
            assert run is not None
            _finish(world.ledger, run)
    assert world.ledger.statuses("a", "b", "c") == ["done", "done", "done"]


def _finish(ledger: Ledger, run: dict[str, Any]) -> None:
    from harnessos.kernel import runs
    from harnessos.kernel.claims import Claimed

    issue = ledger.one("issue_by_id", id=run["issue_id"])
    assert issue is not None
    ledger.finish(Claimed(runs.lease_of(run), issue, run, None))


def test_a_missing_ledger_and_an_unregistered_folder_are_set_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_repository(tmp_path / "my-docs")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HARNESS_HOME", str(tmp_path / "home"))
    for name in ("HARNESS_STORE", "HARNESS_PROJECT", "HARNESS_RUN_ID", "HARNESS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    for action in ("mend_store", "set_up"):
        assert harness_command(["next", "--json"]) == 0
        proposed = json.loads(capsys.readouterr().out)
        assert proposed["action"] == action
        assert proposed["payload"]["command"] == ["harness", "init", "--key", "MYDOCS"]
        if action == "mend_store":
            create_store(f"sqlite:///{tmp_path / 'home' / 'harness.sqlite'}")
    assert harness_command(proposed["payload"]["command"][1:]) == 0
    capsys.readouterr()
    assert harness_command(["next", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["action"] == "idle"


def _done(ledger: Ledger) -> None:
    ledger.do_all("a")


def _cancelled(ledger: Ledger) -> None:
    ledger.cancel("a")


def _running(ledger: Ledger) -> None:
    ledger.claim("a")


def _expired(ledger: Ledger) -> None:
    ledger.claim("a", ttl_ms=MINUTE)
    ledger.clock.advance(2 * MINUTE)


def _timer(ledger: Ledger) -> None:
    ledger.fail(ledger.claim("a"))


def _paused(ledger: Ledger) -> None:
    ledger.do(campaigns.set_status, ledger.campaign("default"), "paused", BY_OPERATOR)


def _held(ledger: Ledger) -> None:
    ledger.cap("runs", "1")
    ledger.end(ledger.claim("a"), Outcome.RELEASED)
    ledger.ask()


def _ready(ledger: Ledger) -> None:
    assert ledger.status("a") == "ready"


_CASES = (
    _done, _cancelled, _failed, _running, _expired, _timer, _paused, _held, _ready, _review, _unverified, _breaker,
    _gates, _issue_budget, _stopped,
)  # fmt: skip


@pytest.mark.parametrize("arrange", _CASES)
def test_the_command_that_why_gives_works_and_changes_what_why_says(
    world: World, arrange: Callable[[Ledger], None]
) -> None:
    world.ledger.plan("a")
    arrange(world.ledger)
    _follow_why(world, "a")


@pytest.mark.parametrize("root", ["ready", "failed", "cancelled", "live", "approval", "milestone", "files"])
def test_the_command_that_why_gives_for_what_waits_works(world: World, root: str) -> None:
    world.ledger.plan(
        draft("a", milestone="one", files=("src/",)),
        draft("b", milestone="one", depends=["a"]),
        draft("asks", milestone="one", metadata=approval("legal")),
        draft("last", milestone="two"),
        draft("files", milestone="one", files=("src/x",)),
        milestones={"one": (), "two": ("one",)},
    )
    if root == "failed":
        world.ledger.fail(world.ledger.claim("a"), final=True)
    elif root == "cancelled":
        world.ledger.cancel("a")
    elif root in {"live", "files"}:
        world.ledger.claim("a")
    _follow_why(world, {"approval": "asks", "files": "files", "milestone": "last"}.get(root, "b"))


def _follow_why(world: World, name: str) -> None:
    code, found = world.run("why", world.ledger.identifier(name))
    assert code == 0
    program, *words = found["command"]
    assert program == "harness"
    code, printed = world.run(*words)
    assert code == 0, (words, printed)
    # A live run that is asked to stop holds its files until it has: the row that decides is the run's then.
    if "stop" in words:
        run = world.ledger.one("run_by_id", id=words[2])
        assert run is not None
        assert run["stop_request"]
    else:
        assert world.run("why", world.ledger.identifier(name))[1] != found


def test_a_ledger_named_by_hand_is_named_in_the_proposal_too(world: World) -> None:
    world.ledger.plan("a")
    proposed = world.run("next", "--project", "DOCS", "--store", world.url)[1]
    assert proposed["payload"]["command"][-2:] == ["--store", world.url]


def test_where_the_project_has_a_runner_a_person_is_told_of_the_supervisor_too(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What an agent is told stays the session: it works at its own issue."""
    world.ledger.plan("a")
    assert "supervised" not in world.next()["payload"]
    workflow = tmp_path / "repo" / "WORKFLOW.md"
    workflow.write_text("---\nharness:\n  # runner: none yet\n  gates: []\n---\nrunner: x\n", encoding="utf-8")
    assert "supervised" not in world.next()["payload"]
    for text in ("harness:\n  runner:\n    command: [x]", 'harness: {"runner": {command: [x]}}'):
        workflow.write_text(f"---\n{text}\n---\nx\n", encoding="utf-8")
        payload = world.next()["payload"]
        assert payload["supervised"] == ["harness", "up", "--project", "DOCS"]
        assert payload["command"][:3] == ["harness", "session", "begin"]
    monkeypatch.setenv("HARNESS_RUN_ID", "run-x")
    assert "supervised" not in world.next()["payload"]


def test_people_read_the_supervisor_first(world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    world.ledger.plan("a")
    text = "---\nharness:\n  runner:\n    command: [x]\n---\nx\n"
    (tmp_path / "repo" / "WORKFLOW.md").write_text(text, encoding="utf-8")
    monkeyed = ["--project", "DOCS", "--store", world.url]
    for words in (["next"], ["why", "DOCS-1"]):
        capsys.readouterr()
        assert harness_command([*words, *(monkeyed if words == ["next"] else monkeyed[2:])]) == 0
        told = capsys.readouterr().out
        assert 0 < told.index("harness up --project DOCS --store") < told.index("harness session begin")
