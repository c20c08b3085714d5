"""A skill arrives whole or not at all, edits of it are kept, and its scripts find HarnessOS whatever Python runs them."""

from __future__ import annotations

import fcntl
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from harnessos import processes, skills
from tests.support.commands import NO_CAPABILITIES, Said, Terminal, require_modes
from tests.support.python import ROOT

NAME = "harness-24h"
RECORD = "scripts/.harness-python"
CALL = "-P -c from harnessos.cli.main import main; main()"


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    """A user without any ledger."""
    cwd = tmp_path / "cwd"
    cwd.mkdir()
    return Terminal(tmp_path / "home", cwd)


@pytest.fixture
def host(tmp_path: Path) -> Path:
    """The folder an agent reads its skills from; it does not exist yet."""
    return tmp_path / "agent" / "skills"


def _install(terminal: Terminal, host: Path, *words: str) -> dict[str, object]:
    document: dict[str, object] = terminal.good("skill", "install", NAME, "--to", str(host), *words)
    return document


def _content(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_skills_are_listed(terminal: Terminal) -> None:
    (item,) = [item for item in terminal.good("skill", "list")["items"] if item["name"] == NAME]
    assert item["version"]
    assert NAME in terminal("skill", "list").out


def test_an_installed_skill_has_every_file_of_the_package_and_a_lock(terminal: Terminal, host: Path) -> None:
    done = _install(terminal, host)
    assert (done["state"], done["path"], done["backup"]) == ("installed", str(host / NAME), None)
    there = _content(host / NAME)
    lock = json.loads(there.pop(".skill-lock.json"))
    assert sorted(lock["files"]) == sorted(there)
    assert there.pop(RECORD).decode().splitlines() == [sys.executable, str(ROOT / "src")]
    assert there == skills.files(NAME)
    assert [path.name for path in host.iterdir()] == [NAME]
    assert not terminal.home.exists()


def test_an_installed_skill_has_its_page_scripts_templates_and_references(terminal: Terminal, host: Path) -> None:
    _install(terminal, host)
    there = {path.name for path in (host / NAME).iterdir()}
    assert there == {"SKILL.md", "scripts", "templates", "references", ".skill-lock.json"}


def test_the_same_again_changes_nothing(terminal: Terminal, host: Path) -> None:
    _install(terminal, host)
    before = {path: path.stat().st_mtime_ns for path in host.rglob("*")}
    inode = (host / NAME).stat().st_ino
    assert _install(terminal, host)["state"] == "unchanged"
    assert _install(terminal, host, "--force")["state"] == "unchanged"
    assert {path: path.stat().st_mtime_ns for path in host.rglob("*")} == before
    assert (host / NAME).stat().st_ino == inode


def test_a_dry_run_names_the_files_and_writes_nothing(terminal: Terminal, host: Path, tmp_path: Path) -> None:
    would = _install(terminal, host, "--dry-run")
    assert would["state"] == "installed"
    assert {"path": "SKILL.md", "what": "added"} in (would["changes"] or ())  # type: ignore[operator]
    assert not host.parent.exists()
    _install(terminal, host)
    (host / NAME / "SKILL.md").write_text("mine", encoding="utf-8")
    before = _content(tmp_path)
    would = _install(terminal, host, "--dry-run", "--force")
    assert (would["state"], would["changes"]) == ("replaced", [{"path": "SKILL.md", "what": "changed"}])
    assert terminal("skill", "install", NAME, "--to", str(host), "--dry-run").code == 65
    assert _content(tmp_path) == before


def test_byte_code_of_the_scripts_is_no_edit(terminal: Terminal, host: Path) -> None:
    _install(terminal, host)
    (host / NAME / "scripts" / "__pycache__").mkdir()
    (host / NAME / "scripts" / "__pycache__" / "_launch.pyc").touch()
    assert _install(terminal, host)["state"] == "unchanged"


@pytest.mark.parametrize("edit", ["changed", "added", "removed", "linked"])
def test_an_edited_skill_is_kept_and_reported(terminal: Terminal, host: Path, edit: str) -> None:
    _install(terminal, host)
    page = host / NAME / "SKILL.md"
    mine = host / NAME / "references" / "mine.md"
    match edit:
        case "changed":
            page.write_text("mine", encoding="utf-8")
        case "added":
            mine.write_text("mine", encoding="utf-8")
        case "removed":
            page.unlink()
        case _:
            (host / NAME / "more").symlink_to(host.parent)
    names = {"changed": "SKILL.md", "added": "references/mine.md", "removed": "SKILL.md", "linked": "more"}
    before = _content(host)
    said = terminal("skill", "install", NAME, "--to", str(host), "--json")
    assert said.code == 65
    assert (said.error["code"], said.error["edited"]) == ("skill_drifted", [names[edit]])
    assert "--force" in said.error["hint"]
    assert _content(host) == before


def test_force_replaces_an_edited_skill_and_keeps_a_copy_where_no_agent_looks(terminal: Terminal, host: Path) -> None:
    _install(terminal, host)
    (host / NAME / "SKILL.md").write_text("mine", encoding="utf-8")
    before = _content(host / NAME)
    done = _install(terminal, host, "--force")
    assert done["state"] == "replaced"
    kept = Path(str(done["backup"]))
    assert kept.is_relative_to(terminal.home)
    assert _content(kept) == before
    assert (host / NAME / "SKILL.md").read_bytes() == (skills.folder(NAME) / "SKILL.md").read_bytes()
    assert [path.name for path in host.iterdir()] == [NAME]


def _age(host: Path) -> None:
    """Make of an installed skill what an older version of this program would have written."""
    from hashlib import sha256

    folder = host / NAME
    lock = json.loads((folder / ".skill-lock.json").read_text(encoding="utf-8"))
    for name in ("SKILL.md", "references/gone.md"):
        (folder / name).write_text("as it was", encoding="utf-8")
        lock["files"][name] = sha256(b"as it was").hexdigest()
    lock["version"] = "0.0.1"
    (folder / ".skill-lock.json").write_text(json.dumps(lock), encoding="utf-8")


def test_an_older_version_that_nobody_edited_is_updated(terminal: Terminal, host: Path) -> None:
    _install(terminal, host)
    wanted = _content(host / NAME)
    _age(host)
    done = _install(terminal, host)
    assert done["state"] == "updated"
    assert done["changes"] == [
        {"path": "SKILL.md", "what": "changed"},
        {"path": "references/gone.md", "what": "removed"},
    ]
    assert _content(host / NAME) == wanted
    assert [path.name for path in host.iterdir()] == [NAME]


def test_a_folder_of_that_name_that_is_not_ours_is_kept(terminal: Terminal, host: Path) -> None:
    """The earlier product installs a skill of this very name."""
    (host / NAME).mkdir(parents=True)
    (host / NAME / "SKILL.md").write_text("another's", encoding="utf-8")
    assert terminal("skill", "install", NAME, "--to", str(host)).code == 65
    assert _content(host) == {f"{NAME}/SKILL.md": b"another's"}


@pytest.mark.parametrize("lock", ["", "{}", "[]", '{"files": 3}', "\0"])
def test_a_damaged_lock_makes_no_edit_of_what_is_as_it_should_be(terminal: Terminal, host: Path, lock: str) -> None:
    _install(terminal, host)
    (host / NAME / ".skill-lock.json").write_text(lock, encoding="utf-8")
    assert _install(terminal, host)["state"] == "updated"
    assert _install(terminal, host)["state"] == "unchanged"


def test_a_crash_between_the_two_renames_is_mended_and_loses_no_edit(terminal: Terminal, host: Path) -> None:
    _install(terminal, host)
    (host / NAME / "SKILL.md").write_text("mine", encoding="utf-8")
    (host / NAME).rename(host / f".{NAME}.old")
    (host / f".{NAME}.new").mkdir()
    assert terminal("skill", "install", NAME, "--to", str(host)).code == 65
    assert (host / NAME / "SKILL.md").read_text(encoding="utf-8") == "mine"
    _install(terminal, host, "--force")
    assert [path.name for path in host.iterdir()] == [NAME]


def test_a_second_installation_at_the_same_time_is_told_to_come_again(terminal: Terminal, host: Path) -> None:
    host.mkdir(parents=True)
    handle = os.open(host, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        assert terminal("skill", "install", NAME, "--to", str(host)).code == 75
    finally:
        os.close(handle)
    assert list(host.iterdir()) == []


@pytest.mark.parametrize("there", ["nothing", "an older version"])
def test_a_folder_that_cannot_be_written_is_named_and_left_as_it_is(
    terminal: Terminal, host: Path, tmp_path: Path, there: str
) -> None:
    require_modes(tmp_path)
    host.mkdir(parents=True)
    if there != "nothing":
        _install(terminal, host)
        _age(host)
    before = _content(host)
    host.chmod(0o555)
    said = terminal("skill", "install", NAME, "--to", str(host), "--json", wrap=NO_CAPABILITIES)
    host.chmod(0o755)
    assert said.code == 65
    assert str(host) in said.error["message"]
    assert _content(host) == before


@pytest.mark.parametrize("what", ["the folder", "the skill", "a parent"])
def test_a_file_in_the_way_is_refused_and_kept(terminal: Terminal, host: Path, what: str) -> None:
    place = {"the folder": host, "the skill": host / NAME, "a parent": host.parent}[what]
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text("a file", encoding="utf-8")
    said = terminal("skill", "install", NAME, "--to", str(host), "--json")
    assert said.code == 65
    assert str(place) in said.error["message"]
    assert place.read_text(encoding="utf-8") == "a file"


def test_a_folder_behind_a_closed_door_or_with_an_impossible_name_is_refused(
    terminal: Terminal, host: Path, tmp_path: Path
) -> None:
    require_modes(tmp_path)
    host.mkdir(parents=True)
    host.chmod(0)
    for place in (host / "inner", tmp_path / ("x" * 300)):
        said = terminal("skill", "install", NAME, "--to", str(place), "--json", wrap=NO_CAPABILITIES)
        assert said.code == 65
        assert str(place) in said.error["message"]
    host.chmod(0o755)


def test_links_are_followed_and_stay(terminal: Terminal, host: Path, tmp_path: Path) -> None:
    """One real copy, which several hosts link to."""
    real = tmp_path / "real"
    real.mkdir()
    host.mkdir(parents=True)
    _install(terminal, real)
    (host / NAME).symlink_to(real / NAME)
    assert _install(terminal, host)["state"] == "unchanged"
    _age(host)
    done = _install(terminal, host)
    assert (done["state"], done["path"]) == ("updated", str(real / NAME))
    assert (host / NAME).is_symlink()
    (tmp_path / "other").symlink_to(real)
    assert _install(terminal, tmp_path / "other")["state"] == "unchanged"


@pytest.mark.parametrize("name", ["", NAME])
def test_a_link_to_nothing_is_refused(terminal: Terminal, host: Path, name: str) -> None:
    place = host / name
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(host.parent / "nowhere")
    assert terminal("skill", "install", NAME, "--to", str(host)).code == 65
    assert place.is_symlink()


def test_the_packages_own_copy_is_no_target(terminal: Terminal) -> None:
    assert terminal("skill", "install", NAME, "--to", str(skills.ROOT)).code == 65
    assert not (skills.folder(NAME) / ".skill-lock.json").exists()


def test_an_unknown_skill_is_refused(terminal: Terminal, host: Path) -> None:
    assert terminal("skill", "install", "..", "--to", str(host)).code == 65
    assert not host.exists()


def _run(command: list[str], cwd: Path, env: dict[str, str]) -> Said:
    done = processes.run(command, cwd=cwd, env=env, timeout=60)
    assert done.exit_code is not None, "it did not end"
    return Said(done.exit_code, done.output.decode(), done.errors.decode())


class Stranger:
    """An interpreter that has no package but the standard library, and a user who has nothing but a home."""

    def __init__(self, tmp_path: Path, skill: Path) -> None:
        self.home = tmp_path / "stranger"
        self.skill = skill
        self.python = self.home / "bin" / "python3"
        self.python.parent.mkdir(parents=True)
        self.python.symlink_to(os.path.realpath(sys.executable))

    def __call__(self, script: str, *words: str, env: Mapping[str, str] | None = None) -> Said:
        """Run a script of the skill, named by its path or by its name."""
        built = {
            "HOME": str(self.home),
            "PATH": str(self.home / "empty"),
            "PYTHONPATH": str(ROOT / "src"),
            "PYTHONDONTWRITEBYTECODE": "1",
            "HARNESS_HOME": str(self.home / "harness"),
            **(env or {}),
        }
        return _run([str(self.python), "-I", "-S", str(self.skill / "scripts" / script), *words], self.home, built)

    def with_the_package(self, script: str, *words: str, flags: tuple[str, ...] = ()) -> Said:
        """Run a script by an interpreter that has the package, and without the record."""
        (self.skill / RECORD).unlink(missing_ok=True)
        env = {"PYTHONPATH": str(ROOT / "src"), "HOME": str(self.home), "PATH": str(self.home / "empty")}
        return _run([sys.executable, *flags, str(self.skill / "scripts" / script), *words], self.home, env)

    def echo(self, place: Path) -> str:
        """Put a program there that is `harness` by the look of it, and only says who it is and what it was called with."""
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text('#!/bin/sh\n# harnessos\nprintf "%s " "$0" "$@"\n', encoding="utf-8")
        place.chmod(0o755)
        return str(place)


@pytest.fixture
def stranger(terminal: Terminal, host: Path, tmp_path: Path) -> Stranger:
    """One who uses a skill that another installed."""
    _install(terminal, host)
    return Stranger(tmp_path, host / NAME)


def test_a_foreign_interpreter_finds_the_package_through_what_the_installation_recorded(stranger: Stranger) -> None:
    said = stranger("harness_boot.py", "--help")
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith("usage: harness mission boot ")


@pytest.mark.parametrize("flags", [(), ("-P",)])
def test_an_interpreter_that_has_the_package_needs_no_other(stranger: Stranger, flags: tuple[str, ...]) -> None:
    said = stranger.with_the_package("harness_memory.py", "W", "stream", "--help", flags=flags)
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith("usage: harness memory stream ")


@pytest.mark.parametrize("folder", ["cwd", "scripts"])
def test_a_file_in_the_way_takes_no_modules_place(stranger: Stranger, folder: str) -> None:
    place = stranger.home if folder == "cwd" else stranger.skill / "scripts"
    for name in ("argparse.py", "json.py", "harnessos.py"):
        (place / name).write_text("raise SystemExit('shadowed')", encoding="utf-8")
    assert stranger("harness_boot.py", "--help").code == 0
    said = stranger.with_the_package("harness_boot.py", "--help")
    assert (said.code, said.err) == (0, "")


@pytest.mark.parametrize(
    ("place", "env"),
    [
        ("bin/harness", {}),  # beside the interpreter
        ("tools/harness", {"PATH": "{home}/tools"}),
        (".local/bin/harness", {}),
        (".local/share/pipx/venvs/harnessos/bin/python", {}),
        (".local/pipx/venvs/harnessos/bin/python", {}),
        ("px/venvs/harnessos/bin/python", {"PIPX_HOME": "{home}/px"}),
        (".local/share/uv/tools/harnessos/bin/python", {}),
        ("uv/harnessos/bin/python", {"UV_TOOL_DIR": "{home}/uv"}),
        ("data/uv/tools/harnessos/bin/python", {"XDG_DATA_HOME": "{home}/data"}),
    ],
)
def test_without_a_record_the_usual_places_are_searched(stranger: Stranger, place: str, env: dict[str, str]) -> None:
    (stranger.skill / RECORD).unlink()
    program = stranger.echo(stranger.home / place)
    said = stranger(
        "harness_heartbeat.py", "W", "done", "--step", "Step 4", "--summary", "a b\nc",
        env={name: value.format(home=stranger.home) for name, value in env.items()},
    )  # fmt: skip
    module = f"{CALL} " if program.endswith("python") else ""
    assert said.out == f"{program} {module}mission done W --step Step 4 --summary a b\nc "


def test_what_was_recorded_comes_before_what_is_found(stranger: Stranger) -> None:
    stranger.echo(stranger.home / "bin" / "harness")
    program = stranger.echo(stranger.home / "recorded")
    (stranger.skill / RECORD).write_text(f"{program}\n{ROOT / 'src'}\n", encoding="utf-8")
    assert stranger("harness_eval.py", "W").out == f"{program} {CALL} mission eval W "


@pytest.mark.parametrize(
    "record", ["", "one line", "{gone}\n{src}\n", "{there}\n/nowhere\n", "{there}\n\n", "\0\n\0\n", "\udcff"]
)
def test_a_stale_record_is_passed_over(stranger: Stranger, record: str) -> None:
    program = stranger.echo(stranger.home / "bin" / "harness")
    there = stranger.echo(stranger.home / "there")
    text = record.format(gone=stranger.home / "gone", there=there, src=ROOT / "src")
    (stranger.skill / RECORD).write_text(text, encoding="utf-8", errors="surrogateescape")
    assert stranger("harness_eval.py", "W").out == f"{program} mission eval W "


def test_another_program_called_harness_is_left_alone(stranger: Stranger) -> None:
    (stranger.skill / RECORD).unlink()
    other = stranger.home / "bin" / "harness"
    stranger.echo(other)
    other.write_text("#!/bin/sh\necho something else\n", encoding="utf-8")
    assert stranger("harness_eval.py", "W").code == 69


def test_a_program_that_cannot_start_is_passed_over(stranger: Stranger) -> None:
    (stranger.skill / RECORD).unlink()
    broken = stranger.home / "bin" / "harness"
    stranger.echo(broken)
    broken.write_text("#!/nowhere/python\n# harnessos\n", encoding="utf-8")
    program = stranger.echo(stranger.home / ".local" / "bin" / "harness")
    assert stranger("harness_eval.py", "W").out == f"{program} mission eval W "


def test_a_script_of_the_package_itself_uses_the_interpreter_of_its_environment(stranger: Stranger) -> None:
    site = stranger.home / "venv" / "lib" / "python3.11" / "site-packages"
    (site / "harnessos" / "cli").mkdir(parents=True)
    (site / "harnessos" / "cli" / "main.py").touch()
    inside = site / "harnessos" / "skills" / NAME
    inside.parent.mkdir()
    stranger.skill.rename(inside)
    (inside / RECORD).unlink()
    program = stranger.echo(stranger.home / "venv" / "bin" / "python")
    stranger.skill = inside
    assert stranger("harness_linter.py", "W").out == f"{program} {CALL} mission lint W "


def test_nothing_found_ends_with_69_and_says_what_to_type(stranger: Stranger) -> None:
    (stranger.skill / RECORD).unlink()
    said = stranger("harness_boot.py", "W")
    assert (said.code, said.out) == (69, "")
    sentence, hint = said.err.splitlines()
    assert sentence.startswith("harness_boot.py: HarnessOS is not installed")
    assert "`pipx install harnessos`" in hint
    assert f"`harness skill install {NAME} --to DIR`" in hint


def test_an_unknown_verb_ends_with_2_before_anything_is_searched(stranger: Stranger) -> None:
    said = stranger("harness_heartbeat.py", "W", "boot")
    assert said.code == 2
    assert "start, done, fail, blocked, mission_complete" in said.err


@pytest.mark.parametrize("linked", ["script", "skill"])
def test_a_script_works_through_a_link(stranger: Stranger, linked: str, tmp_path: Path) -> None:
    script = stranger.skill / "scripts" / "harness_boot.py"
    link = tmp_path / "elsewhere"
    link.symlink_to(script if linked == "script" else stranger.skill)
    named = link if linked == "script" else link / "scripts" / "harness_boot.py"
    program = stranger.echo(stranger.home / "recorded")
    (stranger.skill / RECORD).write_text(f"{program}\n{ROOT / 'src'}\n", encoding="utf-8")
    assert stranger(str(named), "W").out == f"{program} {CALL} mission boot W "


def test_the_exit_code_of_the_command_is_that_of_the_script(stranger: Stranger) -> None:
    program = Path(stranger.echo(stranger.home / "bin" / "harness"))
    (stranger.skill / RECORD).unlink()
    program.write_text("#!/bin/sh\n# harnessos\nexit 13\n", encoding="utf-8")
    assert stranger("harness_heartbeat.py", "W", "start").code == 13
