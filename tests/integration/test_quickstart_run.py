"""`harness quickstart`, as a person types it: from nothing to seven verified commits."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from harnessos import processes
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
