"""`harness quickstart`, as a person types it: from nothing to seven verified commits."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from harnessos import processes
from tests.support.commands import NO_CAPABILITIES, Said, Terminal, require_modes
from tests.support.python import ROOT
from tests.support.repositories import user_git


def test_four_agents_carry_out_the_plan_with_one_sent_back_and_one_retried(tmp_path: Path) -> None:
    folder = tmp_path / "quickstart"
    env = {"HOME": str(tmp_path), "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "src")}
    done = processes.run(
        [sys.executable, "-m", "harnessos", "quickstart", str(folder), "--json"], cwd=tmp_path, env=env, timeout=110
    )
    assert done.exit_code == 0, (done.output + done.errors)[-3000:].decode(errors="replace")
    events = [json.loads(line) for line in done.output.splitlines()]
    kinds = [event["event"] for event in events]
    assert kinds[: kinds.index("run.ended")].count("run.claimed") == 4, "four were at work before the first had ended"
    issues = {issue["task"]: issue for issue in events[-1]["issues"]}
    assert len(issues) == 7
    assert {issue["verdict"] for issue in issues.values()} == {"verified"}
    assert (issues["Write and read Roman numerals"]["attempts"], issues["Write and read Roman numerals"]["turns"]) == (
        1,
        2,
    )
    assert issues["Read durations such as 1h30m"]["attempts"] == 2
    repository = folder / "wordkit"
    page = issues["Put it all on one page"]["commit"]
    for task in ("Number headings and give them anchors", "Read durations such as 1h30m"):
        user_git(repository, "merge-base", "--is-ancestor", issues[task]["commit"], page)
    assert user_git(repository, "status", "--porcelain") == ""
    assert user_git(repository, "rev-parse", "--abbrev-ref", "HEAD") == "main"


def _quickstart(tmp_path: Path, *words: str, wrap: tuple[str, ...] = (), path: str | None = None) -> Said:
    terminal = Terminal(tmp_path / "home", tmp_path)
    return terminal("quickstart", *words, "--json", wrap=wrap, PATH=path or os.environ["PATH"])


def test_a_folder_that_cannot_be_written_is_refused_with_a_remedy(tmp_path: Path) -> None:
    require_modes(tmp_path)
    closed = tmp_path / "read-only"
    closed.mkdir()
    closed.chmod(0o555)
    for folder in (closed, closed / "new"):
        said = _quickstart(tmp_path, str(folder), wrap=NO_CAPABILITIES)
        assert said.code == 65, said
        assert (said.error["code"], "Traceback" in said.err) == ("refused", False)
        assert "harness quickstart FOLDER" in said.error["hint"]
    assert list(closed.iterdir()) == []


def test_without_git_nothing_is_made(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "empty").mkdir()
    for name in ("new", "there"):
        said = _quickstart(tmp_path, str(tmp_path / name), path=str(tmp_path / "empty"))
        assert said.code == 1, said
        assert said.error["code"] == "git_missing"
    assert not (tmp_path / "new").exists()
    assert list((tmp_path / "there").iterdir()) == []


def test_what_was_made_before_git_failed_is_taken_away(tmp_path: Path) -> None:
    git = tmp_path / "bin" / "git"
    git.parent.mkdir()
    git.write_text('#!/bin/sh\ncase "$*" in *--version) echo git version 2;; *) exit 1;; esac\n', encoding="utf-8")
    git.chmod(0o755)
    (tmp_path / "there").mkdir()
    for name in ("new", "there"):
        said = _quickstart(tmp_path, str(tmp_path / name), path=f"{git.parent}:/usr/bin:/bin")
        assert said.error["code"] == "git_failed", said
    assert not (tmp_path / "new").exists()
    assert list((tmp_path / "there").iterdir()) == []
