"""After `kill -9` of `harness up` the views say that the run's supervisor is dead, and what brings it back."""

from __future__ import annotations

import signal
from typing import Any

from harnessos.services.supervisor import Options
from tests.support.agents import ended
from tests.support.supervised import Site, issue, site
from tests.support.waiting import eventually

__all__ = ["site"]

WAIT = "while [ ! -e $HARNESS_HOME/go ]; do sleep 0.02; done"


def _supervisors(site: Site) -> list[str]:
    """Return the runs of which doctor says that their supervisor is dead."""
    checks = {check["name"]: check for check in site.json("doctor")["checks"]}
    return [found["subject"] for found in checks["supervisors"]["findings"]]


def _live(site: Site) -> Any:
    """Return the live run's line of status. Any: JSON."""
    (line,) = site.json("status")["runs"]
    return line


def test_a_dead_supervisor_is_told_by_status_why_next_and_doctor(site: Site) -> None:
    (one,) = site.plan(issue("wait"))
    site.workflow(WAIT)
    with site.start() as up:
        up.saw("run.launched")
        run = site.run(one)
        assert not _live(site)["supervisor_dead"]
        assert "DEAD" not in site.call("status").out
        assert site.json("why", one)["command"] == ["harness", "run", "stop", run["id"]]
        assert _supervisors(site) == []
        assert site.json("next")["action"] == "idle"
        up.process.send_signal(signal.SIGKILL)
        up.end()
    recovers = ["harness", "up", "--project", site.key]
    assert _live(site)["supervisor_dead"]
    assert "ITS SUPERVISOR IS DEAD: `harness up" in site.call("status").out
    for subject in (one, run["id"], site.key):
        found = site.json("why", subject)
        assert found["command"] == recovers, found
        assert "supervisor" in found["sentence"]
        assert "is dead" in found["sentence"]
    assert site.json("why", one)["row"] == {"table": "runs", "id": run["id"], "column": "pid", "value": run["pid"]}
    assert _supervisors(site) == [run["id"]]
    assert site.call("doctor").code == 1
    proposed = site.json("next")
    assert (proposed["action"], proposed["payload"]["command"]) == ("recover", recovers)
    (site.home / "go").touch()
    site.up(Options(once=True))
    assert _supervisors(site) == []


def test_of_another_machine_or_another_boot_nothing_is_claimed(site: Site) -> None:
    """A cloned machine has the same id and another boot: as long as the lease is renewed its supervisor may live."""
    (one,) = site.plan(issue("wait"))
    site.workflow(WAIT)
    with site.start() as up:
        up.saw("run.launched")
        up.process.send_signal(signal.SIGKILL)
        up.end()
    for elsewhere in ({"HARNESS_MACHINE_ID": "elsewhere"}, {"HARNESS_BOOT_ID": "another"}):
        (line,) = site.json("status", environ=elsewhere)["runs"]
        assert not line["supervisor_dead"]
        assert site.json("why", one, environ=elsewhere)["command"][1:3] == ["run", "stop"]
    agent = site.run(one)["agent_pid"]
    (site.home / "go").touch()
    eventually(lambda: ended(agent), what="the agent's end")
