"""`import harnessos`: a ledger for Python programs."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

import harnessos
from harnessos import errors
from tests.support.commands import Terminal, registered
from tests.support.python import run_python
from tests.support.repositories import commit_files


@pytest.fixture
def terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    terminal = registered(tmp_path)
    monkeypatch.setenv("HARNESS_HOME", str(terminal.home))
    for name in ("HARNESS_STORE", "HARNESS_PROJECT", "HARNESS_RUN_ID", "HARNESS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    return terminal


def test_a_program_works_an_issue_from_begin_to_verdict(terminal: Terminal) -> None:
    with harnessos.open_ledger(cwd=terminal.cwd) as ledger:
        assert [project.key for project in ledger.projects()] == ["DOCS"]
        session = ledger.begin("DOCS", agent="program")
        assert session is not None
        assert session.issue.identifier == "DOCS-1"
        assert session.heartbeat() > 0
        assert session.checkpoint("half", "s", "n", plan=["[x] look"]) == 1
        assert session.close(checkout=terminal.cwd).verdict == "rejected"
        commit_files(terminal.cwd, {"a.txt": "made\n"})
        done = session.close(checkout=terminal.cwd)
        assert (done.verdict, done.is_open, done.issue.status) == ("verified", False, "done")
        assert [issue.status for issue in ledger.issues("DOCS")] == ["done", "ready", "ready"]
        with pytest.raises(harnessos.errors.LeaseLost):
            session.heartbeat()


def test_threads_share_a_ledger_and_never_an_issue(terminal: Terminal) -> None:
    taken: list[str] = []
    with harnessos.open_ledger(cwd=terminal.cwd) as ledger:

        def work() -> None:
            session = ledger.begin("DOCS")
            if session is not None:
                taken.append(session.issue.identifier)

        threads = [threading.Thread(target=work) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    assert sorted(taken) == ["DOCS-1", "DOCS-3"]


def test_a_plan_is_applied_from_python(terminal: Terminal) -> None:
    with harnessos.open_ledger(cwd=terminal.cwd) as ledger:
        assert ledger.apply_plan(terminal.plan()).unchanged == ["DOCS-1", "DOCS-2", "DOCS-3"]


def test_opening_never_creates(tmp_path: Path) -> None:
    with pytest.raises(errors.StoreMissing):
        harnessos.open_ledger(f"sqlite:///{tmp_path}/none.sqlite")
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_list_of_a_checkpoint_is_refused(terminal: Terminal) -> None:
    with harnessos.open_ledger(cwd=terminal.cwd) as ledger:
        session = ledger.begin("DOCS")
        assert session is not None
        with pytest.raises(errors.BadUsage, match="feelings"):
            session.checkpoint("t", "s", "n", feelings=["good"])


def test_an_unknown_name_is_no_attribute() -> None:
    with pytest.raises(AttributeError, match="nothing"):
        _ = harnessos.nothing


def test_importing_the_package_loads_none_of_it() -> None:
    told = run_python(
        "-c", "import sys, harnessos; print(sorted(m for m in sys.modules if m.startswith('harnessos.')))"
    )
    assert told.stdout.strip() == "['harnessos.version']"
