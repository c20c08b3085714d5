"""The MCP Inspector's command line, the other client: it comes from the npm registry, so there is node or a loud skip."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.commands import run_words
from tests.support.mcp_clients import minimal
from tests.support.python import ROOT
from tests.support.repositories import commit_files
from tests.support.supervised import EITHER, KEY, Site, on_store

PACKAGE = "@modelcontextprotocol/inspector@0.15.0"
SESSION, MISSION = "harness_session", "harness_mission"

pytestmark = pytest.mark.timeout(420)


@pytest.fixture(scope="session")
def inspector(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Inspector's program, installed for this session alone."""
    if shutil.which("npm") is None or shutil.which("node") is None:
        pytest.skip("node and npm are not installed: the MCP Inspector was NOT run")
    folder = tmp_path_factory.mktemp("inspector")
    words = ["npm", "install", "--prefix", str(folder), "--no-audit", "--no-fund", "--silent", PACKAGE]
    done = run_words(words, os.environ, timeout=300)
    if done.code != 0:
        pytest.skip(f"npm could not install the MCP Inspector, it was NOT run: {done.err[-300:]}")
    return folder / "node_modules" / ".bin" / "mcp-inspector"


@pytest.fixture(params=EITHER)
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    """A project whose one gate looks for a change."""
    with on_store(request, tmp_path) as made:
        made.workflow("true")
        assert made.call("project", "trust", KEY).code == 0
        yield made


class Typed:
    """The Inspector's command line over our server, a process for each call."""

    def __init__(self, program: Path, site: Site) -> None:
        self._program = program
        store = site.environ.get("HARNESS_STORE")
        self._env = minimal(site.home, **({"HARNESS_STORE": store} if store else {}), HOME=site.environ["HOME"])
        self._env["PATH"] = f"{ROOT / '.venv' / 'bin'}:/usr/local/bin:/usr/bin:/bin"

    def ask(self, method: str, *words: str) -> Any:
        """The result of a request. Any: JSON."""
        server = ["python", "-m", "harnessos", "mcp", "--wait", "30"]
        said = run_words([str(self._program), "--cli", *server, "--method", method, *words], self._env)
        assert said.code == 0, said.err[-2000:]
        return json.loads(said.out)

    def call(self, tool: str, action: str, **arguments: object) -> Any:
        """The document of a call that goes well. Any: JSON."""
        given = {"action": action, **arguments}
        words = [word for name, value in given.items() for word in ("--tool-arg", f"{name}={_written(value)}")]
        result = self.ask("tools/call", "--tool-name", tool, *words)
        assert not result.get("isError"), result
        return result["structuredContent"]


def _written(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def test_a_working_day_and_a_mission_through_the_inspector(inspector: Path, site: Site, tmp_path: Path) -> None:
    typed = Typed(inspector, site)
    assert len(typed.ask("tools/list")["tools"]) == 7
    assert len(typed.ask("prompts/list")["prompts"]) == 3
    milestones = [{"milestone_key": "m", "description": "today", "issues": [{"task": "first"}]}]
    planned = typed.call("harness_orchestrator", "plan_issues", project=KEY, milestones=milestones)
    assert planned["created"] == [f"{KEY}-1"]
    then = typed.call("harness_inspector", "next_action", project=KEY)["next"]
    begun = typed.call(then["tool"], then["action"], **then["arguments"])
    token = begun["session"]["token"]
    typed.call(SESSION, "checkpoint", session=token, title="begun", summary="read it", next_step="write it")
    assert typed.call(SESSION, "heartbeat", session=token)["phase"] == "claimed"
    commit_files(Path(begun["worktree"]), {"work.txt": "done\n"})
    closed = typed.call(SESSION, "close", session=token, outcome="finished")
    assert closed["verdict"] == "verified"
    assert typed.call("harness_inspector", "audit", id=f"{KEY}-1")["timeline"]
    place = str(tmp_path / "mission")
    assert typed.call(MISSION, "boot", workspace=place, init=True)["mission"]["identifier"] == "MSN-1"
    assert typed.call(MISSION, "show", workspace=place)["mission"]["status"] == "idle"
