"""WORKFLOW.md: front matter, keys, defaults, expansion, and every refusal with its key and line."""

from __future__ import annotations

import contextlib
import os
import subprocess  # noqa: TID251 -- asks a shell that lost its rights
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harnessos.errors import BadWorkflow
from harnessos.model.gate import GateKind
from harnessos.workflow.load import load_workflow, parse_workflow
from harnessos.workflow.schema import harness_schema, harness_schema_text
from harnessos.workflow.split import split
from harnessos.workflow.values import Runner, Workflow
from harnessos.workflow.variables import DEFAULT_PROMPT
from tests.support.json_schema import conforms

ROOT = Path(__file__).resolve().parents[2]
FILE = Path("/repo/WORKFLOW.md")
HOME = Path("/users/me/.agent-harness")


def load(front: str, body: str = "Do {{ issue.title }}", environ: dict[str, str] | None = None) -> Workflow:
    return parse_workflow(f"---\n{front}\n---\n{body}\n", FILE, environ or {}, HOME)


def refused(text: str) -> BadWorkflow:
    with pytest.raises(BadWorkflow) as caught:
        parse_workflow(text, FILE, {}, HOME)
    assert str(caught.value).startswith(str(caught.value.facts["kind"]))
    return caught.value


def wrong(front: str) -> list[str]:
    """Return the causes of a bad configuration as `line: key: what`."""
    error = refused(f"---\n{front}\n---\nhello\n")
    assert error.facts["kind"] == "workflow_config_error"
    causes = error.facts["causes"]
    assert isinstance(causes, list)
    return [cause.removeprefix(f"{FILE}:") for cause in causes]


def test_a_file_without_front_matter_is_all_prompt() -> None:
    """SYM-5.2-02."""
    found = parse_workflow("\n  Do {{ issue.title }}\n\n", FILE, {}, HOME)
    assert found.prompt == "Do {{ issue.title }}"
    assert found.harness.runner is None
    assert found.raw == {}


def test_the_defaults_are_the_specifications_except_where_written_down() -> None:
    """SYM-5.3.2-01, 5.3.3-03, 5.3.5-02 and the deviations: tracker harness, four agents, worktrees under the home."""
    found = load("")
    assert found.tracker.kind == "harness"
    assert found.polling_interval_ms == 30_000
    assert found.workspace_root == HOME / "worktrees"
    assert found.hooks == (None, None, None, None, 60_000)
    assert found.agent == (4, 20, 300_000, {})
    assert found.codex == {
        "command": "codex app-server",
        "turn_timeout_ms": 3_600_000,
        "read_timeout_ms": 5_000,
        "stall_timeout_ms": 300_000,
    }
    ours = found.harness
    assert (ours.require_gates, ours.max_rejections, ours.on_review, ours.retry, ours.leftovers) == (
        *(None, 3, "review"),
        *("salvage", "commit"),
    )
    assert (ours.runner, ours.gates, ours.budget, ours.env, ours.notify, ours.target) == (None, (), {}, {}, None, None)


@pytest.mark.parametrize("front", ["", "# only a comment", "tracker:", "harness:", "hooks:\n  before_run:"])
def test_nothing_behind_a_key_is_the_default(front: str) -> None:
    assert load(front)._replace(raw={}, digest="", prompt_line=0) == load("")._replace(raw={}, digest="", prompt_line=0)


def test_a_missing_file_a_directory_and_a_pipe_are_missing_workflow_files(tmp_path: Path) -> None:
    """SYM-5.1-03."""
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "WORKFLOW.md", tmp_path, tmp_path / "pipe"):
        with pytest.raises(BadWorkflow, match=r"^missing_workflow_file: ") as caught:
            load_workflow(path, {}, HOME)
        assert caught.value.exit_code == 65
        assert "init --workflow" in caught.value.hint


@pytest.mark.skipif(os.geteuid() != 0 or not Path("/usr/bin/setpriv").exists(), reason="needs root and setpriv")
def test_an_unreadable_file_is_a_missing_workflow_file(tmp_path: Path) -> None:
    """SYM-5.1-03, as root without its rights over files."""
    path = tmp_path / "WORKFLOW.md"
    path.write_text("x")
    path.chmod(0)
    program = (
        "import sys\nfrom pathlib import Path\nfrom harnessos.workflow.load import load_workflow\n"
        "try: open(sys.argv[1]); print('readable')\n"
        "except PermissionError: pass\n"
        "try: load_workflow(Path(sys.argv[1]), {}, Path('/'))\n"
        "except Exception as error: print(error)\n"
    )
    drop = ["setpriv", "--bounding-set", "-all", "--inh-caps", "-all"]
    found = subprocess.run(
        [*drop, sys.executable, "-c", program, str(path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
    )
    assert found.stdout.startswith("missing_workflow_file: "), found


def test_bytes_that_are_no_text_are_a_parse_error(tmp_path: Path) -> None:
    path = tmp_path / "WORKFLOW.md"
    for content in (b"---\n\xff\n---\n", b"a\0b", b"x" * (1024 * 1024 + 1)):
        path.write_bytes(content)
        with pytest.raises(BadWorkflow, match=r"^workflow_parse_error: "):
            load_workflow(path, {}, HOME)


def test_front_matter_that_is_no_map_is_refused() -> None:
    """SYM-5.2-03."""
    for front in ("- a", "just text", "3"):
        assert refused(f"---\n{front}\n---\n").facts["kind"] == "workflow_front_matter_not_a_map"


@pytest.mark.parametrize("front", ["a: [", "a: b: c", "a: 1\na: 2", "a: !!python/name:os x", "\ta: 1", "a: &x [*x]"])
def test_bad_yaml_is_a_parse_error_with_its_line(front: str) -> None:
    """SYM-5.2-04."""
    error = refused(f"---\n{front}\n---\n")
    assert error.facts["kind"] == "workflow_parse_error"
    assert f"{FILE}:{2 + ('2' in front)}" in str(error)


def test_unterminated_front_matter_is_an_error() -> None:
    """SYM-5.2-07: the specification leaves it open; here it is refused."""
    error = refused("---\nagent:\n  max_turns: 3\n\nthe prompt\n")
    assert error.facts["kind"] == "workflow_parse_error"
    assert f"{FILE}:1: " in str(error)


def test_the_body_is_trimmed_and_its_line_is_known() -> None:
    """SYM-5.2-01, 5.2-05."""
    assert split("---\na: 1\n---\n\n\n  one\n two \n\n") == ("a: 1\n", "one\n two", 6)


def test_windows_line_ends_and_blanks_after_the_fence_are_read() -> None:
    assert split("--- \r\na: 1\r\n---\t\r\nbody\r\n") == ("a: 1\n", "body", 4)


@pytest.mark.parametrize("text", [" ---\na: 1\n---\n", "\n---\na: 1\n---\n", "----\na\n----", "---x\n---\n"])
def test_only_three_dashes_on_line_one_open_front_matter(text: str) -> None:
    found = split(text)
    assert found is not None
    assert found.front is None


def test_a_line_separator_inside_text_is_no_line_end() -> None:
    found = split("---\na: 'x\u2028---\u2028y'\n---\nb\x0cc")
    assert found is not None
    assert found.body == "b\x0cc"


def test_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    path = tmp_path / "WORKFLOW.md"
    path.write_bytes(b"\xef\xbb\xbf---\nagent: {max_turns: 7}\n---\nhi")
    assert load_workflow(path, {}, HOME).agent.max_turns == 7


def test_unknown_keys_of_the_specification_pass_and_are_kept() -> None:
    """SYM-5.3-01, 5.3.1-02, 5.3.6-03."""
    found = load(
        "future: {x: 1}\ntracker: {kind: linear, provider: {a: {b: [1]}}, extra: 2}\n"
        "codex: {approval_policy: {deep: [1, {x: y}]}, mine: 1}\nagent: {new: 3}"
    )
    assert found.raw["future"] == {"x": 1}
    assert found.tracker.provider == {"a": {"b": [1]}}
    assert found.tracker.raw["extra"] == 2
    assert found.codex["approval_policy"] == {"deep": [1, {"x": "y"}]}
    assert found.codex["mine"] == 1


def test_labels_are_trimmed_and_lowered_and_a_blank_one_is_kept() -> None:
    """SYM-5.3.1-07, 5.3.1-08: a blank label must match nothing, so it may not vanish."""
    assert load("tracker: {required_labels: [' Symphony ', ' ']}").tracker.required_labels == ("symphony", "")


def test_bad_entries_of_the_state_map_are_ignored() -> None:
    """SYM-5.3.5-04."""
    front = "agent: {max_concurrent_agents_by_state: {' Todo ': 1, Rework: 0, X: a, Y: true, Z: -1, '': 4, W: 2}}"
    assert load(front).agent.by_state == {"todo": 1, "w": 2}


@pytest.mark.parametrize("value", ["0", "-5", "'x'", "1.5", "true", "[1]"])
@pytest.mark.parametrize(
    "key",
    [
        *("polling.interval_ms", "hooks.timeout_ms", "agent.max_concurrent_agents", "agent.max_turns"),
        *("agent.max_retry_backoff_ms", "codex.turn_timeout_ms", "codex.read_timeout_ms", "harness.max_rejections"),
    ],
)
def test_a_limit_must_be_a_positive_whole_number(key: str, value: str) -> None:
    """SYM-5.3.4-05, 5.3.5-02, P01."""
    section, name = key.split(".")
    (only,) = wrong(f"{section}:\n  {name}: {value}")
    assert only.startswith(f"3: {key}: must be ")


def test_stall_detection_may_be_switched_off() -> None:
    """SYM-5.3.6-05."""
    assert load("codex: {stall_timeout_ms: -1}").codex["stall_timeout_ms"] == -1


@pytest.mark.parametrize("value", ["''", "'  '", "3"])
def test_codex_command_may_not_be_blank(value: str) -> None:
    """SYM-6.3-03."""
    assert wrong(f"codex: {{command: {value}}}")[0].startswith("2: codex.command: must")


@pytest.mark.parametrize(
    ("root", "expected"),
    [
        ("~/x", "/users/me/x"),
        ("$ROOT", "/big"),
        ("${ROOT}/y", "/big/y"),
        ("var/trees", "/repo/var/trees"),
        ("/abs", "/abs"),
        ("'~other'", "/repo/~other"),
    ],
)
def test_the_workspace_root_is_expanded(root: str, expected: str) -> None:
    """SYM-5.3.3-01, 5.3.3-02: relative to the folder of WORKFLOW.md, not to the current one."""
    found = load(
        f"workspace: {{root: {root if root[0] != '$' else repr(root)}}}", environ={"HOME": "/users/me", "ROOT": "/big"}
    )
    assert found.workspace_root == Path(expected)
    assert found.unready == ()


def test_a_variable_that_is_not_set_blocks_dispatch_and_not_reading() -> None:
    """SYM-5.3.1-05: empty counts as missing. Gates are read in places where the agent's variables are not."""
    found = load(
        "workspace: {root: $NO/x}\nharness:\n  env:\n    A: $EMPTY\n    B: ${SET}\n    C: a $SET",
        environ={"EMPTY": "", "SET": "s"},
    )
    assert found.unready == (
        "line 2: workspace.root: $NO is not set or empty in the environment",
        "line 5: harness.env.A: $EMPTY is not set or empty in the environment",
    )
    assert found.harness.env == {"B": "s", "C": "a $SET"}


def test_nothing_else_is_expanded_and_the_environment_never_wins() -> None:
    """SYM-6.1-02, 6.1-03."""
    found = load(
        "codex: {command: '$X app-server'}\nhooks: {before_run: 'echo $X ~'}\ntracker: {provider: {url: 'http://h/~u/$X'}}\n"
        "harness: {runner: {command: 'run $X'}}",
        environ={"X": "y", "POLLING_INTERVAL_MS": "1", "MAX_TURNS": "1"},
    )
    assert found.codex["command"] == "$X app-server"
    assert found.hooks.before_run == "echo $X ~"
    assert found.tracker.provider == {"url": "http://h/~u/$X"}
    assert found.harness.runner == Runner("command", None, "run $X")
    assert (found.polling_interval_ms, found.agent.max_turns) == (30_000, 20)


def test_our_section_becomes_values() -> None:
    found = load(
        """
harness:
  runner:
    kind: command
    command: [claude, -p, ""]
    env: {KEY: v}
  gates:
    - make lint
    - {name: t, kind: tests, argv: [pytest]}
  require_gates: false
  max_rejections: 5
  on_review: reject
  checkout: {setup: [make venv], cache_key: [requirements.txt], include: [.env]}
  budget: {turns: 4, usd: unlimited}
  worktree: {retry: clean}
  target: release/1.x
  landing: none
  env: {KEY: outer, B: "1"}
  notify: [notify-send, attention]
  serves: {workload_classes: [big], capabilities: [net, gpu, net]}
  leftovers: refuse
  protect: ["tests/**", Makefile]
""".strip()
    ).harness
    assert found.runner == Runner("command", ("claude", "-p", ""), None)
    assert [gate.kind for gate in found.gates] == [GateKind.COMMAND, GateKind.TESTS]
    assert (found.require_gates, found.max_rejections, found.on_review) == (False, 5, "reject")
    assert found.checkout == (("make venv",), ("requirements.txt",), (".env",))
    assert found.budget == {"turns": 4, "usd": "unlimited"}
    assert (found.retry, found.target, found.leftovers) == ("clean", "release/1.x", "refuse")
    assert found.env == {"KEY": "v", "B": "1"}
    assert found.notify == ("notify-send", "attention")
    assert (found.workload_classes, found.capabilities) == (("big",), ("gpu", "net"))
    assert found.protect == ("tests/**", "Makefile")


@pytest.mark.parametrize(
    ("front", "begins"),
    [
        ("harness:\n  foo: 1", "3: harness.foo: unknown field; known are budget"),
        ("harness: 3", "2: harness: must be a mapping"),
        ("agent: []", "2: agent: must be a mapping"),
        ("harness:\n  runner: {kind: acp, command: x}", "3: harness.runner.kind: acp is not available yet"),
        ("harness:\n  runner: {kind: claude}", "3: harness.runner.kind: claude is not available yet"),
        ("harness:\n  runner: {kind: codex}", "3: harness.runner.kind: codex is not available yet"),
        ("harness:\n  runner: {kind: x, command: y}", "3: harness.runner.kind: must be 'command', not 'x'"),
        ("harness:\n  landing: merge", "3: harness.landing: merge is not available yet"),
        ("harness:\n  landing: pr", "3: harness.landing: pr is not available yet"),
        ("harness:\n  landing: x", "3: harness.landing: must be 'none', not 'x'"),
        ("harness:\n  runner: {}", "3: harness.runner.command: is missing"),
        ("harness:\n  runner: {command: []}", "3: harness.runner.command: must be a command line, or a list"),
        ("harness:\n  runner: {command: ' '}", "3: harness.runner.command: must be a command line, or a list"),
        ("harness:\n  runner: {command: [a, 1]}", "3: harness.runner.command: must be a command line, or a list"),
        ("harness:\n  runner: {command: ['']}", "3: harness.runner.command[0]: must name a program"),
        ("harness:\n  require_gates: 'yes'", "3: harness.require_gates: must be true or false"),
        ("harness:\n  on_review: maybe", "3: harness.on_review: must be 'review' or 'reject'"),
        ("harness:\n  leftovers: x", "3: harness.leftovers: must be 'commit' or 'refuse'"),
        ("harness:\n  worktree: {retry: x}", "3: harness.worktree.retry: must be 'salvage' or 'clean'"),
        ("harness:\n  budget:\n    turns: 0", "4: harness.budget.turns: must be a whole number above 0"),
        ("harness:\n  budget:\n    usd: null", "4: harness.budget.usd: must be a number above 0"),
        ("harness:\n  budget: null", "3: harness.budget: must be a mapping"),
        ("harness:\n  gates:\n    - make\n    - {name: x}", "5: harness.gates[1]: needs exactly one of argv"),
        ("harness:\n  gates: {}", "3: harness.gates: must be a list"),
        ("harness:\n  max_rejections: null", "3: harness.max_rejections: must be a whole number, not null"),
        ("harness:\n  env: {1x: y}", "3: harness.env.1x: is not a name"),
        ("harness:\n  env: {HARNESS_HOME: y}", "3: harness.env.HARNESS_HOME: names that begin with HARNESS_"),
        ("harness:\n  env: {A: 1}", "3: harness.env.A: must be text, not 1"),
        ("harness:\n  notify: []", "3: harness.notify: must not be empty"),
        ("harness:\n  notify: notify-send", "3: harness.notify: must be a list"),
        ("harness:\n  protect: [/etc]", "3: harness.protect[0]: must be a path relative"),
        ("harness:\n  checkout: {include: [../x]}", "3: harness.checkout.include[0]: must not have"),
        ("harness:\n  target: --all", "3: harness.target: must be the name of a branch"),
        ("harness:\n  serves: {hosts: [a]}", "3: harness.serves.hosts: unknown field; known are capabilities"),
        ("hooks:\n  before_run: 3", "3: hooks.before_run: must be text"),
        ("tracker:\n  active_states: x", "3: tracker.active_states: must be a list"),
    ],
)
def test_a_wrong_value_is_refused_with_key_and_line(front: str, begins: str) -> None:
    (only,) = wrong(front)
    assert only.startswith(begins)


def test_all_causes_are_listed_in_the_order_of_the_file() -> None:
    found = wrong(
        "agent:\n  max_turns: 0\nharness:\n  landing: pr\n  on_review: x\n  budget:\n    usd: -1\n  gates: [{}]"
    )
    assert [cause.split(": ")[1] for cause in found] == [
        *("agent.max_turns", "harness.landing", "harness.on_review", "harness.budget.usd"),
        *("harness.gates[0].name", "harness.gates[0]"),
    ]


def test_an_empty_body_gets_the_default_prompt() -> None:
    """SYM-5.4-04."""
    assert load("agent: {}", body="  \n").prompt == DEFAULT_PROMPT
    assert parse_workflow("", FILE, {}, HOME).prompt == DEFAULT_PROMPT


def test_the_digest_tells_one_text_from_another() -> None:
    assert load("a: 1").digest != load("a: 2").digest


def test_the_committed_schema_is_the_generated_one() -> None:
    assert (ROOT / "docs/schemas/workflow.schema.json").read_text() == harness_schema_text()


@pytest.mark.parametrize(
    ("section", "right"),
    [
        ({}, True),
        ({"runner": {"command": ["x"]}, "gates": ["make"], "budget": {"turns": 1}, "env": {"A": "b"}}, True),
        ({"runner": {"command": "x"}, "serves": {"capabilities": ["a"]}}, True),
        ({"foo": 1}, False),
        ({"runner": {}}, False),
        ({"budget": {"turns": 0}}, False),
        ({"max_rejections": 0}, False),
        ({"env": {"1": "x"}}, False),
        ({"landing": "pr"}, False),
    ],
)
def test_the_published_schema_says_what_the_reader_says(section: dict[str, object], right: bool) -> None:
    assert conforms(section, harness_schema()) is right


KEYS = [
    "tracker",
    "polling",
    "workspace",
    "hooks",
    "agent",
    "codex",
    "harness",
    "runner",
    "command",
    "gates",
    "env",
    "budget",
]
KEYS += [
    "kind",
    "root",
    "interval_ms",
    "max_concurrent_agents_by_state",
    "checkout",
    "protect",
    "notify",
    "target",
    "turns",
]
value = st.recursive(
    st.sampled_from(["1", "0", "x", "~", "''", "$A", "true", "'{{ x }}'", "!!b c", "*a", "&a 1", "harness"]),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]")
        | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4).map(
            lambda items: "{" + ", ".join(f"{key}: {item}" for key, item in items.items()) + "}"
        )
    ),
    max_leaves=10,
)


@settings(max_examples=400, deadline=None)
@given(st.dictionaries(st.sampled_from(KEYS), value, max_size=4), st.text("ab{}%|-. '\n", max_size=20))
def test_no_file_crashes_the_reader(front: dict[str, str], body: str) -> None:
    text = "---\n" + "".join(f"{key}: {item}\n" for key, item in front.items()) + "---\n" + body
    with contextlib.suppress(BadWorkflow):
        parse_workflow(text, FILE, {}, HOME)


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=80))
def test_no_text_crashes_the_reader(text: str) -> None:
    with contextlib.suppress(BadWorkflow):
        parse_workflow(text, FILE, {}, HOME)
