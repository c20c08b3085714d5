"""A project with a plan, a WORKFLOW.md and scripted agents, and the supervisor over it: in this process or as its own."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any  # documents are plain JSON

import pytest

from harnessos.app import planning, registering, supervising
from harnessos.app.harness import Harness, harness
from harnessos.app.supervising import Serve
from harnessos.kernel import ending, issues
from harnessos.kernel.events import Cause
from harnessos.model.outcome import Ended, Outcome
from harnessos.model.run import OPERATOR, SUPERVISOR
from harnessos.ports import Clock
from harnessos.services import loop
from harnessos.services.supervisor import Ending, Options, Supervisor
from harnessos.store.opening import create_store
from harnessos.store.transaction import Row
from tests.support.python import ROOT
from tests.support.repositories import make_repository, user_git
from tests.support.waiting import eventually

KEY = "WORK"
UNTIL_IDLE = Options(until_idle=True)
HARNESS = f"'{sys.executable}' -m harnessos"
"""The command line, as a shell script calls it."""

WORK = "echo made by $HARNESS_ISSUE turn $HARNESS_TURN > $HARNESS_ISSUE.txt; git add --all; git commit --quiet --allow-empty -m work"
"""An agent that commits one file."""


def issue(task: str, **fields: Any) -> dict[str, Any]:
    """One issue of a plan."""
    return {"task": task, "priority": "medium", "size": "S", **fields}


class Site:
    """A project in `folder/project`, HARNESS_HOME in `folder/harness`; nothing outside `folder` is touched."""

    def __init__(
        self,
        folder: Path,
        *,
        git: bool = True,
        store: str | None = None,
        clock: Clock | None = None,
        key: str = KEY,
        home: Path | None = None,
    ) -> None:
        self.folder = folder
        self.root = folder / "project"
        self.home = home or folder / "harness"
        self.key = key
        (folder / "user").mkdir(parents=True, exist_ok=True)
        self.environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder / "user"),
            "USER": "tester",
            "LANG": "C.UTF-8",
            "HARNESS_HOME": str(self.home),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)]),
        }
        if store is not None:
            self.environ["HARNESS_STORE"] = store
        if git:
            make_repository(self.root, {"README": "one\n", ".gitignore": "ignored/\n"})
        else:
            self.root.mkdir()
            (self.root / "README").write_text("one\n", encoding="utf-8")
        self._clock = clock
        first = self.harness()  # of its own: what it knows of the folder is from before the registration
        registering.register(first, registering.look(self.root), key, None)
        first.close()
        self.ledger = self.harness()

    def harness(self, environ: Mapping[str, str] | None = None) -> Harness:
        """Return a caller's harness in the project's folder."""
        return harness(None, {**self.environ, **(environ or {})}, self.root, "test", clock=self._clock)

    def plan(self, *issues: Mapping[str, Any], milestone: str = "m1", **fields: Any) -> list[str]:
        """Apply a plan of one milestone; return the identifiers in its order."""
        return self.apply(
            {"milestones": [{"milestone_key": milestone, "description": "m", "issues": list(issues), **fields}]}
        )

    def apply(self, document: Mapping[str, Any]) -> list[str]:
        """Apply a plan document; return what it created."""
        file = self.folder / "plan.json"
        file.write_text(json.dumps(document), encoding="utf-8")
        return list(planning.apply_file(self.ledger, file, self.key, None)[0].created)

    def script(self, text: str, name: str = "agent.sh") -> list[str]:
        """Write a shell script beside the project; return the command that runs it."""
        place = self.folder / name
        place.write_text(f"set -e\n{_AS_SOMEONE}{text}\n", encoding="utf-8")
        return ["sh", str(place)]

    def workflow(
        self,
        agent: str | Sequence[str],
        *,
        gates: Sequence[Mapping[str, Any]] | None = None,
        prompt: str = "Do {{ issue.identifier }}: {{ issue.title }}",
        front: Mapping[str, Any] | None = None,
        **ours: Any,
    ) -> None:
        """Write WORKFLOW.md. `agent` is a shell script's text or a command; `ours` are keys of `harness:`."""
        command = self.script(agent) if isinstance(agent, str) else list(agent)
        given = [{"name": "changes", "kind": "diff"}] if gates is None else list(gates)
        section = {"runner": {"kind": "command", "command": command}, "gates": given, **ours}
        text = json.dumps({**(front or {}), "harness": section}, indent=1)
        (self.root / "WORKFLOW.md").write_text(f"---\n{text}\n---\n{prompt}\n", encoding="utf-8")
        exclude = self.root / ".git" / "info" / "exclude"
        if exclude.parent.is_dir():
            exclude.write_text("WORKFLOW.md\n", encoding="utf-8")

    def up(
        self,
        options: Options = UNTIL_IDLE,
        *,
        environ: Mapping[str, str] | None = None,
        during: Callable[[Supervisor, list[dict[str, Any]]], None] | None = None,
    ) -> Up:
        """Supervise in this process until done; `during` is told of each event and may act."""
        with_this = self.harness(environ)
        events: list[dict[str, Any]] = []
        made: list[Supervisor] = []

        def tell(event: Mapping[str, object]) -> None:
            events.append(dict(event))
            if during is not None and made:
                during(made[0], events)

        try:
            served = supervising.projects(with_this, Serve((self.key,)), tell)
            made.append(Supervisor(with_this.ground._replace(actor=SUPERVISOR), served, options, tell))
            asyncio.run(loop.run(made[0]))
            return Up(made[0].ending(), events)
        finally:
            with_this.close()

    def start(self, *words: str, environ: Mapping[str, str] | None = None) -> Started:
        """Start `harness up` as a process of its own."""
        return Started(self, ["up", "--json", *words], environ or {})

    def call(self, *words: str, environ: Mapping[str, str] | None = None, cwd: Path | None = None) -> Called:
        """Run one command line to its end."""
        return self.module("harnessos", *words, environ=environ, cwd=cwd)

    def module(
        self, name: str, *words: str, environ: Mapping[str, str] | None = None, cwd: Path | None = None
    ) -> Called:
        """Run a Python module to its end."""
        done = subprocess.run(
            [sys.executable, "-m", name, *words],
            cwd=cwd or self.root,
            env={**self.environ, **(environ or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=60,
            check=False,
        )
        return Called(done.returncode, done.stdout, done.stderr)

    def json(self, *words: str, **given: Any) -> Any:
        """Run one command with --json; return its document. Any: it is JSON."""
        done = self.call(*words, "--json", **given)
        assert done.code in (0, 1), done
        return json.loads(done.out)

    def issue(self, identifier: str) -> Row:
        """Return an issue's row."""
        row = self.ledger.read(lambda tx: tx.one("issue_by_identifier", identifier=identifier))
        assert row is not None
        return row

    def runs(self, identifier: str) -> list[Row]:
        """Return the runs of an issue, oldest first."""
        found = self.issue(identifier)["id"]
        return self.ledger.read(lambda tx: tx.all("run_all_of", issue=found, most=1000))

    def run(self, identifier: str) -> Row:
        """Return the only run of an issue."""
        (found,) = self.runs(identifier)
        return found

    def evidence(self, run: Row) -> list[Row]:
        """Return the evidence of a run."""
        return self.ledger.read(lambda tx: tx.all("evidence_of_run", run=run["id"], most=1000))

    def attention(self) -> list[Row]:
        """Return the open attention rows."""
        project = self.ledger.project(self.key)["id"]
        return self.ledger.read(lambda tx: tx.all("attention_open", project=project, after="", most=100))

    def standing(self, *identifiers: str) -> list[tuple[str, str | None]]:
        """Return status and blocked reason of issues."""
        return [(row["status"], row["blocked_reason"]) for row in map(self.issue, identifiers)]

    def kept(self, run: Row, name: str) -> str:
        """Return the text of a file in a run's folder, or in its agent's part of it."""
        folder = self.home / "runs" / str(run["id"])
        return next(
            path for path in (self.evidence_folder(run["id"]) / name, folder / name) if path.exists()
        ).read_text(encoding="utf-8")

    def evidence_folder(self, run_id: str) -> Path:
        """Return the folder that the agent of a run is told to leave files in."""
        return self.home / "runs" / run_id / "evidence"

    def manifest(self, run: Row) -> dict[str, Any]:
        """Return a run's manifest."""
        return dict(json.loads(self.kept(run, "manifest.json")))

    def git(self, *words: str) -> str:
        """Run git in the main checkout."""
        return user_git(self.root, *words)

    def refs(self, below: str = "refs/harness") -> dict[str, str]:
        """Return the refs below a name."""
        lines = self.git("for-each-ref", "--format=%(refname) %(objectname)", below).splitlines()
        return dict(line.split(" ") for line in lines)

    def accepted(self) -> dict[str, str]:
        """Return the accepted commit of each issue, as git knows it."""
        return {name.rsplit("/", 1)[1]: commit for name, commit in self.refs("refs/harness/accepted").items()}

    def worktrees(self) -> list[str]:
        """Return the worktrees git lists beside the main checkout."""
        lines = self.git("worktree", "list", "--porcelain").splitlines()
        found = [line.removeprefix("worktree ") for line in lines if line.startswith("worktree ")]
        return [path for path in found if Path(path) != self.root]

    def close(self) -> None:
        """Close the ledger."""
        self.ledger.close()


_AS_SOMEONE = """export GIT_AUTHOR_NAME=Agent GIT_AUTHOR_EMAIL=a@example.org
export GIT_COMMITTER_NAME=Agent GIT_COMMITTER_EMAIL=a@example.org
"""


EITHER = ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)]
"""Parameters of a fixture that makes a site on each kind of store."""


@contextmanager
def on_store(request: pytest.FixtureRequest, folder: Path) -> Iterator[Site]:
    """A site in a new ledger on the store that the fixture's parameter names."""
    store = None
    if request.param == "postgres":
        store = request.getfixturevalue("database")
        create_store(store)
    made = Site(folder, store=store)
    yield made
    made.close()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A repository registered as a project, without a plan."""
    made = Site(tmp_path)
    yield made
    made.close()


class Up:
    """How a supervisor ended, and every event it told."""

    def __init__(self, ending: Ending, events: list[dict[str, Any]]) -> None:
        self.ending = ending
        self.code = ending.exit_code
        self.events = events

    def named(self, event: str) -> list[dict[str, Any]]:
        """Return the events of this name."""
        return [found for found in self.events if found["event"] == event]


class Called:
    """A command that is over."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    def __repr__(self) -> str:
        return f"exit {self.code}\n{self.out}\n{self.err}"


class Started:
    """`harness up` in its own process; its events are read from a file as they come."""

    def __init__(self, site: Site, words: Sequence[str], environ: Mapping[str, str]) -> None:
        self._site = site
        self._said = site.folder / f"up-{len(list(site.folder.glob('up-*.log')))}.log"
        with self._said.open("wb") as target, self._said.with_suffix(".err").open("wb") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "harnessos", *words],
                cwd=site.root,
                env={**site.environ, **environ},
                stdin=subprocess.DEVNULL,
                stdout=target,
                stderr=errors,
            )

    def events(self) -> list[dict[str, Any]]:
        """Return what it has told so far."""
        lines = self._said.read_text(encoding="utf-8").splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.endswith("\n")]

    def saw(self, event: str, *, count: int = 1, within: float = 30.0) -> list[dict[str, Any]]:
        """Wait until it has told an event so often."""

        def found() -> list[dict[str, Any]]:
            seen = [one for one in self.events() if one["event"] == event]
            assert len(seen) >= count or self.process.poll() is None, self.problem()
            return seen if len(seen) >= count else []

        return eventually(found, within=within, what=f"{count} {event}")

    def problem(self) -> str:
        """Return what it wrote to standard error."""
        return self._said.with_suffix(".err").read_text(encoding="utf-8")

    def end(self, within: float = 45.0) -> int:
        """Wait for its end; return the exit code."""
        return self.process.wait(within)

    def __enter__(self) -> Started:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


def expire(tx: Any, run_id: str) -> None:
    """End a lease as a claim of somebody else would, as if it had run out long ago. Any: a transaction."""
    run = tx.one("run_by_id", id=run_id)
    held = issues.lock(tx, run["issue_id"])
    seen = run["expires_at"]
    ended = tx.one("run_reap", run=run_id, epoch=run["epoch"], seen=seen, reason="moved by hand", now=seen)
    ending.conclude(tx, held, ended, Ended(Outcome.LOST, "moved by hand"), Cause(OPERATOR, "test"))
