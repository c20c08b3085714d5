from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harnessos.model.counts import read_summary, read_tap
from harnessos.model.gate import Gate, GateKind, Pattern, Place, ReportFormat, parse_gate, parse_gates
from harnessos.model.globs import covers
from harnessos.model.jsonschema import schema_problems, value_problems
from harnessos.model.protection import is_protected, protected_changes

GOOD: list[dict[str, Any]] = [
    {"name": "build", "kind": "command", "argv": ["make", ""], "timeout_s": 5, "expected_exit": 3, "in": "worktree"},
    {"name": "lint", "shell": "ruff check . && ./x", "required": False, "protect": ["tests/**"]},
    {"name": "t", "kind": "tests", "argv": ["pytest"], "min_tests": 4},
    {"name": "t2", "kind": "tests", "argv": ["pytest"], "report": "out/r.xml"},
    {"name": "t3", "kind": "tests", "shell": "prove", "format": "tap"},
    {"name": "t4", "kind": "tests", "shell": "prove", "format": "tap", "report": "r.tap"},
    {"name": "f", "kind": "file", "path": "report.md", "min_size": 0, "max_size": 9, "patterns": [{"regex": "^## "}]},
    {
        "name": "f2",
        "kind": "file",
        "path": "a.json",
        "schema": {"type": "object"},
        "patterns": [{"regex": "x", "max_count": 0}],
    },
    {"name": "d", "kind": "diff", "allowed": ["src/", "docs/*.md"], "non_empty": False},
    {"name": "a", "kind": "approval", "question": "ship it?", "who": ["ann"]},
]


def parsed(document: object) -> Gate:
    problems: list[str] = []
    gate = parse_gate(document, "g", problems)
    assert gate is not None, problems
    return gate


@pytest.mark.parametrize("document", GOOD, ids=lambda document: document["name"])
def test_a_gate_survives_being_written_and_read(document: dict[str, Any]) -> None:
    gate = parsed(document)
    assert parsed(json.loads(json.dumps(gate.as_document()))) == gate


def test_plain_text_is_a_shell_command_named_after_its_words() -> None:
    gate = parsed("make -C docs test")
    assert (gate.kind, gate.shell, gate.name) == (GateKind.COMMAND, "make -C docs test", "make--C-docs-test")
    assert gate.required
    assert gate.timeout_s == 600


def test_a_report_is_junit_unless_it_says_otherwise() -> None:
    assert parsed(GOOD[3]).format is ReportFormat.JUNIT
    assert parsed(GOOD[2]).format is ReportFormat.PYTEST
    assert parsed(GOOD[0]).where is Place.WORKTREE


def test_max_count_alone_permits_absence() -> None:
    gate = parsed(
        {"name": "f", "kind": "file", "path": "a", "patterns": [{"regex": "TODO", "max_count": 0}, {"regex": "x"}]}
    )
    assert gate.patterns == (Pattern("TODO", 0, 0), Pattern("x", 1, None))


BAD: list[tuple[object, str]] = [
    (7, "g: must be a gate"),
    ("  ", "g: the command is empty"),
    ({"kind": "command", "argv": ["x"]}, "g.name: is missing"),
    ({"name": "a b", "argv": ["x"]}, "g.name: must be 1 to 64"),
    ({"name": "n" * 65, "argv": ["x"]}, "g.name: must be 1 to 64"),
    ({"name": "n"}, "g: needs exactly one of argv"),
    ({"name": "n", "argv": ["x"], "shell": "x"}, "g: needs exactly one of argv"),
    ({"name": "n", "argv": []}, "g.argv: must name a program"),
    ({"name": "n", "argv": [" ", "x"]}, "g.argv: must name a program"),
    ({"name": "n", "argv": "x"}, "g.argv: must be a list"),
    ({"name": "n", "shell": "\ud800"}, "g.shell: must be valid Unicode"),
    ({"name": "n", "argv": ["x", 3]}, "g.argv[1]: must be text"),
    ({"name": "n", "argv": ["x\0"]}, "g.argv[0]: must not contain a NUL"),
    ({"name": "n", "argv": ["x"], "timeout_s": 0}, "g.timeout_s: must be a whole number"),
    ({"name": "n", "argv": ["x"], "timeout_s": True}, "g.timeout_s: must be a whole number"),
    ({"name": "n", "argv": ["x"], "required": "yes"}, "g.required: must be true or false"),
    ({"name": "n", "argv": ["x"], "in": "elsewhere"}, "g.in: must be one of checkout, worktree"),
    ({"name": "n", "argv": ["x"], "where": "checkout"}, "g.where: unknown field"),
    ({"name": "n", "argv": ["x"], "min_tests": 1}, "g.min_tests: unknown field for a gate of kind command"),
    ({"name": "n", "kind": "tests", "argv": ["x"], "min_tests": 0}, "g.min_tests: must be"),
    ({"name": "n", "kind": "tests", "argv": ["x"], "format": "junit"}, "g.format: junit needs"),
    ({"name": "n", "kind": "tests", "argv": ["x"], "report": "../r.xml"}, "g.report: must not have"),
    ({"name": "n", "kind": "tests", "argv": ["x"], "report": "/r.xml"}, "g.report: must be a path relative"),
    ({"name": "n", "kind": "file"}, "g.path: is missing"),
    ({"name": "n", "kind": "file", "path": ".git/config"}, "g.path: must not lie in .git"),
    ({"name": "n", "kind": "file", "path": "a", "max_size": 0}, "g.max_size: is smaller"),
    ({"name": "n", "kind": "file", "path": "a", "patterns": [{"regex": "("}]}, "g.patterns[0].regex: is no regular"),
    ({"name": "n", "kind": "file", "path": "a", "patterns": [{"regx": "("}]}, "g.patterns[0].regx: unknown field"),
    ({"name": "n", "kind": "file", "path": "a", "schema": {"pattern": "x"}}, "g.schema.pattern: this keyword"),
    ({"name": "n", "kind": "file", "path": "a", "schema": []}, "g.schema: must be an object"),
    ({"name": "n", "kind": "approval"}, "g.question: is missing"),
    ({"name": "n", "argv": ["x"], "protect": ["/etc"]}, "g.protect[0]: must be a path relative"),
]


@pytest.mark.parametrize(("document", "problem"), BAD, ids=[problem for _, problem in BAD])
def test_a_bad_gate_is_refused_with_the_path_of_its_fault(document: object, problem: str) -> None:
    problems: list[str] = []
    assert parse_gate(document, "g", problems) is None
    assert any(line.startswith(problem) for line in problems), problems


def test_every_problem_of_a_list_is_told_and_names_are_unique() -> None:
    problems: list[str] = []
    parse_gates(["make", {"name": "make", "shell": "x"}, {"name": "y"}, 3], "gates", problems)
    assert [line.partition(":")[0] for line in problems] == ["gates[1].name", "gates[2]", "gates[3]"]


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["name", "kind", "argv", "shell", "patterns", "schema", "path", "report", "type", "items", "in"]
                )
                | st.text(max_size=4),
                inner,
                max_size=5,
            )
        ),
        max_leaves=12,
    )
)
def test_any_document_is_read_or_refused_and_never_breaks_the_reader(document: object) -> None:
    problems: list[str] = []
    gate = parse_gate(document, "g", problems)
    assert (gate is None) == bool(problems)
    if gate is not None:
        assert parsed(gate.as_document()) == gate


def protected(path: str, gates: list[Any], files: set[str]) -> bool:
    return is_protected(path, [parsed(gate) for gate in gates], files.__contains__)


@pytest.mark.parametrize(
    ("gate", "path"),
    [
        ({"name": "n", "argv": ["python", "./tools/check.py"]}, "tools/check.py"),
        ({"name": "n", "argv": ["pytest", "tests/test_a.py::test_one"]}, "tests/test_a.py"),
        ({"name": "n", "argv": ["mypy", "--config-file=conf/mypy.ini"]}, "conf/mypy.ini"),
        ({"name": "n", "argv": ["sh", "-c", "cd . && sh ci/run.sh; true"]}, "ci/run.sh"),
        ("make -f build/Makefile&&echo ok", "build/Makefile"),
        ("sh <ci/run.sh", "ci/run.sh"),
        ("echo `sh ci/run.sh`", "ci/run.sh"),
        ("cd ci && ./run.sh", "ci/run.sh"),
        ({"name": "n", "argv": ["make", "-C", "ci", "-f", "x.mk"]}, "ci/x.mk"),
        ({"name": "n", "argv": ["sh", "-c", "cd ci; sh run.sh"]}, "ci/run.sh"),
        ("echo $(sh ci/run.sh)", "ci/run.sh"),
        ("sh ci/run.sh 'unclosed", "ci/run.sh"),
    ],
)
def test_a_file_named_in_a_gates_command_is_protected(gate: object, path: str) -> None:
    assert protected(path, [gate], {path})
    assert not protected(path, [gate], set()), "a word that is no repository file protects nothing"
    assert not protected("src/other.py", [gate], {path, "src/other.py"})


def test_folders_named_in_a_command_are_not_protected() -> None:
    assert not protected("tests/test_a.py", ["pytest tests"], {"tests/test_a.py"})


def test_globs_and_the_workflow_are_protected_even_when_new() -> None:
    gate = {"name": "n", "shell": "x", "protect": ["tests/**", "*.cfg", "ci"]}
    for path in ("tests/a/b.py", "setup.cfg", "ci/deep/run.sh", "WORKFLOW.md", "workflow.md"):
        assert protected(path, [gate], set()), path
    assert not protected("src/tests.py", [gate], set())
    assert protected_changes(["b", "WORKFLOW.md", "ci/x"], [parsed(gate)], set[str]().__contains__) == (
        "WORKFLOW.md",
        "ci/x",
    )


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("src", "src/a/b.py", True),
        ("src/", "src/a.py", True),
        ("src", "srcs/a.py", False),
        ("src/*", "src/a.py", True),
        ("src/*", "src/a/b.py", False),
        ("src/**", "src/a/b.py", True),
        ("**/x.py", "x.py", True),
        ("**/x.py", "a/b/x.py", True),
        ("**/x.py", "a/bx.py", False),
        ("a?c", "a/c", False),
        ("[ab].py", "b.py", True),
        ("[!ab].py", "b.py", False),
        ("docs/*/", "docs/a/b.md", True),
        ("a.b", "aXb", False),
    ],
)
def test_patterns_cover_what_they_say(pattern: str, path: str, expected: bool) -> None:
    assert covers(pattern, path) is expected


@given(st.text(alphabet="*?[]!/ab.^-\\", max_size=30), st.text(alphabet="ab/.", max_size=30))
def test_any_pattern_can_be_asked(pattern: str, path: str) -> None:
    covers(pattern, path)


@pytest.mark.parametrize(
    ("schema", "good", "bad"),
    [
        ({"type": "integer"}, [1, 1.0, -3, 10**400], [True, 1.5, "1", None]),
        ({"type": ["string", "null"]}, ["", None], [0, [], {}]),
        ({"enum": [1, "a"]}, [1, 1.0, "a"], [True, "b"]),
        ({"const": {"a": [True]}}, [{"a": [True]}], [{"a": [1]}, {}]),
        ({"required": ["a"]}, [{"a": None}, 7], [{}]),
        ({"properties": {"a": {"minimum": 3}}}, [{"a": 3}, {"b": 1}], [{"a": 2}]),
        ({"properties": {"a": {}}, "additionalProperties": False}, [{"a": 1}], [{"b": 1}]),
        ({"additionalProperties": {"type": "string"}}, [{"b": ""}], [{"b": 1}]),
        ({"items": {"exclusiveMaximum": 2}, "minItems": 1}, [[1]], [[2], []]),
        ({"minLength": 2, "maxLength": 3}, ["ab", 5], ["a", "abcd"]),
        ({"maxProperties": 0}, [{}], [{"a": 1}]),
    ],
)
def test_the_schema_subset_binds_as_the_standard_says(
    schema: dict[str, object], good: list[object], bad: list[object]
) -> None:
    assert schema_problems(schema, "s") == []
    for value in good:
        assert value_problems(value, schema) == [], value
    for value in bad:
        assert value_problems(value, schema), value


def test_a_keyword_that_is_not_understood_is_refused_at_any_depth() -> None:
    schema = {"properties": {"a": {"items": {"$ref": "#"}}}, "oneOf": []}
    assert [line.partition(":")[0] for line in schema_problems(schema, "s")] == ["s.properties.a.items.$ref", "s.oneOf"]


@pytest.mark.parametrize(
    ("output", "ran", "failed", "skipped"),
    [
        ("===== 3 passed, 1 skipped in 0.12s =====", 3, 0, 1),
        ("\x1b[32m== \x1b[1m2 passed\x1b[0m, 1 warning in 61.20s (0:01:01) ==\x1b[0m\n", 2, 0, 0),
        ("1 failed, 2 passed, 1 error in 0.1s", 4, 2, 0),
        ("1 xfailed, 1 xpassed in 0.1s", 2, 0, 0),
        ("2 passed in 0.1s\nno tests ran in 0.01s", 0, 0, 0),
        ("==== no tests ran in 0.00s ====", 0, 0, 0),
        ("3 deselected in 0.01s", 0, 0, 3),
        ("Ran 4 tests in 0.001s\n\nOK (skipped=1)", 3, 0, 1),
        ("Ran 4 tests in 0.001s\n\nFAILED (failures=1, errors=2)", 4, 3, 0),
        ("Ran 0 tests in 0.000s\n\nNO TESTS RAN", 0, 0, 0),
        ("Tests:       1 failed, 5 passed, 6 total", 6, 1, 0),
        ("Tests  3 passed (3)", 3, 0, 0),
        (
            (
                "test result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s\n"
                "test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s"
            ),
            4,
            1,
            1,
        ),
        ("4 passed, 1 failed", 5, 1, 0),
    ],
)
def test_closing_summaries_are_counted(output: str, ran: int, failed: int, skipped: int) -> None:
    assert read_summary("noise\n" + output) == (ran, failed, skipped, "")


def test_output_without_a_summary_is_a_problem() -> None:
    assert read_summary("all tests passed, trust me").problem


@pytest.mark.parametrize(
    ("text", "ran", "failed", "problem"),
    [
        ("1..2\nok 1 - a\nok 2\n", 2, 0, False),
        ("ok 1\nnot ok 2 - b\n1..2\n", 2, 1, False),
        ("1..2\nok 1 # SKIP no\nnot ok 2 # TODO later\n", 1, 0, False),
        ("1..1\n    not ok 1 - inner\nok 1\n", 1, 0, False),
        ("1..0 # skipped\n", 0, 0, False),
        ("1..3\nok 1\n", 1, 0, True),
        ("ok 1\n", 1, 0, True),
        ("1..1\nok 1\nBail out! disk\n", 1, 0, True),
    ],
)
def test_tap_is_counted_at_its_top_level(text: str, ran: int, failed: int, problem: bool) -> None:
    counts = read_tap(text)
    assert (counts.ran, counts.failed, bool(counts.problem)) == (ran, failed, problem)
