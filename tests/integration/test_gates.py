from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from harnessos import processes
from harnessos.gates import execute
from harnessos.gates.junit import read_junit
from harnessos.model.facts import Approval, DiffFacts
from harnessos.model.gate import Gate, parse_gate
from harnessos.model.verdict import GateResult, Verdict, decide
from tests.support.waiting import eventually

SUBJECT = "c0ffee" + "0" * 34
JUNIT = '<testsuites><testsuite tests="9"><testcase name="a"/><testcase name="b"/></testsuite></testsuites>'


def gate(document: object) -> Gate:
    problems: list[str] = []
    found = parse_gate(document, "gate", problems)
    assert found is not None, problems
    return found


class Room:
    """A checkout, and gates run in it."""

    def __init__(self, folder: Path) -> None:
        self.checkout = folder / "checkout"
        self.checkout.mkdir()
        self.logs = folder / "logs"

    def write(self, path: str, content: str) -> Path:
        place = self.checkout / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(content, encoding="utf-8")
        return place

    def run(self, document: object, **changes: Any) -> GateResult:
        given: dict[str, Any] = {"subject": SUBJECT, "facts": None, "run_id": "run-gates-test"}
        env = processes.built_environment(os.environ, {"PYTHONDONTWRITEBYTECODE": "1"})
        return execute(gate(document), checkout=self.checkout, env=env, log_folder=self.logs, **{**given, **changes})


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path)


def pytest_gate(*arguments: str, **fields: object) -> dict[str, object]:
    argv = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    return {"name": "tests", "kind": "tests", "argv": argv, **fields}


def test_a_command_passes_by_its_exit_code_and_leaves_hash_log_and_excerpt(room: Room) -> None:
    result = room.run({"name": "c", "shell": r"printf 'one\n\033[31mtwo\033[0m\007\n'; echo err >&2"})
    raw = b"one\n\x1b[31mtwo\x1b[0m\x07\nerr\n"
    assert (result.passed, result.exit_code, result.subject) == (True, 0, SUBJECT)
    assert result.output_sha256 == hashlib.sha256(raw).hexdigest()
    assert result.excerpt == "one\ntwo\nerr"
    assert Path(result.log).read_bytes() == raw
    again = room.run({"name": "c", "shell": "echo x"})
    assert Path(again.log).read_bytes() == b"x\n", "an earlier turn's log is replaced"


@pytest.mark.parametrize(
    ("document", "passed", "words"),
    [
        ({"name": "c", "shell": "exit 3"}, False, "exit 3, expected 0"),
        ({"name": "c", "shell": "exit 3", "expected_exit": 3}, True, "exit 3"),
        ({"name": "c", "shell": "kill -9 $$"}, False, "signal 9"),
        ({"name": "c", "shell": "cat; test $? = 0"}, True, "exit 0"),
        ({"name": "c", "shell": "no-such-program-here --x"}, None, "not found"),
        ({"name": "c", "shell": "./plain.txt"}, None, "could not be executed"),
        ({"name": "c", "argv": ["no-such-program-here"]}, None, "could not be started"),
        ({"name": "c", "argv": ["./plain.txt"]}, None, "could not be started"),
        ({"name": "c", "argv": [sys.executable, "-m", "no_such_module"]}, None, "has no module no_such_module"),
        ({"name": "c", "shell": "sleep 60", "timeout_s": 1}, False, "ran longer than 1 s and was killed"),
        ({"name": "c", "shell": "yes x"}, False, "more than 16 MB"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_what_a_command_did_decides(room: Room, document: object, passed: bool | None, words: str) -> None:
    room.write("plain.txt", "not a program")
    result = room.run(document)
    assert result.passed is passed, result
    assert words in result.detail
    assert len(result.excerpt) <= 4000
    if result.log:
        assert Path(result.log).stat().st_size <= 16 * 2**20


def test_a_stopped_gate_says_nothing_about_the_work(room: Room) -> None:
    result = room.run({"name": "c", "shell": "sleep 60"}, stop=lambda: True)
    assert result.passed is None
    assert "stopped" in result.detail


def test_a_process_left_behind_by_a_gate_is_killed(room: Room) -> None:
    script = "setsid sleep 300 >/dev/null 2>&1 & echo $! > pid; sleep 300 & echo $! > pid2; exit 0"
    assert room.run({"name": "c", "shell": script}).passed
    for name in ("pid", "pid2"):
        pid = int((room.checkout / name).read_text(encoding="utf-8"))
        eventually(lambda pid=pid: not running(pid), what=f"the end of the process in {name}")  # type: ignore[misc]


def running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def test_real_pytest_runs_are_counted(room: Room) -> None:
    room.write("test_a.py", "def test_one(): pass\ndef test_two(): pass\n")
    assert room.run(pytest_gate()).detail == "2 tests ran, 0 failed, 0 were skipped"
    assert room.run(pytest_gate(min_tests=3)).passed is False
    room.write("test_b.py", "def test_three(): assert 0\n")
    failed = room.run(pytest_gate())
    assert (failed.passed, failed.exit_code) == (False, 1)
    assert "1 failed" in failed.detail
    assert "assert 0" in failed.excerpt


@pytest.mark.parametrize("flag", ["-q", "-v"])
def test_zero_tests_collected_is_failure(room: Room, flag: str) -> None:
    room.write("test_a.py", "import pytest\n")
    assert room.run(pytest_gate(flag)).passed is False
    passing_shell = f"{sys.executable} -m pytest {flag} -p no:cacheprovider; exit 0"
    result = room.run({"name": "t", "kind": "tests", "shell": passing_shell})
    assert (result.passed, result.exit_code) == (False, 0)
    assert "no test ran" in result.detail
    room.write("test_a.py", "import pytest\n@pytest.mark.skip\ndef test_one(): pass\n")
    assert room.run(pytest_gate(flag)).passed is False, "a skipped test proves nothing"
    assert room.run({"name": "t", "kind": "tests", "shell": "echo all good"}).passed is False
    assert room.run({"name": "t", "kind": "tests", "shell": "echo 1..0", "format": "tap"}).passed is False


def test_a_failure_in_the_report_counts_even_with_exit_0(room: Room) -> None:
    broken = JUNIT.replace('<testcase name="b"/>', '<testcase name="b"><failure>no</failure></testcase>')
    room.write("broken.xml", broken)
    document = {"name": "t", "kind": "tests", "shell": "cp broken.xml r.xml", "report": "r.xml"}
    assert room.run(document).passed is False
    assert room.run({"name": "t", "kind": "tests", "shell": "echo '1 failed, 3 passed'"}).passed is False
    assert (
        room.run({"name": "t", "kind": "tests", "shell": "printf '1..1\nnot ok 1\n'", "format": "tap"}).passed is False
    )


def test_a_real_junit_report_passes(room: Room) -> None:
    room.write("test_a.py", "def test_one(): pass\ndef test_two(): pass\n")
    result = room.run(pytest_gate("--junit-xml=out/r.xml", report="out/r.xml"))
    assert (result.passed, result.detail) == (True, "2 tests ran, 0 failed, 0 were skipped")


@pytest.mark.parametrize("kind", ["file", "link", "linked folder"])
def test_committed_report_cannot_pass(room: Room, kind: str) -> None:
    """A report the agent wrote itself, for a command that writes none."""
    room.write("real/r.xml", JUNIT)
    if kind == "file":
        report = room.write("out/r.xml", JUNIT)
    elif kind == "link":
        report = room.write("out/x", "").with_name("r.xml")
        report.symlink_to(room.checkout / "real" / "r.xml")
    else:
        (room.checkout / "out").symlink_to("real")
        report = room.checkout / "out" / "r.xml"
    document = {"name": "t", "kind": "tests", "shell": "true", "report": "out/r.xml"}
    result = room.run(document)
    assert result.passed is False
    assert "wrote no usable report" in result.detail
    assert report.read_text(encoding="utf-8") == JUNIT, "the checkout is still the commit"
    assert sorted(path.name for path in report.parent.iterdir() if "aside" in path.name) == []


def test_a_link_to_a_committed_report_is_no_report(room: Room) -> None:
    room.write("real.xml", JUNIT)
    result = room.run({"name": "t", "kind": "tests", "shell": "ln -s real.xml r.xml", "report": "r.xml"})
    assert result.passed is False
    assert "wrote no usable report" in result.detail


def test_a_folder_in_the_way_of_the_report_fails(room: Room) -> None:
    document = {"name": "t", "kind": "tests", "shell": "true", "report": "r.xml"}
    room.write("r.xml", JUNIT)
    room.write("r.xml.harness-aside/x", "")
    assert room.run(document).passed is False
    room.write("folder/x", "")
    assert room.run({**document, "report": "folder"}).passed is False


def test_a_report_outside_of_the_checkout_is_neither_read_nor_moved(room: Room, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "r.xml").write_text(JUNIT, encoding="utf-8")
    (room.checkout / "out").symlink_to(outside)
    result = room.run({"name": "t", "kind": "tests", "shell": "true", "report": "out/r.xml"})
    assert result.passed is False
    assert "leads out of the checkout" in result.detail
    assert [path.name for path in outside.iterdir()] == ["r.xml"]


@pytest.mark.parametrize(
    "content",
    [
        '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><testsuite><testcase name="&b;"/></testsuite>',
        '<!DOCTYPE x SYSTEM "file:///etc/passwd"><testsuite><testcase/></testsuite>',
        "<testsuite><testcase/>",
        "<html><testcase/></html>",
        "<testsuite>" + "<a>" * 500 + "</a>" * 500 + "</testsuite>",
        "",
        "\0\xff",
    ],
)
def test_a_hostile_or_broken_report_is_a_problem(content: str) -> None:
    assert read_junit(content.encode("latin-1")).problem


def test_junit_counts_cases_not_claims() -> None:
    suite = (
        '<testsuite tests="50" failures="0"><testcase/><testcase><skipped/></testcase>'
        "<testcase><error/><failure/></testcase><error>import</error></testsuite>"
    )
    counts = read_junit(suite.encode())
    assert (counts.ran, counts.failed, counts.skipped) == (2, 2, 1)


def test_no_test_command_profile_uses_structural_gate(room: Room) -> None:
    """Research and writing are judged by their form: sections, sources, figures that fit a schema."""
    report = {
        "name": "report",
        "kind": "file",
        "path": "report.md",
        "min_size": 40,
        "patterns": [{"regex": r"^## ", "min_count": 2}, {"regex": r"https?://\S+"}, {"regex": "TODO", "max_count": 0}],
    }
    schema = {"type": "object", "required": ["total"], "properties": {"total": {"type": "integer", "minimum": 1}}}
    totals = {"name": "totals", "kind": "file", "path": "totals.json", "schema": schema}
    gates = [gate(report), gate(totals)]

    def verdict() -> Verdict:
        results = [room.run(report), room.run(totals)]
        return decide(gates, results, protected_changed=[], subject=SUBJECT).verdict

    assert verdict() is Verdict.REJECTED
    room.write("report.md", "# R\n\n## Findings\nSee https://example.org/a\n\n## Sources\nTODO\n")
    room.write("totals.json", '{"total": 0}')
    assert "TODO" in room.run(report).detail
    assert "$.total: must be at least 1" in room.run(totals).detail
    assert verdict() is Verdict.REJECTED
    room.write("report.md", "# R\n\n## Findings\nSee https://example.org/a\n\n## Sources\nthat one\n")
    room.write("totals.json", '{"total": 3}')
    assert verdict() is Verdict.VERIFIED


def test_a_file_gate_reads_only_regular_files_inside_the_checkout(room: Room, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x", encoding="utf-8")
    (room.checkout / "out").symlink_to(tmp_path / "secret")
    (room.checkout / "loop").symlink_to("loop")
    (room.checkout / "folder").mkdir()
    os.mkfifo(room.checkout / "pipe")
    room.write("real", "x")
    (room.checkout / "inside").symlink_to("real")
    room.write("empty", "")
    for name, words in [
        ("out", "leads out"),
        ("loop", "loop"),
        ("folder", "no regular file"),
        ("pipe", "no regular file"),
        ("missing", "does not exist"),
        ("real/below", "cannot be opened"),
        ("empty", "0 bytes, at least 1"),
    ]:
        result = room.run({"name": "f", "kind": "file", "path": name})
        assert (result.passed, words in result.detail) == (False, True), result
    assert room.run({"name": "f", "kind": "file", "path": "inside"}).passed


def test_a_pattern_that_would_never_end_is_cut_off(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harnessos.gates.file.SEARCH_SECONDS", 1)
    room.write("a", "a" * 60 + "!")
    result = room.run({"name": "f", "kind": "file", "path": "a", "patterns": [{"regex": "(a|a)*$"}]})
    assert result.passed is False
    assert "took longer" in result.detail


@pytest.mark.parametrize("content", ["{", "NaN", "[" * 200_000, "{}x", ""])
def test_what_is_no_json_fails_the_schema(room: Room, content: str) -> None:
    room.write("a.json", content)
    result = room.run({"name": "f", "kind": "file", "path": "a.json", "min_size": 0, "schema": {"type": "object"}})
    assert result.passed is False
    assert "no JSON" in result.detail


def test_a_file_too_large_to_search_fails(room: Room) -> None:
    with room.write("big", "x").open("ab") as stream:
        stream.truncate(11 * 2**20)
    assert room.run({"name": "f", "kind": "file", "path": "big"}).passed
    result = room.run({"name": "f", "kind": "file", "path": "big", "patterns": [{"regex": "x"}]})
    assert result.passed is False
    assert "10 MB" in result.detail


def test_a_diff_must_be_something_in_the_right_place_without_conflicts(room: Room) -> None:
    document = {"name": "d", "kind": "diff", "allowed": ["src/"]}
    good = DiffFacts("base", ("src/a.py",))
    assert room.run(document, facts=good).passed is True
    assert room.run(document, facts=DiffFacts("base")).passed is False
    assert room.run({**document, "non_empty": False}, facts=DiffFacts("base")).passed is True
    assert "docs/x" in room.run(document, facts=DiffFacts("base", ("src/a.py", "docs/x"))).detail
    assert room.run(document, facts=good._replace(conflict_markers=("src/a.py:3",))).passed is False
    assert room.run(document, facts=None).passed is None


def test_an_approval_is_open_until_a_permitted_person_answers(room: Room) -> None:
    document = {"name": "a", "kind": "approval", "question": "ship it?", "who": ["ann"]}

    def asked(*answers: Approval) -> tuple[bool | None, bool]:
        result = room.run(document, approvals=answers)
        return result.passed, result.open_approval

    yes = Approval("a", "operator:ann", True, SUBJECT)
    assert asked() == (None, True)
    assert asked(yes) == (True, False)
    assert asked(yes._replace(by="operator:bob")) == (None, True)
    assert asked(yes._replace(by="agent:ann")) == (None, True)
    assert asked(yes._replace(gate="b")) == (None, True)
    assert asked(yes._replace(subject="other")) == (None, True)
    assert asked(yes._replace(subject=None)) == (None, True), "given before there was anything to look at"
    assert asked(yes, yes._replace(approved=False)) == (False, False)


def test_evidence_for_other_commit_or_dirty_tree_is_refused(room: Room) -> None:
    document = {"name": "c", "shell": "touch ran"}
    dirty = room.run(document, tree_state="1 tracked file differs")
    assert dirty.passed is None
    assert not (room.checkout / "ran").exists(), "nothing is run on a tree that is not the commit"
    good = room.run(document)
    for result, subject, verdict in [
        (dirty, SUBJECT, Verdict.ERROR),
        (good, "f" * 40, Verdict.ERROR),
        (good, SUBJECT, Verdict.VERIFIED),
    ]:
        assert decide([gate(document)], [result], protected_changed=[], subject=subject).verdict is verdict
