"""From a file to a tree: what is read, what is refused before anything is understood."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harnessos.documents import reading
from harnessos.documents.jsontext import load_json, load_toml
from harnessos.documents.tree import MAX_DEPTH, Loaded
from harnessos.documents.yamltext import MAX_VALUES, load_yaml
from harnessos.errors import BadPlan, NotAFile
from harnessos.plans.read import read_plan

MINIMAL = {"milestones": [{"milestone_key": "a", "description": "d", "issues": [{"task": "t"}]}]}
YAML = "milestones:\n- milestone_key: a\n  description: d\n  issues:\n  - task: t\n"
TOML = '[[milestones]]\nmilestone_key = "a"\ndescription = "d"\n[[milestones.issues]]\ntask = "t"\n'


def causes(path: Path) -> list[str]:
    with pytest.raises(BadPlan) as caught:
        read_plan(path)
    found = caught.value.facts["causes"]
    assert isinstance(found, list)
    assert all(cause in str(caught.value) for cause in found)
    assert all(cause.startswith(str(path)) for cause in found)
    return found


def written(tmp_path: Path, name: str, content: str | bytes) -> Path:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("p.json", json.dumps(MINIMAL)),
        ("p.yaml", YAML),
        ("p.yml", YAML),
        ("p.toml", TOML),
        ("p", json.dumps(MINIMAL, indent=1)),
        ("p", "# a comment\n" + YAML),
        ("p", "# a comment\n\n" + TOML),
        ("p.plan", 'version = 1\nplan_key = "x"\n' + TOML + 'key = "k"\n'),
        ("p.JSON", json.dumps(MINIMAL)),
    ],
)
def test_each_format_is_known_by_suffix_or_by_its_first_line(tmp_path: Path, name: str, text: str) -> None:
    assert [issue.task for issue in read_plan(written(tmp_path, name, text)).issues] == ["t"]


@pytest.mark.parametrize(("name", "text"), [("p.json", json.dumps(MINIMAL)), ("p.yaml", YAML), ("p.toml", TOML)])
def test_a_byte_order_mark_and_windows_line_ends_are_read(tmp_path: Path, name: str, text: str) -> None:
    content = b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode()
    assert read_plan(written(tmp_path, name, content)) == read_plan(written(tmp_path, "q" + name, text))


def test_a_directory_a_missing_file_and_a_pipe_are_no_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.json")
    for path in (tmp_path, tmp_path / "none.yaml", tmp_path / "pipe.json", tmp_path / "a" / "b.json"):
        with pytest.raises(NotAFile) as caught:
            read_plan(path)
        assert caught.value.exit_code == 2
        assert str(path) in str(caught.value)


def test_an_alias_to_what_it_lies_in_is_named() -> None:
    (found,) = load_yaml("a: 1\nb: &x\n  c: [*x]\n").problems
    assert found.line == 3
    assert "*x refers to what it lies in" in found.sentence


def test_a_file_over_256_mb_is_refused_by_its_size_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is a hole of one gigabyte, and nothing of it may be read."""
    monkeypatch.setattr(os, "read", None)
    path = tmp_path / "huge.json"
    with path.open("wb") as file:
        file.truncate(1024**3)
    assert causes(path) == [f"{path}: is larger than 256 MB"]


@pytest.mark.parametrize("name", ["huge.yaml", "huge"])
def test_yaml_over_32_mb_names_json_as_the_way_out(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MAX_YAML_BYTES", 2 * 1024 * 1024)
    (cause,) = causes(written(tmp_path, name, YAML + "# " + "x" * (2 * 1024 * 1024)))
    assert "larger than 2 MB" in cause
    assert "JSON" in cause


def test_the_yaml_limit_is_32_mb() -> None:
    assert reading.MAX_YAML_BYTES == 32 * 1024**2
    assert reading.MAX_BYTES == 256 * 1024**2


def test_a_file_that_grows_while_it_is_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, "p.json", "x" * 100)
    read = os.read
    monkeypatch.setattr(os, "read", lambda handle, size: read(handle, size) + b"x" * 1000)
    assert reading.read_text(path, 500).problem is not None


@pytest.mark.parametrize("name", ["p.json", "p.yaml", "p.toml"])
def test_invalid_utf8_is_named_with_its_line(tmp_path: Path, name: str) -> None:
    path = written(tmp_path, name, b"\n\n\xff")
    (cause,) = causes(path)
    assert cause.startswith(f"{path}:3: is not UTF-8")


@pytest.mark.parametrize("name", ["p.json", "p.yaml", "p.toml"])
def test_a_nul_byte_is_refused(tmp_path: Path, name: str) -> None:
    (cause,) = causes(written(tmp_path, name, b"\n\0"))
    assert ":2: holds a NUL character" in cause


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("p.json", json.dumps(MINIMAL).replace('"t"', '"a\\u0000b"')),
        ("p.yaml", YAML.replace(": t", ': "a\\0b"')),
        ("p.json", json.dumps(MINIMAL).replace('"t"', '"\\ud800"')),
        ("p.yaml", YAML.replace(": t", ': "\\uD800"')),
    ],
)
def test_an_escaped_nul_and_half_a_character_are_refused_with_their_path(tmp_path: Path, name: str, text: str) -> None:
    (cause,) = causes(written(tmp_path, name, text))
    assert "milestones[0].issues[0].task: holds" in cause


def test_a_doubled_key_in_json_is_named_by_path() -> None:
    problems = load_json('{"milestones": [{"a": 1, "b": 2, "a": 3}]}').problems
    assert [(found.where, found.sentence) for found in problems] == [
        ("milestones[0].a", "this key stands here more than once")
    ]


def test_a_doubled_key_in_yaml_is_named_by_line() -> None:
    (found,) = load_yaml("a: 1\nb:\n  c: 1\n  c: 2\n").problems
    assert found.line == 4
    assert "'c'" in found.sentence


def test_a_doubled_key_in_toml_is_named_by_line() -> None:
    (found,) = load_toml("a = 1\na = 2\n").problems
    assert found.line == 2


@pytest.mark.parametrize("text", ["[1", "{", '{"a" 1}', "nul", "NaN", '{"a": Infinity}', "", "1" * 5000, '["\\x"]'])
def test_broken_json_is_a_problem(text: str) -> None:
    assert load_json(text).problems


def test_an_infinite_number_is_refused_wherever_it_comes_from() -> None:
    assert load_json('{"a": 1e999}').problems[0].where == "a"
    assert load_toml("a = inf").problems[0].where == "a"
    assert load_yaml("a: .inf").problems[0].where == "a"
    assert load_yaml("a: .nan").problems[0].where == "a"


@pytest.mark.parametrize(
    "text", ["a: [", "a: b: c", "\t- a", "a: 'b", "? [1]\n: 2", "a: &x\n  b: *x", "a: *nope", "%YAML"]
)
def test_broken_yaml_is_a_problem(text: str) -> None:
    assert load_yaml(text).problems


def test_yaml_means_what_version_1_2_says() -> None:
    tree = load_yaml("a: no\non: 22:30\nb: 010\nc: 2026-01-01T00:00:00Z\nd: 0x1f\ne: 1e3\nf: ~\ng: '1'\n1: x").tree
    assert tree == {
        "a": "no",
        "on": "22:30",
        "b": 10,
        "c": "2026-01-01T00:00:00Z",
        "d": 31,
        "e": 1000.0,
        "f": None,
        "g": "1",
        "1": "x",
    }


@pytest.mark.parametrize(
    "text", ["a: !!python/object:os.system x", "a: !!int '3'", "a: !mine {}", "---\na: 1\n---\nb: 2"]
)
def test_tags_and_second_documents_are_refused(text: str) -> None:
    assert load_yaml(text).problems


def test_a_merge_key_is_refused_by_name() -> None:
    (found,) = load_yaml("a: &x {b: 1}\nc:\n  <<: *x\n").problems
    assert found.line == 3
    assert "merge key" in found.sentence


def test_an_alias_is_a_copy_and_not_shared() -> None:
    tree = load_yaml("a: &x [1, {b: 2}]\nc: *x\n").tree
    assert isinstance(tree, dict)
    assert tree["a"] == tree["c"]
    assert tree["a"] is not tree["c"]


def test_an_alias_bomb_is_stopped_before_it_unfolds() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    (found,) = load_yaml("\n".join(lines)).problems
    assert f"{MAX_VALUES:,} values once its aliases are expanded" in found.sentence
    assert found.line is not None


@pytest.mark.parametrize(
    "loaded",
    [
        load_json("[" * 200 + "]" * 200),
        load_json("[" * 100_000),
        load_json('{"a":' * 100_000),
        load_yaml("[" * 200 + "]" * 200),
        load_yaml("[" * 100_000),
        load_yaml("- " * 5_000 + "x"),
        load_toml("a = " + "[" * 200 + "]" * 200),
        load_toml("a = " + "[" * 100_000),
        load_toml(".".join("a" * 300) + " = 1"),
    ],
)
def test_a_depth_bomb_is_a_problem_and_no_crash(loaded: Loaded) -> None:
    (found,) = loaded.problems
    assert f"deeper than {MAX_DEPTH}" in found.sentence


def test_reading_yaml_tells_how_far_it_is(tmp_path: Path) -> None:
    heard: list[tuple[int, int]] = []
    read_plan(written(tmp_path, "p.yaml", YAML), lambda done, total: heard.append((done, total)))
    assert heard[-1] == (len(YAML), len(YAML))


finite = st.floats(allow_nan=False, allow_infinity=False)  # YAML reads JSON's NaN as a word
tree = st.recursive(
    st.none() | st.booleans() | st.integers() | finite | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet=st.sampled_from("ab:-[]{}'\"#&*!|>%@`, \n\t?~01.\\=\u2028\x85é"), max_size=60))
def test_no_text_crashes_a_parser(text: str) -> None:
    for load in (load_json, load_toml, load_yaml):
        loaded = load(text)
        assert loaded.problems or loaded.tree is None or loaded.tree is not None


@settings(max_examples=200, deadline=None)
@given(tree)
def test_json_text_reads_the_same_as_json_and_as_yaml(value: object) -> None:
    text = json.dumps({"a": value})
    from_json, from_yaml = load_json(text), load_yaml(text)
    assert bool(from_json.problems) == bool(from_yaml.problems)
    if not from_json.problems:
        assert from_json.tree == from_yaml.tree
