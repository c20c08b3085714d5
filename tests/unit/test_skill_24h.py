"""The skill harness-24h keeps the rules of Agent Skills, says all that the founding document asks for, and names real commands."""

from __future__ import annotations

import ast
import re
import runpy
import shlex
from pathlib import Path
from typing import Any

import pytest

from harnessos import skills
from harnessos.app import skills as installing
from harnessos.cli.parser import parser_of
from harnessos.cli.table import find
from harnessos.commands.arguments import Command
from harnessos.documents.yamltext import load_yaml
from harnessos.errors import UnknownIdentifier
from harnessos.mission.documents import checks
from harnessos.mission.documents.criteria import parse_criteria

NAME = "harness-24h"
FOLDER = skills.folder(NAME)
TEXT = (FOLDER / "SKILL.md").read_text(encoding="utf-8")
SCRIPTS = sorted(path for path in (FOLDER / "scripts").glob("*.py") if path.stem != "_launch")
LAUNCH = runpy.run_path(str(FOLDER / "scripts" / "_launch.py"))
_FENCE = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")

STEPS = [*(f"A{n}" for n in range(1, 8)), *(f"B{n}" for n in range(1, 9)), *(f"D{n}" for n in range(1, 6))]

# The commands of the founding document in its order, by the step that asks for them, and the command each stands for.
LITERAL = [
    ("A2", "harness_boot.py W --init", "mission boot"),
    ("A4", "mkdir -p W/output", ""),
    ("A4", "mkdir -p W/knowledge", ""),
    ("A4", "mkdir -p W/logs", ""),
    ("A5", "harness_boot.py W", "mission boot"),
    ("A6", "harness_setup_cron.py W", "mission schedule"),
    ("A6", "harness_dream.py W", "mission dream"),
    ("B1", "harness_boot.py W", "mission boot"),
    ("B2", "harness_heartbeat.py W start", "mission start"),
    ("B3", "harness_memory.py W topics", "memory topics"),
    ("B3", "harness_memory.py W search --query timeout", "memory search"),
    ("B4", "harness_memory.py W stream --step 'Step 2.3' --event 'Fetched 50 articles, took 12s'", "memory stream"),
    ("B4", "harness_memory.py W stream --step 'Step 3.1' --event 'Rate limit hit' --level WARN", "memory stream"),
    ("B4", "harness_memory.py W stream --step 4 --event \"missing 'author'\" --level ERROR", "memory stream"),
    ("B4", "harness_memory.py W learn --topic api_rate_limits --insight 'Wait 60s and retry.'", "memory learn"),
    ("B4", "harness_memory.py W learn --topic data_validation --insight \"Use 'Unknown'.\"", "memory learn"),
    ("B5", "harness_heartbeat.py W done --step 'Step 4' --summary 'Processed 50 articles'", "mission done"),
    ("B5", "harness_heartbeat.py W fail --step 'Step 3' --error 'API timeout'", "mission fail"),
    ("B6", "harness_eval.py W", "mission eval"),
    ("B7", "harness_cleanup.py W", "mission cleanup"),
    ("B8", "harness_heartbeat.py W mission_complete", "mission mission_complete"),
    ("Workflow C", "harness_dream.py W", "mission dream"),
    ("Workflow C", "harness_dream.py W --dry-run", "mission dream"),
    ("Workflow C", "harness_dream.py W --skip-playbook", "mission dream"),
    ("D1", "harness_coordinator.py W init --agents 3", "mission agents init"),
    ("D2", "harness_coordinator.py W dispatch --task 'page 123' --step 'Step 2.1'", "mission agents dispatch"),
    ("D2", "harness_coordinator.py W dispatch --task 'page 456' --step 'Step 2.1'", "mission agents dispatch"),
    ("D2", "harness_coordinator.py W dispatch --task 'page 789' --step 'Step 2.1'", "mission agents dispatch"),
    ("D3", "ls W/agents/worker-1/inbox/", ""),
    ("D3", "cat W/agents/worker-1/inbox/task_abc123.md", ""),
    ("D3", "cat > W/agents/worker-1/outbox/result_abc123.md", ""),
    ("D4", "harness_coordinator.py W status", "mission agents status"),
    ("D4", "harness_coordinator.py W collect", "mission agents collect"),
    ("D5", "harness_coordinator.py W cleanup", "mission agents cleanup"),
]
SCRIPTED = [(line, command) for _, line, command in LITERAL if command]

KINDS: dict[str, Any] = {
    "file": checks.FileRule, "json_schema": checks.SchemaRule, "count": checks.CountRule, "regex": checks.RegexRule,
    "freshness": checks.FreshnessRule, "command": checks.CommandRule,
}  # fmt: skip
COMPONENTS = {
    1: ("contract", "mission.md", "eval_criteria.md"),
    2: ("system of record", "playbook.md"),
    3: ("senses", "effectors", "boot"),
    4: ("amnesia", "breakpoint"),
    5: ("judge", "harness_eval.py"),
    6: ("constraints", "entropy", "harness_cleanup.py"),
    7: ("three layers", "pointers", "topics", "stream"),
    8: ("circuit breaker", "failure", "blocks"),
    9: ("kairos", "dream", "nobody works"),
    10: ("several agents", "inbox"),
}
RULES = {
    1: ("heartbeat.md", "progress.md", "root"),
    2: ("placeholder", "12"),
    3: ("certify", "evaluation", "mission_complete"),
    4: ("breakpoint", "start"),
    5: ("mission.md", "read-only", "hash"),
    6: ("first run", "at once"),
    7: ("circuit breaker", "person"),
    8: ("log freely", "report"),
    9: ("distil", "65"),
    10: ("read what changes least first", "heartbeat"),
    11: ("dream is scheduled", "boot warns"),
    12: ("no dream during a run", "lease"),
    13: ("coordinator executes nothing", "inboxes"),
}
LAYERS = {
    "L1": ("heartbeat.md", "2 KB", "every start"),
    "L2": ("knowledge/*.md", "topic", "needs"),
    "L3": ("logs/execution_stream.log", "appended", "search"),
}
USES = {
    "harness_memory.py stream": "happened",
    "harness_memory.py learn": "pattern",
    "harness_memory.py search": "error",
    "harness_dream.py": "scattered",
    "harness_coordinator.py": "independent",
    "harness_memory.py check": "by hand",
}


def _section(title: str) -> str:
    """Return what stands between the heading that begins so and the next one of its level or above."""
    found = re.search(
        rf"^(#+) (?:Step )?{re.escape(title)}\b.*?\n(.*?)(?=^#{{1,3}} |\Z)", TEXT, re.MULTILINE | re.DOTALL
    )
    assert found, f"no section {title}"
    return found[2]


def _items(title: str) -> dict[int, str]:
    """Return a numbered list, each entry in one lower-case line."""
    entries = re.findall(r"^(\d+)\. (.*(?:\n {2,}.*)*)", _section(title), re.MULTILINE)
    return {int(number): " ".join(text.split()).lower() for number, text in entries}


def _row(title: str, first: str) -> str:
    (row,) = [line for line in _section(title).splitlines() if line.startswith("|") and f"| {first} |" in line]
    return row


def _parsed(line: str) -> tuple[Command, Any]:
    """Return the command a line of a script or of `harness` stands for, and its arguments. Any: the table says which."""
    words = shlex.split(line)
    words = words[1:] if words[0] == "harness" else LAUNCH["words_of"](words[0].removesuffix(".py"), words[1:])
    command, rest = find(words)
    assert command is not None, f"the table has no command for: {' '.join(words)}"
    return command, parser_of(command).parse_args(rest)


def _lines() -> list[str]:
    """Return the command lines of SKILL.md's shell blocks, in one line each, `{skill_dir}` taken away."""
    blocks = "\n".join(_FENCE.findall(TEXT)).replace("\\\n", " ")
    return [line.replace("python3 {skill_dir}/scripts/", "") for line in blocks.splitlines() if "harness" in line]


@pytest.mark.parametrize("name", skills.names())
def test_a_skill_keeps_the_rules_of_agent_skills(name: str) -> None:
    head, _, body = (skills.folder(name) / "SKILL.md").read_text(encoding="utf-8").partition("\n---\n")
    loaded = load_yaml(head.removeprefix("---\n"))
    fields = loaded.tree
    assert loaded.problems == []
    assert isinstance(fields, dict)
    assert set(fields) <= {"name", "description", "license", "compatibility", "metadata", "allowed-tools"}
    assert fields["name"] == name
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name)
    assert len(name) <= 64
    assert 0 < len(str(fields["description"]).strip()) <= 1024
    assert "<" not in str(fields["description"])
    assert len(str(fields.get("compatibility", ""))) <= 500
    assert len(body.splitlines()) < 500


@pytest.mark.parametrize("name", skills.names())
def test_what_a_skill_refers_to_is_there_and_one_level_deep(name: str) -> None:
    folder = skills.folder(name)
    for page in folder.rglob("*.md"):
        links = [link.split("#")[0] for link in _LINK.findall(page.read_text(encoding="utf-8")) if "://" not in link]
        for target in (Path(page.parent, link).resolve() for link in links if link):
            assert target.is_file()
            assert len(target.relative_to(folder).parts) <= 2
            assert page.name == "SKILL.md" or target.name == "SKILL.md", "references lead back, and not further"
    text = (folder / "SKILL.md").read_text(encoding="utf-8")
    assert [path.name for path in (folder / "references").glob("*.md") if f"references/{path.name}" not in text] == []


def test_an_unknown_skill_is_refused_with_the_names_of_those_there_are() -> None:
    with pytest.raises(UnknownIdentifier) as caught:
        skills.folder("../skills")
    assert NAME in caught.value.hint


def test_the_skills_that_can_be_listed_are_those_of_the_package() -> None:
    assert [known.name for known in installing.available()] == skills.names()
    assert NAME in skills.names()


def test_byte_code_is_no_part_of_a_skill(tmp_path: Path) -> None:
    (tmp_path / "scripts" / "__pycache__").mkdir(parents=True)
    (tmp_path / "scripts" / "__pycache__" / "x.pyc").touch()
    (tmp_path / "scripts" / "x.py").touch()
    assert skills.paths(tmp_path) == [tmp_path / "scripts" / "x.py"]


def test_the_workflows_stand_in_order_with_all_their_steps() -> None:
    assert re.findall(r"^### Step (\w+): \S", TEXT, re.MULTILINE) == STEPS
    assert re.findall(r"^## Workflow (\w)\b", TEXT, re.MULTILINE) == ["A", "B", "C", "D"]


@pytest.mark.parametrize(("step", "line"), [(step, line) for step, line, _ in LITERAL], ids=lambda word: word[:40])
def test_a_step_has_the_command_of_the_founding_document(step: str, line: str) -> None:
    """Sub-command and options as there; the words of examples are our own."""
    wanted = [word for word in re.sub(r"'[^']*'|\"[^\"]*\"", "TEXT", line).split() if word != "TEXT"]
    wanted = [
        word.replace("W", "/path/to/workspace", 1) if word.startswith("W") and word != "WARN" else word
        for word in wanted
    ]
    here = _section(step).replace("\\\n", " ")
    values = {"4", "timeout", "api_rate_limits", "data_validation"}
    pattern = r"[^\n]*?\s".join(re.escape(word) for word in wanted if word not in values)
    assert re.search(pattern, here), f"{step} lacks: {line}"


@pytest.mark.parametrize(("line", "name"), SCRIPTED)
def test_a_command_line_of_the_founding_document_is_a_command_of_ours(line: str, name: str) -> None:
    command, _ = _parsed(line)
    assert command.words == name


@pytest.mark.parametrize("line", _lines())
def test_a_command_line_of_the_skill_is_a_command_of_ours(line: str) -> None:
    _parsed(line)


@pytest.mark.parametrize(
    "name", sorted(set(re.findall(r"`(harness (?:mission|memory|skill)[a-z ]+?)(?: [^a-z`][^`]*)?`", TEXT)))
)
def test_a_command_that_the_text_names_is_a_command_of_ours(name: str) -> None:
    command, rest = find(name.split()[1:])
    assert command is not None
    assert rest == []


def test_the_dream_has_a_schedule_of_its_own_in_the_set_up() -> None:
    block = re.search(r"```yaml\n(.*?)```", _section("A6"), re.DOTALL)
    assert block
    fields = load_yaml(block[1]).tree
    assert isinstance(fields, dict)
    assert {"name", "type", "cron", "repeat", "prompt"} == set(fields)
    assert (fields["type"], fields["cron"], fields["repeat"]) == ("cron", "0 0 3 * * *", True)
    assert "harness_dream.py /path/to/workspace" in fields["prompt"]


def test_the_set_up_names_all_six_files_and_the_phrase_of_a_ready_workspace() -> None:
    files = ("mission.md", "playbook.md", "eval_criteria.md", "cron_config.md", "heartbeat.md", "progress.md")
    assert [name for name in files if f"| `{name}` |" not in _section("A3")] == []
    assert "`Workspace is ready`" in _section("A5")
    assert "~/.openclaw/workspace/harness/{task-slug}/" in _section("A1")


def test_the_reading_order_goes_from_what_changes_least() -> None:
    order = ["mission.md", "eval_criteria.md", "playbook.md", "heartbeat.md", "knowledge/"]
    assert [name for number, text in sorted(_items("B3").items()) for name in order if f"`{name}`" in text] == order


@pytest.mark.parametrize("layer", LAYERS)
def test_a_layer_of_memory_is_described(layer: str) -> None:
    row = _row("Memory in three layers", layer)
    assert [word for word in LAYERS[layer] if word not in row] == []


@pytest.mark.parametrize("number", COMPONENTS, ids=lambda number: f"component-{number}")
def test_a_component_is_described(number: int) -> None:
    listed = _items("The ten components")
    assert len(listed) == 10
    assert [word for word in COMPONENTS[number] if word not in listed[number]] == []


@pytest.mark.parametrize("tool", USES)
def test_the_table_says_when_to_use_a_tool(tool: str) -> None:
    table = [line for line in _section("When to use what").splitlines() if line.startswith("|")][2:]
    assert len(table) == 6
    (row,) = [line for line in table if f"| `{tool}` |" in line]
    assert USES[tool] in row


@pytest.mark.parametrize("number", RULES, ids=lambda number: f"rule-{number}")
def test_a_rule_is_stated(number: int) -> None:
    listed = _items("The thirteen rules")
    assert len(listed) == 13
    assert [word for word in RULES[number] if word not in listed[number]] == []


def test_the_skill_says_when_not_to_use_workers() -> None:
    about = " ".join(_section("Workflow D").split())
    assert re.search(r"\*\*When not to use it\*\*: .*follow one another.*needs the result of another", about)


@pytest.mark.parametrize("code", [0, 1, 2, 10, 11, 12, 13, 65, 69, 75])
def test_an_exit_code_is_explained_with_what_to_do(code: int) -> None:
    cells = [cell.strip() for cell in _row("Exit codes", str(code)).split("|")[1:-1]]
    assert len(cells) == 3
    assert all(cells)


def test_the_example_of_checks_shows_every_mark_and_every_language_and_can_be_read() -> None:
    (example,) = re.findall(r"^````markdown\n(.*?)^````$", TEXT, re.MULTILINE | re.DOTALL)
    read = parse_criteria(example)
    assert read.problems == ()
    assert read.value is not None
    assert [(one.id, one.mandatory, one.step, one.completion) for one in read.value.standards] == [
        ("C1", True, None, False), ("C2", False, "3", False), ("C3", True, None, True),
    ]  # fmt: skip
    assert [check.language for one in read.value.standards for check in one.checks] == ["python", "sh", "check"]
    assert [mark for mark in ("(Optional)", "Step: 3", "Applies: completion") if mark not in example] == []


def test_the_kinds_of_checks_are_those_there_are() -> None:
    table = TEXT.split("| kind | fields |\n")[1].split("\n\n")[0].splitlines()[1:]
    told = {line.split("`")[1]: set(re.findall(r"`(\w+)`", line.split("|")[2])) for line in table}
    assert set(told) == set(KINDS)
    for kind, fields in told.items():
        wanted = {name.removesuffix("_s") for name in KINDS[kind]._fields}
        assert fields - {"24h"} == wanted


def test_a_script_for_each_of_the_nine_names() -> None:
    assert [path.stem for path in SCRIPTS] == sorted(LAUNCH["COMMANDS"])
    assert len(SCRIPTS) == 9


def test_the_scripts_differ_in_nothing_but_what_they_say_of_themselves() -> None:
    bodies = {path.read_text(encoding="utf-8").split('"""\n', 1)[1] for path in SCRIPTS}
    assert len(bodies) == 1


@pytest.mark.parametrize("path", [*SCRIPTS, FOLDER / "scripts" / "_launch.py"], ids=lambda path: path.stem)
def test_a_script_runs_on_old_interpreters_and_imports_next_to_nothing(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 8))
    at_the_top = {alias.name for node in tree.body if isinstance(node, ast.Import) for alias in node.names}
    assert at_the_top <= {"os", "sys", "_launch"}
    assert not [node for node in tree.body if isinstance(node, ast.ImportFrom)]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("harness_boot --help", "mission boot --help"),
        ("harness_boot W --max-failures 5", "mission boot W --max-failures 5"),
        ("harness_heartbeat W complete", "mission complete W"),
        ("harness_heartbeat start start", "mission start start"),
        ("harness_memory W check --fix", "memory check W --fix"),
        ("harness_memory W --help", "memory --help"),
        ("harness_memory W stream --help", "memory stream W --help"),
        ("harness_coordinator --help", "mission agents --help"),
        ("harness_heartbeat W", ""),
        ("harness_heartbeat", ""),
        ("harness_heartbeat W boot", ""),
        ("harness_coordinator W start", ""),
    ],
)
def test_a_script_puts_the_verb_before_the_workspace(line: str, words: str) -> None:
    script, *given = line.split()
    assert LAUNCH["words_of"](script, given) == words.split()


NOW = {"a": "1", "b": "1"}


@pytest.mark.parametrize(
    ("there", "locked", "edited"),
    [
        (None, {}, []),
        (NOW, NOW, []),
        ({"a": "0", "b": "0"}, {"a": "0", "b": "0"}, []),  # an older version, as it was written
        ({"a": "0", "b": "mine"}, {"a": "0", "b": "0"}, ["b"]),
        ({"a": "0", "b": "1"}, {"a": "0", "b": "0"}, []),  # edited to what is wanted
        ({"a": "1"}, NOW, ["b"]),
        ({**NOW, "c": "mine"}, NOW, ["c"]),
        ({**NOW, "c": "0"}, {**NOW, "c": "0"}, []),  # a file that the new version no longer has
        ({"a": "mine"}, {}, ["a"]),
        ({"a": "1"}, {}, []),  # an installation that lost its lock
    ],
)
def test_an_edit_is_what_is_neither_as_it_was_written_nor_as_it_is_wanted(
    there: dict[str, str] | None, locked: dict[str, str], edited: list[str]
) -> None:
    assert installing.edits(there, locked, NOW) == edited
