"""The starter: what is detected, and that the file it writes loads and says the truth."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from harnessos.model.gate import GateKind
from harnessos.workflow.detect import AGENTS, Detected, detect
from harnessos.workflow.load import parse_workflow
from harnessos.workflow.starter import AGENT_COMMANDS, starter
from harnessos.workflow.values import Runner, Workflow
from harnessos.workflow.variables import DEFAULT_PROMPT

PYTEST = ("python3", "-m", "pytest", "-q")


def on_path(*names: str) -> Callable[[str], str | None]:
    return lambda name: f"/bin/{name}" if name in names else None


def load(detected: Detected, *, git: bool = True) -> Workflow:
    return parse_workflow(starter(detected, git=git), Path("/repo/WORKFLOW.md"), {}, Path("/home"))


@pytest.mark.parametrize(
    ("files", "test"),
    [
        ({"pyproject.toml": "[tool.pytest.ini_options]\n"}, PYTEST),
        ({"pyproject.toml": '[dependency-groups]\ndev = ["pytest>=8"]\n'}, PYTEST),
        ({"pyproject.toml": "[project]\n", "tests/test_a.py": ""}, PYTEST),
        ({"pyproject.toml": "[project]\n"}, None),
        ({"pyproject.toml": "not toml ["}, None),
        ({"setup.cfg": "[tool:pytest]\n"}, PYTEST),
        ({"pytest.ini": ""}, PYTEST),
        ({"package.json": json.dumps({"scripts": {"test": "jest"}})}, ("npm", "test")),
        ({"package.json": json.dumps({"scripts": {"test": 'echo "Error: no test specified" && exit 1'}})}, None),
        ({"package.json": "[1"}, None),
        ({"package.json": json.dumps({"scripts": 3})}, None),
        ({"Cargo.toml": ""}, ("cargo", "test")),
        ({"go.mod": ""}, ("go", "test", "./...")),
        ({"Makefile": "all:\n\ntest: all\n\tpytest\n"}, ("make", "test")),
        ({"Makefile": "test := 3\nall:\n"}, None),
        ({"pyproject.toml": "[project]\n", "Makefile": "test:\n"}, ("make", "test")),
        ({}, None),
    ],
)
def test_the_test_command_is_detected(tmp_path: Path, files: dict[str, str], test: tuple[str, ...] | None) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert detect(tmp_path, on_path("python3")).test == test


def test_files_that_cannot_be_read_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "package.json").mkdir()
    (tmp_path / "pyproject.toml").write_bytes(b"\xff\xfe[tool.pytest]")
    assert detect(tmp_path, on_path()).test is None


@pytest.mark.parametrize("agent", AGENTS)
def test_the_agent_on_path_is_detected_and_named(tmp_path: Path, agent: str) -> None:
    found = detect(tmp_path, on_path(agent, "sh"))
    assert found.agent == agent
    assert load(found).harness.runner == Runner("command", AGENT_COMMANDS[found.agent], None)


def test_without_an_agent_the_file_loads_and_starts_nothing(tmp_path: Path) -> None:
    found = detect(tmp_path, on_path())
    assert found == Detected()
    assert load(found).harness.runner is None
    assert "# runner:" in starter(found)


@pytest.mark.parametrize("test", [None, PYTEST, ("go", "test", "./...")])
def test_there_is_always_a_gate_against_changing_nothing(test: tuple[str, ...] | None) -> None:
    gates = load(Detected(test, pytest=test == PYTEST)).harness.gates
    assert gates[-1].kind is GateKind.DIFF
    assert gates[-1].non_empty
    assert [gate.argv for gate in gates[:-1]] == ([] if test is None else [test])
    if test == PYTEST:
        assert gates[0].kind is GateKind.TESTS


def test_a_lock_file_decides_when_the_checkout_is_prepared_again(tmp_path: Path) -> None:
    (tmp_path / "package.json").write_text(json.dumps({"scripts": {"test": "jest"}}))
    (tmp_path / "package-lock.json").write_text("{}")
    found = load(detect(tmp_path, on_path())).harness.checkout
    assert (found.setup, found.cache_key) == (("npm ci",), ("package-lock.json",))


def test_the_prompt_is_the_default_one_to_edit() -> None:
    assert load(Detected()).prompt == DEFAULT_PROMPT.strip()


@pytest.mark.parametrize("test", [None, PYTEST, ("npm", "test")])
def test_in_a_plain_folder_no_gate_needs_a_repository(test: tuple[str, ...] | None) -> None:
    found = load(Detected(test, pytest=test == PYTEST, setup=("npm ci",), agent="claude"), git=False)
    assert [gate.argv[: len(test or ())] for gate in found.harness.gates if gate.argv] == (
        [] if test is None else [test]
    )
    assert found.harness.checkout.setup == ()
    assert found.agent.max_concurrent_agents == 1


@pytest.mark.parametrize("test", [None, PYTEST])
def test_what_the_starter_offers_a_plain_folder_loads_without_the_comment_signs(test: tuple[str, ...] | None) -> None:
    head, gates = starter(Detected(test), git=False).split("  gates:\n")
    said = re.sub(r"^( +)# (?=- name|  \w+: |require_gates)", r"\1", gates, flags=re.MULTILINE)
    found = parse_workflow(f"{head}  gates:\n{said}", Path("/folder/WORKFLOW.md"), {}, Path("/home")).harness
    assert [gate.kind for gate in found.gates] == [GateKind.COMMAND, GateKind.FILE]
    assert (found.require_gates is True) == (test is None) == ("require_gates: true" in gates)


def test_in_a_plain_folder_the_tests_leave_no_cache_behind_which_would_void_their_evidence() -> None:
    assert load(Detected(PYTEST, pytest=True), git=False).harness.gates[0].argv == (*PYTEST, "-p", "no:cacheprovider")


def test_in_a_plain_folder_the_prompt_does_not_speak_of_git() -> None:
    prompt = load(Detected(), git=False).prompt
    assert re.findall(r"\b(?:git|worktree of|commit)\b", prompt, re.IGNORECASE) == []
    assert prompt.replace(" ", "") != DEFAULT_PROMPT.strip().replace(" ", "")
    assert "{{ worktree.path }}; change nothing outside it." in prompt
