"""The recipes of `examples/runners`, against stubs that refuse what the real programs refuse."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

from harnessos import processes, worktrees
from harnessos.model.outcome import Ended, Outcome
from harnessos.runners import command
from harnessos.workflow.load import load_workflow
from harnessos.worktrees import Worktree
from tests.support.json_schema import conforms
from tests.support.python import ROOT
from tests.support.repositories import Place, place, quiet_git, user_git
from tests.support.scripted import outcome_schema

__all__ = ["place", "quiet_git"]

RECIPES = ROOT / "examples" / "runners"
STUBS = ROOT / "tests" / "support" / "stubs"
KEYS = {"claude": "ANTHROPIC_API_KEY", "codex": "OPENAI_API_KEY", "gemini": "GEMINI_API_KEY"}
AGENTS = sorted(KEYS)
# The part of each recipe without which its agent may not change a file.
PERMISSION = {
    "claude": '"--permission-mode", "acceptEdits", ',
    "codex": '"--sandbox", "workspace-write", ',
    "gemini": '"--approval-mode", "yolo", ',
}


def _started(files: command.TurnFiles) -> int:
    """When the turn was prepared, by the same clock that the agent and its recipe use."""
    return int(files.prompt.stat().st_mtime * 1000)


class Bench(NamedTuple):
    """A worktree, and HARNESS_HOME with the recipes as the README of the recipes puts them there."""

    place: Place
    tree: Worktree
    home: Path

    def run(
        self, name: str, *, says: str = "", environ: Mapping[str, str] | None = None, words: str = ""
    ) -> tuple[Ended | None, command.TurnFiles]:
        """Run the recipe's WORKFLOW.md in the environment that a supervisor with `environ` would build."""
        supervisor = {"PATH": f"{STUBS}:{os.environ['PATH']}", "HOME": str(self.home / "person"), **(environ or {})}
        workflow = load_workflow(RECIPES / f"{name}.workflow.md", supervisor, self.home)
        runner = workflow.harness.runner
        assert runner is not None
        assert runner.shell is not None
        folder = self.home / "run"
        files = command.files_of(folder, 1)
        command.clear(folder, files)
        files.prompt.write_text("Write done.txt and commit it.\n", encoding="utf-8")
        given = {
            "HOME": str(self.home),
            "WORKTREE": str(self.tree.path),
            "EVIDENCE_DIR": str(command.evidence_of(folder)),
        }
        declared = {**workflow.harness.env, "STUB_SAYS": says}
        env = command.environment(supervisor, declared, given)
        line = runner.shell + words
        child = command.start(line, cwd=self.tree.path, env=env, run_id="run-recipe", files=files)
        code = child.wait(60.0)
        assert code is not None, "the recipe did not end"
        return command.report(code, files, _started(files), "run-recipe").ended, files

    def changed(self) -> list[str]:
        """Names of files that the agent changed, committed or not."""
        known = user_git(self.tree.path, "diff", "--name-only", self.tree.base_commit).split()
        return known + user_git(self.tree.path, "ls-files", "--others", "--exclude-standard").split()

    def committed(self) -> bool:
        """Whether the agent committed."""
        return user_git(self.tree.path, "rev-parse", "HEAD") != self.tree.commit


@pytest.fixture
def bench(tmp_path: Path, place: Place) -> Bench:
    home = tmp_path / "harness-home"
    shutil.copytree(RECIPES, home / "runners")
    (home / "person").mkdir()
    return Bench(place, place.create(), home)


def _key(name: str) -> dict[str, str]:
    return {KEYS[name]: "a key"}


@pytest.mark.parametrize("name", AGENTS)
def test_a_recipe_lets_its_agent_edit_and_reports_what_it_spent(name: str, bench: Bench) -> None:
    ended, files = bench.run(name, environ=_key(name))
    assert (ended, bench.changed()) == (None, ["done.txt"])
    report = command.report(0, files, _started(files), "run-recipe")
    assert report.spent.tokens == {"claude": 340, "codex": 110, "gemini": 110}[name]
    assert report.spent.usd == {"claude": 250_000, "codex": None, "gemini": None}[name]


@pytest.mark.parametrize("name", AGENTS)
def test_what_the_agent_may_not_commit_the_harness_commits(name: str, bench: Bench) -> None:
    """Codex's sandbox keeps git's folders read-only; `leftovers: commit` makes a commit for every agent."""
    bench.run(name, environ=_key(name))
    assert bench.committed() is (name != "codex")
    worktrees.commit_leftovers(bench.tree.path, "Leftovers")
    assert bench.committed()
    assert user_git(bench.tree.path, "status", "--porcelain") == ""


def test_codex_commits_itself_when_both_git_folders_are_opened_to_it(bench: Bench) -> None:
    ended, _ = bench.run("codex", environ=_key("codex"), words=" --commit")
    assert (ended, bench.committed()) == (None, True)


@pytest.mark.parametrize("name", AGENTS)
def test_without_its_permission_flag_the_agent_changes_nothing(name: str, bench: Bench) -> None:
    recipe = bench.home / "runners" / f"{name}.py"
    text = recipe.read_text(encoding="utf-8")
    assert text.count(PERMISSION[name]) == 1
    recipe.write_text(text.replace(PERMISSION[name], ""), encoding="utf-8")
    _, files = bench.run(name, environ=_key(name))
    assert bench.changed() == []
    assert files.stdout.read_text(encoding="utf-8") != "", "the stub did run"


@pytest.mark.parametrize("name", AGENTS)
def test_a_key_that_workflow_md_does_not_name_never_reaches_the_agent(name: str, bench: Bench) -> None:
    """The environment is built: a key that only the supervisor has is not there."""
    recipe = RECIPES / f"{name}.workflow.md"
    assert f"{KEYS[name]}: ${KEYS[name]}" in recipe.read_text(encoding="utf-8")
    supervisor = {
        **os.environ,
        "PATH": f"{STUBS}:{os.environ['PATH']}",
        "HOME": str(bench.home / "person"),
        **_key(name),
    }
    env = processes.built_environment(supervisor, {"HARNESS_EVIDENCE_DIR": str(bench.home)})
    done = processes.run(
        [sys.executable, str(RECIPES / f"{name}.py")], cwd=bench.tree.path, env=env, timeout=60, stdin=b"do it"
    )
    assert done.exit_code == 1
    assert re.search(rb"Not logged in|401 Unauthorized|Auth method", done.errors)
    assert bench.changed() == []


@pytest.mark.parametrize("name", AGENTS)
def test_a_key_that_is_not_set_is_said_before_anything_starts(name: str, bench: Bench) -> None:
    workflow = load_workflow(RECIPES / f"{name}.workflow.md", {}, bench.home)
    assert KEYS[name] in " ".join(workflow.unready)


@pytest.mark.parametrize("name", AGENTS)
def test_a_login_below_home_is_enough(name: str, bench: Bench) -> None:
    login = {"claude": ".claude/.credentials.json", "codex": ".codex/auth.json", "gemini": ".gemini/oauth_creds.json"}
    file = bench.home / "person" / login[name]
    file.parent.mkdir()
    file.write_text("{}", encoding="utf-8")
    assert bench.run(name)[0] is None
    assert bench.changed() == ["done.txt"]


@pytest.mark.parametrize("name", ["claude", "codex"])
def test_a_quota_waits_for_its_reset_and_counts_as_no_attempt(name: str, bench: Bench) -> None:
    ended, files = bench.run(name, says="quota", environ=_key(name))
    assert ended is not None
    assert ended.outcome is Outcome.PROVIDER_QUOTA
    assert ended.reset_at is not None
    assert 3000 < (ended.reset_at - _started(files)) / 1000 < 4300, "an hour or so, and a little later than others"


def test_a_quota_whose_reset_is_unknown_waits_ten_minutes(bench: Bench) -> None:
    ended, files = bench.run("gemini", says="quota", environ=_key("gemini"))
    assert ended is not None
    assert ended.outcome is Outcome.PROVIDER_DOWN
    assert ended.reset_at is not None
    assert 600 <= (ended.reset_at - _started(files)) / 1000 <= 660
    assert '"provider_quota"' in files.outcome.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", AGENTS)
def test_a_provider_that_is_down_is_waited_for(name: str, bench: Bench) -> None:
    ended, _ = bench.run(name, says="overloaded", environ=_key(name))
    assert ended is not None
    assert ended.outcome is Outcome.PROVIDER_DOWN


@pytest.mark.parametrize("name", AGENTS)
@pytest.mark.parametrize(("says", "expected"), [("talk", None), ("talk_and_fail", Outcome.AGENT_FAULT)])
def test_rate_limit_text_in_task_output_is_not_provider_quota(
    name: str, says: str, expected: Outcome | None, bench: Bench
) -> None:
    """P12: only what the runner's own program reports as its error classifies."""
    ended, files = bench.run(name, says=says, environ=_key(name))
    assert (ended.outcome if ended else None) is expected
    said = files.stdout.read_text(encoding="utf-8") + files.stderr.read_text(encoding="utf-8")
    assert "rate limit exceeded" in said


@pytest.mark.parametrize("name", AGENTS)
@pytest.mark.parametrize("says", ["", "quota", "overloaded", "talk_and_fail"])
def test_every_outcome_of_a_recipe_is_as_the_schema_says(name: str, says: str, bench: Bench) -> None:
    _, files = bench.run(name, says=says, environ=_key(name))
    assert conforms(json.loads(files.outcome.read_text(encoding="utf-8")), outcome_schema())


@pytest.mark.parametrize("name", AGENTS)
def test_an_agent_that_is_not_installed_is_named(name: str, bench: Bench) -> None:
    supervisor = {"PATH": "/usr/bin:/bin"}
    ended, _ = bench.run(name, environ={**_key(name), **supervisor})
    assert ended is not None
    assert f"{name} is not on PATH" in ended.reason


@pytest.mark.parametrize("name", AGENTS)
def test_the_readme_of_the_recipes_shows_each(name: str) -> None:
    readme = (RECIPES / "README.md").read_text(encoding="utf-8")
    assert f"{name}.py" in readme
    assert KEYS[name] in readme
