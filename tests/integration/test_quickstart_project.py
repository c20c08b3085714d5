"""The quickstart's material works: real worktrees, the scripted agent, and the gates of its own plan."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

import pytest

from harnessos import gates, processes, worktrees
from harnessos.errors import Refused
from harnessos.model.facts import DiffFacts
from harnessos.model.gate import Gate
from harnessos.model.plan import Plan, PlannedIssue
from harnessos.model.protection import named_paths
from harnessos.model.verdict import GateResult
from harnessos.plans.read import read_plan
from harnessos.quickstart import Quickstart, free_folder, make_project
from harnessos.quickstart.project import DATA
from harnessos.workflow.load import load_workflow
from harnessos.workflow.template import prompt_of
from harnessos.workflow.values import Workflow
from harnessos.workflow.variables import prompt_variables
from harnessos.worktrees import Merge, Repository, Worktree
from tests.support.repositories import quiet_git, user_git
from tests.support.scripted import AGENT, Played, invoke

__all__ = ["quiet_git"]


class Bench(NamedTuple):
    """A quickstart with what a supervisor reads of it."""

    made: Quickstart
    plan: Plan
    workflow: Workflow
    repo: Repository
    scratch: Path

    def issue(self, key: str) -> PlannedIssue:
        """The planned issue with this key."""
        return next(issue for issue in self.plan.issues if issue.key == key)

    def worktree(
        self, key: str, *, merges: tuple[Merge, ...] = (), run: str = "1", start: str | None = None
    ) -> Worktree:
        """A run's worktree."""
        return worktrees.create(
            self.repo, root=self.scratch / "worktrees", key="WORDS", run_id=f"{key}-{run}", issue=key, target="main",
            merges=merges, start=start, floor=0,
        )  # fmt: skip

    def work(
        self, key: str, tree: Worktree, *, attempt: int = 1, turn: int = 1, rejection: str | None = None
    ) -> Played:
        """Let the agent of WORKFLOW.md play one turn, with the prompt of WORKFLOW.md."""
        issue, runner = self.issue(key), self.workflow.harness.runner
        assert runner is not None
        assert runner.argv is not None
        facts = {"identifier": key, "title": issue.task, "description": issue.description}
        prompt = prompt_of(self.workflow).render(prompt_variables(facts, turn=turn, rejection=rejection))
        evidence = self.scratch / "evidence" / f"{key}-{attempt}"
        return invoke(runner.argv, tree.path, evidence, prompt=prompt, issue=key, attempt=attempt, turn=turn)

    def judge(self, key: str, tree: Worktree, *, own: bool = False) -> list[GateResult]:
        """Run the issue's gates and (unless `own`) the workflow's at the worktree's commit, in the worktree."""
        commit = user_git(tree.path, "rev-parse", "HEAD")
        changed = user_git(tree.path, "diff", "--name-only", tree.base_commit, commit).split()
        facts = DiffFacts(base=tree.base_commit, changed=tuple(changed), conflict_markers=())
        env = processes.built_environment(os.environ, {"PYTHONDONTWRITEBYTECODE": "1"})

        def run(gate: Gate) -> GateResult:
            return gates.execute(
                gate, checkout=tree.path, env=env, log_folder=self.scratch / "logs", subject=commit, facts=facts,
                run_id="run-test",
            )  # fmt: skip

        return [run(gate) for gate in (*self.issue(key).gates, *(() if own else self.workflow.harness.gates))]


@pytest.fixture
def bench(tmp_path: Path, quiet_git: None) -> Bench:
    return _bench(tmp_path, make_project(tmp_path / "quickstart"))


def _bench(tmp_path: Path, made: Quickstart) -> Bench:
    workflow = load_workflow(made.workflow, {}, tmp_path / "home")
    return Bench(made, read_plan(made.plan), workflow, worktrees.open_repository(made.repository), tmp_path)


def _passed(results: list[GateResult]) -> bool:
    return all(result.passed for result in results)


def test_the_plan_has_seven_issues_in_two_milestones_and_four_can_start_at_once(bench: Bench) -> None:
    keys = {issue.key: {bench.plan.issues[at].key for at in issue.depends_on} for issue in bench.plan.issues}
    assert len(bench.plan.milestones) == 2
    assert keys == {
        "slug": set(), "roman": set(), "duration": set(), "wrap": set(),
        "outline": {"slug", "roman"}, "table": {"wrap"}, "digest": {"outline", "table", "duration"},
    }  # fmt: skip
    assert bench.workflow.agent.max_concurrent_agents == 4


def test_the_repository_is_committed_and_every_gate_of_the_plan_fails_at_first(bench: Bench) -> None:
    assert user_git(bench.made.repository, "status", "--porcelain") == ""
    assert user_git(bench.made.repository, "rev-parse", "HEAD") == bench.made.commit
    tree = bench.worktree("slug")
    assert {issue.key for issue in bench.plan.issues if bench.judge(str(issue.key), tree, own=True)[0].passed} == set()


def test_the_tests_that_judge_are_protected(bench: Bench) -> None:
    assert "tests/" in bench.workflow.harness.protect
    named = {path for gate in bench.issue("slug").gates for path in named_paths(gate)}
    assert "tests/test_slug.py" in named


def test_an_agent_does_its_part_and_the_gates_pass(bench: Bench) -> None:
    tree = bench.worktree("slug")
    assert bench.work("slug", tree).code == 0
    assert _passed(bench.judge("slug", tree))


def test_one_agent_fails_its_gate_and_mends_it_once_it_sees_the_output(bench: Bench) -> None:
    tree = bench.worktree("roman")
    assert bench.work("roman", tree).code == 0
    refused = [result for result in bench.judge("roman", tree) if not result.passed]
    assert [result.gate for result in refused] == ["roman-tests"]
    assert bench.work("roman", tree, turn=2, rejection=refused[0].excerpt).code == 0
    assert _passed(bench.judge("roman", tree))


def test_one_agent_crashes_and_its_next_attempt_goes_on_from_the_salvage(bench: Bench) -> None:
    tree = bench.worktree("duration")
    assert bench.work("duration", tree).code == -9
    kept = worktrees.salvage(bench.repo, tree.path, "duration-1", tree.base_commit)
    assert kept is not None
    again = bench.worktree("duration", run="2", start=kept.ref)
    assert "_SECONDS" in (again.path / "wordkit" / "duration.py").read_text()
    assert bench.work("duration", again, attempt=2).code == 0
    assert _passed(bench.judge("duration", again))


def test_an_agent_that_builds_on_others_finds_their_accepted_commits_and_fails_without_them(bench: Bench) -> None:
    assert bench.work("outline", bench.worktree("outline", run="0")).code == 1
    merges = []
    for key, turns in (("slug", 1), ("roman", 2)):
        tree = bench.worktree(key)
        for turn in range(1, turns + 1):
            bench.work(key, tree, turn=turn, rejection="AssertionError: 'IIII' != 'IV'" if turn > 1 else None)
        merges.append(Merge(key, user_git(tree.path, "rev-parse", "HEAD")))
    tree = bench.worktree("outline", merges=tuple(merges))
    assert bench.work("outline", tree).code == 0
    assert _passed(bench.judge("outline", tree))


@pytest.mark.parametrize("runner", ["pytest", "unittest"])
def test_all_answers_together_pass_every_gate(runner: str, tmp_path: Path, quiet_git: None) -> None:
    made = make_project(tmp_path / "quickstart", pytest=runner == "pytest")
    assert made.tests == runner
    bench = _bench(tmp_path, made)
    tree = bench.worktree("digest")
    for answer in (made.agent.parent / "answers").glob("*.py"):
        if (tree.path / "wordkit" / answer.name).exists():
            (tree.path / "wordkit" / answer.name).write_bytes(answer.read_bytes())
    worktrees.commit_leftovers(tree.path, "all answers")
    results = [result for issue in bench.plan.issues for result in bench.judge(str(issue.key), tree, own=True)]
    assert [result for result in results if not result.passed] == []


def test_the_documents_stay_sound_in_a_folder_with_odd_characters(tmp_path: Path, quiet_git: None) -> None:
    made = make_project(tmp_path / 'a "quoted" $HOME: {{ x }} # é')
    bench = _bench(tmp_path, made)
    assert bench.work("slug", bench.worktree("slug")).code == 0


def test_a_folder_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    with pytest.raises(Refused):
        make_project(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_the_next_free_folder_is_numbered(tmp_path: Path) -> None:
    first = free_folder(tmp_path)
    first.mkdir()
    assert (first.name, free_folder(tmp_path).name) == ("harness-quickstart", "harness-quickstart-2")


def test_the_agent_that_is_copied_is_the_one_in_the_examples(bench: Bench) -> None:
    assert AGENT.read_bytes() == bench.made.agent.read_bytes()


def test_no_tool_takes_the_packages_data_for_code_of_ours() -> None:
    assert [path for path in DATA.rglob("*") if path.is_file() and path.suffix != ".txt"] == []
