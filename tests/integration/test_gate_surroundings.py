"""What surrounds a gate: the state of a plain folder, the environment, the interpreter."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from harnessos import processes
from harnessos.errors import BadContent
from harnessos.gates.environment import gate_environment, interpreter_imports_elsewhere
from harnessos.gates.manifest import difference, manifest


def test_a_manifest_changes_with_every_path_size_and_byte(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / ".harness").mkdir()
    (tmp_path / "sub" / "a").write_text("one", encoding="utf-8")
    (tmp_path / "gone").write_text("x", encoding="utf-8")
    (tmp_path / "link").symlink_to("/etc")
    os.mkfifo(tmp_path / "pipe")
    before = manifest(tmp_path)
    assert list(before.files) == ["gone", "link", "pipe", "sub/a"]
    assert before.files["link"].kind == "link"
    assert manifest(tmp_path) == before
    (tmp_path / ".harness" / "x").write_text("ours", encoding="utf-8")
    assert manifest(tmp_path).hash == before.hash
    (tmp_path / "sub" / "a").write_text("two", encoding="utf-8")
    (tmp_path / "gone").unlink()
    (tmp_path / "new").write_bytes(b"")
    after = manifest(tmp_path)
    assert after.hash != before.hash
    assert difference(before, after) == (("new",), ("sub/a",), ("gone",))
    assert not difference(after, after)


def test_a_folder_beyond_the_limits_is_refused_naming_them(tmp_path: Path) -> None:
    for name in "abc":
        (tmp_path / name).write_bytes(b"1234")
    assert manifest(tmp_path, most_files=3, most_bytes=12)
    with pytest.raises(BadContent, match="more than 2 files"):
        manifest(tmp_path, most_files=2)
    with pytest.raises(BadContent, match="more than 11 bytes"):
        manifest(tmp_path, most_bytes=11)
    with pytest.raises(FileNotFoundError):
        manifest(tmp_path / "missing")


def test_the_environment_of_a_gate_cannot_open_the_ledger(tmp_path: Path) -> None:
    built = {
        "PATH": "/bin",
        "HARNESS_SESSION_TOKEN": "t",
        "HARNESS_STORE": "s",
        "HARNESS_HOME": "h",
        "CI": "no",
        "X": "1",
    }
    env = gate_environment(
        built, run_id="run-1", project="P", issue="P-1", attempt=2, checkout=tmp_path, subject="c0ffee"
    )
    assert not {"HARNESS_SESSION_TOKEN", "HARNESS_STORE", "HARNESS_HOME"} & env.keys()
    assert (env["CI"], env["X"], env["HARNESS_ATTEMPT"], env["HARNESS_RUN_ID"]) == ("no", "1", "2", "run-1")


def test_an_interpreter_that_imports_the_project_from_elsewhere_is_found(tmp_path: Path) -> None:
    package = tmp_path / "checkout" / "src" / "thing"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("", encoding="utf-8")
    other = tmp_path / "other" / "thing"
    other.mkdir(parents=True)
    (other / "__init__.py").write_text("", encoding="utf-8")

    def elsewhere(path: Path) -> list[str]:
        env = processes.built_environment(os.environ, {"PYTHONPATH": str(path)})
        return [
            found.package
            for found in interpreter_imports_elsewhere(sys.executable, tmp_path / "checkout", env, "run-x")
        ]

    assert elsewhere(other.parent) == ["thing"]
    assert elsewhere(tmp_path / "checkout" / "src") == []
