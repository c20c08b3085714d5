"""What a run starts from, what it sees, what is kept of it, and what it never touches."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from harnessos.dispatch import manifest, watching
from tests.support.json_schema import conforms
from tests.support.python import ROOT
from tests.support.supervised import UNTIL_IDLE, WORK, Site, issue, site

__all__ = ["site"]

BRIEFLY = UNTIL_IDLE._replace(max_wait_ms=1)
MILESTONES: dict[str, Any] = {
    "milestones": [
        {
            "milestone_key": "first",
            "description": "m",
            "issues": [issue("a", key="a"), issue("b", key="b", depends_on_keys=["a"])],
        },
        {
            "milestone_key": "second",
            "description": "m",
            "depends_on_milestone_keys": ["first"],
            "issues": [issue("c", key="c")],
        },
    ]
}


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Try again at once."""
    monkeypatch.setattr("harnessos.model.outcome.BACKOFF_FIRST_MS", 1)
    monkeypatch.setattr(watching, "LOOK_S", 0.1)


def test_dependents_see_what_they_depend_on_through_issues_and_milestones(site: Site) -> None:
    a, b, c = site.apply(MILESTONES)
    site.workflow(f"ls > $HARNESS_EVIDENCE_DIR/seen; {WORK}")
    assert site.up().code == 0
    assert f"{a}.txt" in site.kept(site.run(b), "seen")
    seen = site.kept(site.run(c), "seen")
    assert f"{a}.txt" in seen
    assert f"{b}.txt" in seen
    # What they build on is no change of theirs.
    assert site.git("diff", "--name-only", site.run(c)["base_commit"], site.run(c)["commit_id"]) == f"{c}.txt"


def test_dependencies_that_contradict_each_other_block_the_dependent_with_one_question(site: Site) -> None:
    a, b, c = site.plan(
        issue("one way", key="a"), issue("other way", key="b"), issue("both", key="c", depends_on_keys=["a", "b"])
    )
    site.workflow("echo $HARNESS_ISSUE > same.txt")
    assert site.up().code == 0
    ((status, reason),) = site.standing(c)
    assert status == "blocked"
    assert reason in (f"merge_conflict:{a}", f"merge_conflict:{b}")
    assert len(site.attention()) == 1
    assert site.worktrees() == []
    assert site.run(c)["turns"] == 0


def test_a_commit_ahead_of_a_crash_is_salvaged_never_taken_for_a_result(site: Site) -> None:
    (one,) = site.plan(issue("commit, then crash"))
    site.workflow(f"{WORK}; echo unsaved > loose.txt; exit 1", budget={"attempts": 1})
    assert site.up().code == 1
    run = site.run(one)
    assert run["verdict"] is None
    assert site.accepted() == {}
    kept = f"refs/harness/salvage/{run['id']}"
    assert site.git("show", f"{kept}:loose.txt") == "unsaved"
    assert site.git("show", f"{kept}:{one}.txt")
    assert site.worktrees() == []


def test_a_new_attempt_starts_from_the_salvage_with_uncommitted_work_uncommitted_again(site: Site) -> None:
    (one,) = site.plan(issue("crash once"))
    site.workflow(
        f"if [ $HARNESS_ATTEMPT = 1 ]; then {WORK}; echo staged > s; git add s; echo loose > l; exit 1; fi; "
        "git status --porcelain > $HARNESS_EVIDENCE_DIR/state; git log --format=%s > $HARNESS_EVIDENCE_DIR/log",
        prompt="{{ attempt }} {{ resume }}",
    )
    assert site.up().code == 0
    first, second = site.runs(one)
    assert set(site.kept(second, "state").splitlines()) <= {"A  s", "?? l", "?? s"}
    assert "l" in site.kept(second, "state")
    assert "work" in site.kept(second, "log").splitlines()
    assert first["worktree"] != second["worktree"]
    assert (second["attempt"], second["epoch"]) == (2, 2)
    prompt = site.kept(second, "prompt-1.md")
    assert prompt.startswith("1 ")
    assert "exit code 1" in prompt


def test_a_new_attempt_starts_clean_where_the_workflow_says_so(site: Site) -> None:
    (one,) = site.plan(issue("crash once"))
    site.workflow(
        f"if [ $HARNESS_ATTEMPT = 1 ]; then {WORK}; echo l > l; exit 1; fi; ls > $HARNESS_EVIDENCE_DIR/seen; touch new",
        worktree={"retry": "clean"},
    )
    assert site.up().code == 0
    assert site.kept(site.runs(one)[1], "seen").split() == ["README"]


def test_checkpoint_written_when_agent_is_sigkilled(site: Site) -> None:
    """The harness derives one from git where the agent wrote none (P13)."""
    (one,) = site.plan(issue("die"))
    site.workflow("echo half > half.txt; kill -9 $$", budget={"attempts": 1})
    site.up()
    found = site.issue(one)["id"]
    rows = site.ledger.read(lambda tx: tx.all("checkpoint_of_issue", issue=found, most=10))
    assert [row["derived"] for row in rows] == [1]
    assert "half.txt" in rows[0]["body_json"]


def test_main_checkout_head_and_tree_unchanged_by_run(site: Site) -> None:
    """A dirty checkout works, and `up` says that its changes are not in the base (P22)."""
    (site.root / "README").write_text("not committed\n", encoding="utf-8")
    (site.root / "new.txt").write_text("untracked\n", encoding="utf-8")
    before = (
        site.git("rev-parse", "HEAD"),
        site.git("status", "--porcelain=v2", "--branch"),
        site.git("ls-files", "-s"),
    )
    (one,) = site.plan(issue("read"))
    site.workflow(f"cp README $HARNESS_EVIDENCE_DIR/readme; {WORK}")
    up = site.up()
    (warning,) = up.named("up.uncommitted_changes")
    assert warning["paths"] == 2
    assert site.kept(site.run(one), "readme") == "one\n"
    assert (
        site.git("rev-parse", "HEAD"),
        site.git("status", "--porcelain=v2", "--branch"),
        site.git("ls-files", "-s"),
    ) == before


def test_the_manifest_is_published_lies_outside_the_worktree_and_survives_it(site: Site) -> None:
    (one,) = site.plan(issue("crash once"))
    site.workflow(f"echo said; if [ $HARNESS_ATTEMPT = 1 ]; then touch x; exit 1; fi; {WORK}")
    assert site.up().code == 0
    first, second = (site.manifest(run) for run in site.runs(one))
    schema = json.loads((ROOT / "docs" / "schemas" / "manifest.schema.json").read_text(encoding="utf-8"))
    assert conforms(first, schema)
    assert conforms(second, schema)
    assert (first["outcome"], first["cleanup"], first["gates"]) == ("agent_fault", "removed", [])
    assert first["salvage_ref"] == f"refs/harness/salvage/{first['run']}"
    assert (second["verdict"], second["commit"]) == ("verified", site.runs(one)[1]["commit_id"])
    assert [row["outcome"] for row in second["retries"]] == ["agent_fault"]
    assert [gate["passed"] for gate in second["gates"]] == [True]
    assert {"prompt-1.md", "turn-1.out.log", "turn-1.exit.json"} <= {file["path"] for file in second["artifacts"]}
    assert site.kept(site.runs(one)[1], "turn-1.out.log") == "said\n"
    assert not Path(second["worktree"]).exists()


def test_the_logs_of_gates_outlive_the_worktree(site: Site) -> None:
    (one,) = site.plan(issue("be judged"))
    site.workflow(WORK, gates=[{"name": "loud", "kind": "command", "shell": "echo judged here"}])
    assert site.up().code == 0
    (row,) = site.evidence(site.run(one))
    assert "judged here" in Path(row["log"]).read_text(encoding="utf-8")
    assert row["subject"] == site.run(one)["commit_id"]


HOOKS = ("after_create", "before_run", "after_run", "before_remove")


def hooks(**given: str) -> dict[str, Any]:
    """Hooks that write their names, with what some of them do beside it."""
    return {name: f"echo {name} >> LOG; {given.get(name, 'true')}" for name in HOOKS}


def hooked(
    site: Site, agent: str, given: Mapping[str, str] | None = None, *, timeout_ms: int = 60_000
) -> tuple[str, list[str]]:
    """Run one issue with hooks; return it, and what ran in which order."""
    (one,) = site.plan(issue("be hooked"))
    log = site.folder / "hooks.log"
    log.write_text("", encoding="utf-8")
    site.workflow(
        f"echo agent >> {log}; {agent}",
        front={"hooks": {**hooks(**(given or {})), "timeout_ms": timeout_ms}},
        budget={"attempts": 1},
    )
    text = (site.root / "WORKFLOW.md").read_text(encoding="utf-8").replace(">> LOG;", f">> {log};")
    (site.root / "WORKFLOW.md").write_text(text, encoding="utf-8")
    site.up(BRIEFLY)
    return one, log.read_text(encoding="utf-8").split()


def test_hooks_run_in_order_once_a_run(site: Site) -> None:
    one, ran = hooked(site, f"test $HARNESS_TURN = 1 || {{ {WORK}; }}")
    assert ran == ["after_create", "before_run", "agent", "agent", "after_run", "before_remove"]
    assert site.issue(one)["status"] == "done"


def test_after_run_runs_after_a_failure_too(site: Site) -> None:
    _, ran = hooked(site, "exit 1")
    assert ran == ["after_create", "before_run", "agent", "after_run", "before_remove"]


@pytest.mark.parametrize("name", ["after_create", "before_run"])
def test_a_fatal_hook_that_fails_starts_no_agent(site: Site, name: str) -> None:
    one, ran = hooked(site, WORK, {name: "exit 3"})
    assert "agent" not in ran
    run = site.runs(one)[0]
    assert run["outcome"] == "harness_fault"
    assert f"the hook {name} ended with exit code 3" in run["reason"]
    assert site.worktrees() == []


@pytest.mark.parametrize("name", ["after_run", "before_remove"])
def test_a_hook_at_the_end_that_fails_stops_nothing(site: Site, name: str) -> None:
    one, _ = hooked(site, WORK, {name: "exit 3"})
    assert site.issue(one)["status"] == "done"
    assert site.worktrees() == []


def test_a_hook_that_hangs_is_ended_with_its_tree(site: Site) -> None:
    one, ran = hooked(site, WORK, {"before_run": "sleep 60", "after_run": "sleep 60"}, timeout_ms=700)
    assert "agent" not in ran
    assert "time limit" in site.runs(one)[0]["reason"]


def test_disk_floor_blocks_new_worktree_with_reason(site: Site) -> None:
    """Nothing is claimed, so no issue pays for a full disk (P14)."""
    (one,) = site.plan(issue("wait for room"))
    site.workflow(WORK)
    up = site.up(BRIEFLY, environ={"HARNESS_DISK_FLOOR": str(2**60)})
    assert up.code == 75
    assert "GB are free" in up.named("up.cannot_dispatch")[0]["reason"]
    assert site.runs(one) == []
    assert site.standing(one) == [("ready", None)]
    assert site.up().code == 0


def test_an_agent_that_removes_its_own_worktree_is_no_bug_of_ours(site: Site) -> None:
    (one,) = site.plan(issue("saw the branch"))
    site.workflow('cd /; rm -rf "$HARNESS_WORKTREE"', budget={"attempts": 1})
    up = site.up(BRIEFLY)
    assert up.named("up.bug") == []
    assert site.run(one)["outcome"] == "agent_fault"
    assert site.worktrees() == []


def test_an_agent_that_moves_its_branch_away_is_judged_where_its_head_is(site: Site) -> None:
    (one,) = site.plan(issue("switch branches"))
    site.workflow(f"git switch --quiet -c mine; {WORK}")
    assert site.up().code == 0
    assert site.git("show", f"{site.run(one)['commit_id']}:{one}.txt")


@pytest.fixture
def plain(tmp_path: Path) -> Any:
    """A plain folder registered as a project."""
    made = Site(tmp_path, git=False)
    yield made
    made.close()


def test_a_plain_folder_is_worked_in_place_one_run_at_a_time(plain: Site) -> None:
    one, two = plain.plan(issue("a"), issue("b"))
    plain.workflow(
        "test ! -e $HARNESS_HOME/busy; touch $HARNESS_HOME/busy; echo x > $HARNESS_ISSUE.txt; sleep 0.3; rm $HARNESS_HOME/busy",
        gates=[{"name": "there", "kind": "command", "shell": "ls *.txt"}],
    )
    assert plain.up().code == 0
    assert plain.standing(one, two) == [("done", None)] * 2
    (row,) = plain.evidence(plain.run(one))
    assert len(row["subject"]) == 64
    assert plain.run(one)["commit_id"] == row["subject"]
    assert (plain.root / f"{one}.txt").exists()


def test_in_a_plain_folder_a_gate_that_changes_files_proves_nothing(plain: Site) -> None:
    (one,) = plain.plan(issue("a"))
    plain.workflow(
        "touch made.txt", gates=[{"name": "messy", "kind": "command", "shell": "date +%N > stamp; test -f made.txt"}]
    )
    plain.up(BRIEFLY)
    assert (
        plain.run(one)["verdict"] == "error" if len(plain.runs(one)) == 1 else plain.runs(one)[0]["verdict"] == "error"
    )


def test_in_a_plain_folder_what_a_failed_run_changed_is_copied_to_its_folder(plain: Site) -> None:
    (one,) = plain.plan(issue("a"))
    plain.workflow("echo changed > README; echo new > new.txt; exit 1", gates=[], budget={"attempts": 1})
    plain.up(BRIEFLY)
    assert plain.kept(plain.run(one), "salvage/files/README") == "changed\n"
    assert json.loads(plain.kept(plain.run(one), "salvage/changes.json"))["added"] == ["new.txt"]
    assert plain.manifest(plain.run(one))["outcome"] == "agent_fault"


def test_hooks_of_a_plain_folder_run_in_it(plain: Site) -> None:
    plain.plan(issue("a"))
    log = plain.folder / "hooks.log"
    plain.workflow("touch made.txt", gates=[], require_gates=False, front={"hooks": {"before_run": f"pwd > {log}"}})
    assert plain.up().code == 0
    assert log.read_text(encoding="utf-8").strip() == str(plain.root)


def test_file_names_that_are_no_text_end_a_run_like_any_other(site: Site) -> None:
    """In the worktree, where the derived checkpoint names them, and in the run's folder, which the manifest lists."""
    (one,) = site.plan(issue("name files badly"))
    site.workflow(
        'name=$(printf \'x\\377y\'); touch "$name" "$HARNESS_EVIDENCE_DIR/$name"; exit 1', budget={"attempts": 1}
    )
    up = site.up(BRIEFLY)
    assert (up.code, up.named("up.bug")) == (1, [])
    run = site.run(one)
    assert (run["live"], run["outcome"], run["reason"]) == (0, "agent_fault", "the agent ended with exit code 1")
    rows = site.ledger.read(lambda tx: tx.all("checkpoint_of_issue", issue=run["issue_id"], most=10))
    assert "x\\\\udcffy: uncommitted" in rows[0]["body_json"]
    assert "evidence/x\udcffy" in [file["path"] for file in site.manifest(run)["artifacts"]]
    assert site.worktrees() == []


def test_a_run_whose_work_cannot_be_kept_ends_says_so_and_leaves_its_worktree(site: Site) -> None:
    (one,) = site.plan(issue("break git"))
    site.workflow('echo mine > mine.txt; rm -rf "$(git rev-parse --absolute-git-dir)"; exit 1', budget={"attempts": 1})
    up = site.up(BRIEFLY)
    assert (up.code, up.named("up.bug")) == (1, [])
    run = site.run(one)
    assert run["outcome"] == "agent_fault"
    assert run["reason"].startswith("the agent ended with exit code 1; not all of it was kept: ")
    assert "git does not know" in run["reason"]
    assert (Path(run["worktree"]) / "mine.txt").is_file()
    assert site.manifest(run)["cleanup"].startswith("kept: git does not know")


def test_a_manifest_reads_and_lists_no_more_than_it_may(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run's folder is the agent's too."""
    monkeypatch.setattr(manifest, "MOST_ARTIFACTS", 20)
    monkeypatch.setattr(manifest, "MOST_HASHED", 100_000)
    (one,) = site.plan(issue("write much"))
    site.workflow(
        "cd $HARNESS_EVIDENCE_DIR; head -c 200000 /dev/zero > a-large; mkdir many; touch many/$(seq -s ' many/' 50); exit 1",
        budget={"attempts": 1},
    )
    site.up(BRIEFLY)
    found = site.manifest(site.run(one))["artifacts"]
    assert len(found) == 20
    assert next(file for file in found if file["path"] == "evidence/a-large") == {
        "path": "evidence/a-large",
        "sha256": None,
        "size": 200_000,
    }
    schema = json.loads((ROOT / "docs" / "schemas" / "manifest.schema.json").read_text(encoding="utf-8"))
    assert conforms(site.manifest(site.run(one)), schema)


def test_a_checkout_that_cannot_be_deleted_takes_nothing_from_the_verdict(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files of another user, say; once they can be deleted, the sweep does it."""
    (one,) = site.plan(issue("be judged"))
    site.workflow(WORK)
    refused: list[Path] = []
    really = shutil.rmtree

    def rmtree(path: Path, **given: Any) -> None:
        if "checkouts" in Path(path).parts and len(refused) < 2:
            refused.append(Path(path))
            raise PermissionError(13, "Permission denied", str(path))
        really(path, **given)

    monkeypatch.setattr("harnessos.worktrees.removal.shutil.rmtree", rmtree)
    assert site.up().code == 0
    assert len(refused) == 2
    assert site.run(one)["verdict"] == "verified"
    assert [path for path in site.home.glob("checkouts/*/*") if path.suffix != ".lock"] == []


def test_what_a_removal_that_was_cut_short_left_is_deleted_and_one_bad_run_keeps_no_other(site: Site) -> None:
    one, two = site.plan(issue("a"), issue("b"))
    site.workflow(WORK)
    assert site.up().code == 0
    places = [Path(site.run(name)["worktree"]) for name in (one, two)]
    half_gone = [path.with_name(f"{path.name}.going") for path in places]
    half_gone.append(site.home / "checkouts" / site.key / "1.going")
    for path in half_gone:
        path.mkdir(parents=True)
        (path / "left.txt").touch()
    bad = min(half_gone[:2])
    unwritable = site.home / "runs" / bad.stem
    shutil.rmtree(unwritable)
    unwritable.touch()
    up = site.up()
    assert up.code == 0
    assert str(unwritable) in up.named("up.cannot_clean_up")[0]["reason"]
    assert [path for path in half_gone if path.exists()] == [bad]
