"""The scorecard gate over a real session: kept with the run, resting on evidence, and never enough alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.mcp_desk import Hands
from tests.support.repositories import commit_files
from tests.support.scorecards import card
from tests.support.supervised import EITHER, KEY, Site, issue, on_store

SESSION, SAVED = "harness_session", "harness_artifacts"
MARKS = {"name": "marks", "kind": "scorecard"}
CHANGES = {"name": "changes", "kind": "diff"}


@pytest.fixture(params=EITHER)
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    """A project whose gates are a change and a scorecard."""
    with on_store(request, tmp_path) as made:
        made.workflow("true", gates=[CHANGES, MARKS])
        made.plan(issue("work"))
        yield made


@pytest.fixture
def agent(site: Site) -> Iterator[Hands]:
    made = Hands(site.environ, site.root, site.environ.get("HARNESS_STORE"))
    yield made
    made.desk.close()


def begun(agent: Hands, text: str = "done\n") -> tuple[str, str]:
    """Begin, commit work, and save it as evidence; return the token and the evidence's id."""
    work = agent.good(SESSION, "begin", project=KEY, worktree=True)
    commit_files(Path(work["worktree"]), {"work.txt": text})
    token = work["session"]["token"]
    return token, agent.good(SAVED, "save", session=token, path="work.txt", kind="data")["id"]


def close(agent: Hands, token: str, *cards: dict[str, Any]) -> Any:
    return agent.good(
        SESSION, "close", session=token, outcome="finished", **({"scorecards": list(cards)} if cards else {})
    )


def test_work_is_accepted_with_a_card_that_rests_on_evidence_and_rejected_without(agent: Hands) -> None:
    token, evidence = begun(agent)
    missing = close(agent, token)
    assert (missing["verdict"], missing["session_open"]) == ("rejected", True)
    assert "no scorecard" in missing["reason"]
    poor = close(agent, token, card({"security": 3}, evidence))
    assert poor["verdict"] == "rejected"
    assert "average" in poor["reason"]
    good = close(agent, token, card(evidence=evidence, id="card-2"))
    assert good["verdict"] == "verified", "a later card takes the place of the poor one"


def test_a_card_with_a_checkpoint_counts_as_well_and_results_of_gates_are_evidence(site: Site, agent: Hands) -> None:
    token, _ = begun(agent)
    close(agent, token)
    run = site.runs(f"{KEY}-1")[0]
    seen = site.evidence(run)[0]["id"]
    words = {"title": "marked", "summary": "looked at it all", "next_step": "close"}
    kept = agent.good(SESSION, "checkpoint", session=token, scorecards=[card(evidence=seen)], **words)
    assert len(kept["scorecards"]) == 1
    assert close(agent, token)["verdict"] == "verified"


@pytest.mark.parametrize("evidence", ["art-invented", "", "../../x"])
def test_a_card_that_cites_nothing_that_is_there_is_refused_and_nothing_is_judged(agent: Hands, evidence: str) -> None:
    token, _ = begun(agent)
    said = agent.refused(SESSION, "close", session=token, outcome="finished", scorecards=[card(evidence=evidence)])
    assert said["code"] == "bad_document"
    assert agent.good(SESSION, "show", session=token)["session"]["verdict"] is None


def test_evidence_of_another_issue_is_none_of_this_one(site: Site, agent: Hands) -> None:
    site.plan(issue("other"), milestone="m2")
    _, foreign = begun(agent)
    token, _ = begun(agent, "other\n")
    said = agent.refused(SESSION, "close", session=token, outcome="finished", scorecards=[card(evidence=foreign)])
    assert foreign in said["message"]


def test_a_card_whose_file_was_changed_counts_for_nothing(site: Site, agent: Hands) -> None:
    token, evidence = begun(agent)
    words = {"title": "t", "summary": "s", "next_step": "n"}
    agent.good(SESSION, "checkpoint", session=token, scorecards=[card(evidence=evidence)], **words)
    run = site.runs(f"{KEY}-1")[0]
    (file,) = (site.home / "runs" / run["id"] / "scorecards").iterdir()
    file.write_text(json.dumps(card(dict.fromkeys(("correctness", "quality"), 10), evidence)), encoding="utf-8")
    said = close(agent, token)
    assert said["verdict"] == "rejected"
    assert "not the one that was kept" in said["reason"]


def test_a_card_alone_leaves_the_work_unverified(site: Site, agent: Hands) -> None:
    site.workflow("true", gates=[MARKS])
    token, evidence = begun(agent)
    assert close(agent, token, card(evidence=evidence))["verdict"] == "unverified"


def test_cards_come_from_the_command_line_too(site: Site, tmp_path: Path) -> None:
    begun_ = site.json("session", "begin", "--project", KEY, "--worktree")
    token, folder = begun_["session"]["token"], Path(begun_["worktree"])
    commit_files(folder, {"work.txt": "done\n"})
    agent = Hands(site.environ, site.root, site.environ.get("HARNESS_STORE"))
    evidence = agent.good(SAVED, "save", session=token, path="work.txt", kind="data")["id"]
    agent.desk.close()
    file = tmp_path / "card.json"
    file.write_text("no json", encoding="utf-8")
    words = ("session", "close", "--session", token, "--outcome", "finished", "--scorecard", str(file))
    assert site.call(*words, cwd=folder).code == 65
    file.write_text(json.dumps(card(evidence=evidence)), encoding="utf-8")
    checked = ("session", "checkpoint", "--session", token, "--title", "t", "--summary", "s", "--next-step", "n")
    assert site.call(*checked, "--scorecard", str(file)).code == 0
    assert site.call(*words[:-2], cwd=folder).code == 0
