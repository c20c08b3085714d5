"""Every example of docs/mcp-tools.md is sent as it stands there, in a world where it makes sense, and works."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.commands import Terminal, registered
from tests.support.mcp_desk import Hands
from tests.support.mission_documents import FILLED
from tests.support.python import ROOT
from tests.support.repositories import commit_files, make_repository
from tests.support.workspaces import Workspace

PAGE = (ROOT / "docs" / "mcp-tools.md").read_text(encoding="utf-8")
_SECTION = re.compile(r"^## (harness_\w+)$(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
_ACTION = re.compile(r"^### (\w+)$(.*?)(?=^### |\Z)", re.MULTILINE | re.DOTALL)
_EXAMPLE = re.compile(r"```json\n(.*?)\n```", re.DOTALL)
EXAMPLES = [
    (tool, json.loads(text))
    for tool, body in _SECTION.findall(PAGE)
    for _, about in _ACTION.findall(body)
    for text in _EXAMPLE.findall(about)
]
SPEC = {
    "name": "Lines", "objective": "Collect lines.",
    "conditions": [{"id": "C1", "condition": "there", "checks": [{"kind": "file", "path": "output/x", "min_bytes": 1}]}],
    "steps": [{"title": "Write", "what": "append", "completion": "grown", "failure": "say so"}],
}  # fmt: skip


class World:
    """A project, its terminal, and a mission's workspace where the examples say that one lies."""

    def __init__(self, folder: Path) -> None:
        self.terminal: Terminal = registered(folder)
        self.folder = folder
        self.workspace = folder / "watch"
        self.environ = dict(self.terminal.environment())

    def mission(self) -> Workspace:
        """Make the mission, filled in and ready."""
        ws = Workspace(self.folder, made=False)
        ws.path, ws.terminal = self.workspace, self.terminal
        assert ws("mission boot", "--init").code == 0
        ws.fill()
        assert ws("mission boot").code == 0
        return ws

    def session(self) -> str:
        """Begin at DOCS-1, and have the token in the environment, as a driven agent does."""
        begun = self.terminal.good("session", "begin", "--issue", "DOCS-1", "--worktree")
        (Path(begun["worktree"]) / "report.html").write_text("<p>", encoding="utf-8")
        token: str = begun["session"]["token"]
        self.environ["HARNESS_SESSION_TOKEN"] = token
        return token

    def finished(self) -> None:
        """Begin, and commit what the gate of DOCS-1 looks for."""
        self.session()
        (tree,) = (Path(item["path"]) for item in self.terminal.good("worktree", "list")["items"])
        (tree / "report.html").unlink()
        commit_files(tree, {"a.txt": "done\n"})


def spec(world: World) -> None:
    (world.folder / "mission.yaml").write_text(json.dumps(SPEC), encoding="utf-8")


def approvable(world: World) -> None:
    plan = {"plan_key": "q", "milestones": [{"milestone_key": "m9", "description": "x", "issues": [
        {"key": "z", "task": "t", "approvals": [{"id": "go", "label": "go", "required": True}]}]}]}  # fmt: skip
    world.terminal.good("plan", "apply", str(world.terminal.plan(plan)))


def failed(world: World) -> None:
    for _ in range(3):
        token = world.terminal.good("session", "begin", "--issue", "DOCS-1")["session"]["token"]
        world.terminal("session", "close", "--session", token, "--outcome", "failed", "--reason", "x", "--task-fault")
        world.terminal("issue", "retry", "DOCS-1")
    token = world.terminal.good("session", "begin", "--issue", "DOCS-1")["session"]["token"]
    world.terminal("session", "close", "--session", token, "--outcome", "failed", "--reason", "x")


def running(world: World) -> None:
    world.mission().start()


def judged(world: World) -> None:
    ws = world.mission()
    ws.start()
    ws.produce(3)
    ws.done()
    ws.good("mission eval")


PREPARED: dict[str, Callable[[World], Any]] = {
    "checkpoint": World.session, "heartbeat": World.session, "save": World.session, "harness_session.show": World.session,
    "close": World.finished, "advance": World.finished,
    "retry_issue": failed,
    "reopen_issue": lambda world: world.terminal.good("issue", "cancel", "DOCS-1"),
    "drain": lambda world: world.terminal.good("campaign", "create", "spring"),
    "resume": lambda world: [world.terminal.good("campaign", verb, "spring") for verb in ("create", "pause")],
    "archive": lambda world: world.terminal.good("campaign", "create", "spring"),
    "create_project": lambda world: make_repository(world.folder / "docs"),
    "new": spec, "start": World.mission, "done": running, "fail": running, "blocked": running, "stream": running,
    "learn": running, "search": World.mission, "topics": World.mission, "check": World.mission, "eval": judged,
    "complete": judged, "harness_mission.show": World.mission, "harness_mission.cleanup": World.mission,
    "dream": World.mission, "schedule": World.mission, "context": World.mission, "agents": World.mission,
    "load_workflow": lambda world: (world.terminal.cwd / "WORKFLOW.md").write_text("---\n{}\n---\nDo.\n", encoding="utf-8"),
}  # fmt: skip
OPERATOR = ("create_project", "retry_issue", "reopen_issue", "approve", "cancel_issue", "rollback_issue", "drain", "resume", "archive", "cleanup_worktree")  # fmt: skip
SUPERVISED = ("supervisor_tick", "supervisor_run")


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.mark.parametrize(
    ("tool", "example"), EXAMPLES, ids=[f"{tool}.{example['action']}" for tool, example in EXAMPLES]
)
def test_an_example_works_as_it_stands(world: World, tool: str, example: dict[str, Any]) -> None:
    action = example.pop("action")
    if action == "approve":
        approvable(world)
        example = {**example, "issue": "DOCS-4"}
    prepare = PREPARED.get(f"{tool}.{action}") or PREPARED.get(action)
    if prepare is not None:
        prepare(world)
    if action in SUPERVISED:
        script = world.folder / "agent.sh"
        script.write_text(
            "git config user.name a; git config user.email a@example.org; echo x > a.txt; git add a.txt; git commit -qm w\n"
        )
        front = {"harness": {"runner": {"kind": "command", "command": ["sh", str(script)]}}}
        (world.terminal.cwd / "WORKFLOW.md").write_text(f"---\n{json.dumps(front)}\n---\nDo.\n", encoding="utf-8")
        world.terminal.good("project", "trust", "DOCS")
    moved = json.loads(
        json.dumps(example).replace("/srv/missions/watch", str(world.workspace)).replace("/srv/docs", str(world.folder / "docs"))
        .replace("/srv/mission.yaml", str(world.folder / "mission.yaml")).replace('"key": "DOCS"', '"key": "OTHER"')
    )  # fmt: skip
    hands = Hands(world.environ, world.terminal.cwd, operator=action in OPERATOR)
    reply = hands.call(tool, action, **moved)
    assert not reply.failed, reply.document
    hands.desk.close()


def test_the_page_has_an_example_of_every_action_that_is_there() -> None:
    there = [
        heading for _, body in _SECTION.findall(PAGE) for heading in re.findall(r"^### (\w+)$", body, re.MULTILINE)
    ]
    missing = len(re.findall(r"^Not available:", PAGE, re.MULTILINE))
    assert len(EXAMPLES) == len(there) - missing
    assert set(FILLED)
