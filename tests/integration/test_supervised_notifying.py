"""People are woken once for each question, by a program that can neither hold the service up nor fail in silence."""

from __future__ import annotations

import json

from tests.support.supervised import WORK, Site, issue, site

__all__ = ["site"]


def test_each_question_is_told_to_the_notifier_once(site: Site) -> None:
    one, two = site.plan(issue("a"), issue("b"))
    told = site.folder / "told"
    notifier = site.script(f"cat >> {told}; echo >> {told}", "notify.sh")
    site.workflow("exit 1", budget={"attempts": 1}, notify=notifier)
    assert site.up().code == 1
    assert site.up().code == 1
    rows = [json.loads(line) for line in told.read_text(encoding="utf-8").splitlines()]
    assert sorted(row["identifier"] for row in rows) == [one, two]
    assert {row["kind"] for row in rows} == {"failed"}
    assert all(row["command"].startswith("harness issue retry") for row in rows)


def test_a_slow_notifier_holds_nobody_up(site: Site) -> None:
    """It ends only when the next agent is at work: were that agent kept waiting, the notifier would be cut off."""
    site.plan(issue("fail", budget={"attempts": 1}), issue("work"))
    next_one = site.folder / "next-one-at-work"
    site.workflow(
        f"test $HARNESS_ISSUE = WORK-2 || exit 1; touch {next_one}; {WORK}",
        notify=site.script(f"until test -e {next_one}; do sleep 0.05; done", "notify.sh"),
        front={"agent": {"max_concurrent_agents": 1}},
    )
    up = site.up()
    assert up.code == 1
    assert len(up.named("run.ended")) == 2
    assert up.named("up.cannot_notify") == []


def test_a_notifier_that_fails_is_told_of_and_the_question_stays_in_the_inbox(site: Site) -> None:
    """Somebody sleeps because of it: that it cannot be started, or says no, must not pass in silence."""
    (one,) = site.plan(issue("fail"))
    site.workflow("exit 1", budget={"attempts": 1}, notify=[str(site.folder / "no-such-program")])
    (told,) = site.up().named("up.cannot_notify")
    assert told["project"] == site.key
    assert "no-such-program" in told["reason"]
    assert site.call("issue", "retry", one).code == 0
    refusing = site.script("exit 3", "notify.sh")
    site.workflow("exit 1", budget={"attempts": 1}, notify=refusing)
    (told,) = site.up().named("up.cannot_notify")
    assert told["reason"] == f"{refusing[0]} ended with exit code 3"
    assert [row["identifier"] for row in site.attention()] == [one]
