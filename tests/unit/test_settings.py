"""Which ledger is meant: the flag, the environment, the registration, the default, in that order (P09)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harnessos import errors, settings
from harnessos.settings import FOLDER_FILE, Registration, document_of, without_password


def _register(folder: Path, key: str = "DOCS", path: Path | None = None) -> Registration:
    file = folder / FOLDER_FILE
    file.parent.mkdir(parents=True)
    registration = Registration(file, "prj-1", key, "ledger-1", "sqlite:////there", path or folder, None)
    file.write_bytes(document_of(registration))
    return registration


def test_the_first_that_says_a_store_wins(tmp_path: Path) -> None:
    _register(tmp_path)
    environ = {"HARNESS_HOME": str(tmp_path / "home"), "HARNESS_STORE": "sqlite:////env"}
    assert settings.load("sqlite:////flag", environ, tmp_path).store_url == "sqlite:////flag"
    assert settings.load(None, environ, tmp_path).store_url == "sqlite:////env"
    del environ["HARNESS_STORE"]
    assert settings.load(None, environ, tmp_path).store_url == "sqlite:////there"
    (tmp_path / FOLDER_FILE).unlink()
    assert settings.load(None, environ, tmp_path).store_url == f"sqlite:///{tmp_path}/home/harness.sqlite"


def test_a_registration_is_read_as_it_was_written(tmp_path: Path) -> None:
    registration = _register(tmp_path)
    assert settings.find_registration(tmp_path) == registration


def test_a_pipe_in_the_place_of_a_registration_is_named_and_not_waited_at(tmp_path: Path) -> None:
    file = tmp_path / FOLDER_FILE
    file.parent.mkdir()
    os.mkfifo(file)
    with pytest.raises(errors.BadDocument, match=r"project\.json"):
        settings.find_registration(tmp_path)


def test_the_nearest_registration_counts(tmp_path: Path) -> None:
    _register(tmp_path, "OUTER")
    (tmp_path / "inner" / "deep").mkdir(parents=True)
    _register(tmp_path / "inner", "INNER")
    assert settings.load(None, {}, tmp_path / "inner" / "deep").project_key == "INNER"
    assert settings.load(None, {}, tmp_path).project_key == "OUTER"


def test_a_repository_inside_a_registered_folder_is_not_part_of_it(tmp_path: Path) -> None:
    _register(tmp_path, "OUTER")
    git = tmp_path / "repo" / ".git"
    for folder in ("objects", "refs"):
        (git / folder).mkdir(parents=True)
    (git / "HEAD").write_text("ref: refs/heads/main\n", encoding="utf-8")
    _register(tmp_path / "repo" / "src", "COMMITTED")
    assert settings.load(None, {}, tmp_path / "repo" / "src").project_key is None, "somebody committed it"
    assert settings.load(None, {}, tmp_path / "repo").project_key is None


def test_the_environment_of_a_run_names_its_project(tmp_path: Path) -> None:
    _register(tmp_path)
    assert settings.load(None, {"HARNESS_PROJECT": "OTHER"}, tmp_path).project_key == "OTHER"


def test_a_registration_that_another_user_planted_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In /tmp anybody may make a `.harness`; it must not name the ledger of all who work below."""
    registration = _register(tmp_path)
    (tmp_path / "below").mkdir()
    _register(tmp_path / "below", "PLANTED")
    planted = tmp_path / "below" / FOLDER_FILE
    if os.geteuid() == 0:
        os.chown(planted, 12345, -1)
        assert settings.find_registration(tmp_path / "below") == registration, "the next one above counts"
        monkeypatch.setattr(os, "geteuid", lambda: 12345)
        assert settings.load(None, {}, tmp_path / "below").project_key == "PLANTED", "it is his own"
        planted.unlink()
        assert settings.find_registration(tmp_path / "below") == registration, "root may register for others"
    else:
        monkeypatch.setattr(os, "geteuid", lambda: 12345)
        assert settings.find_registration(tmp_path / "below") is None


def test_a_moved_and_a_copied_folder_are_told_apart(tmp_path: Path) -> None:
    _register(tmp_path / "here", path=tmp_path / "gone")
    with pytest.raises(errors.Refused, match="was moved from"):
        settings.load(None, {}, tmp_path / "here").require_in_place()
    _register(tmp_path / "original")
    _register(tmp_path / "copy", path=tmp_path / "original")
    with pytest.raises(errors.Refused, match="was copied from"):
        settings.load(None, {}, tmp_path / "copy").require_in_place()
    settings.load(None, {}, tmp_path / "original").require_in_place()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"version": 2}', '{"version": 1, "project_id": 1}', "\0"])
def test_what_is_no_registration_is_named(tmp_path: Path, text: str) -> None:
    file = tmp_path / FOLDER_FILE
    file.parent.mkdir()
    file.write_text(text, encoding="utf-8")
    with pytest.raises(errors.BadDocument, match=r"project\.json"):
        settings.load(None, {}, tmp_path)


def test_a_relative_home_is_refused(tmp_path: Path) -> None:
    with pytest.raises(errors.BadUsage, match="absolute"):
        settings.load(None, {"HARNESS_HOME": "here"}, tmp_path)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://me:secret@host/db", "postgresql://me@host/db"),
        ("postgresql://me:se@cret@host/db", "postgresql://me@host/db"),
        ("postgresql://me@host/db", "postgresql://me@host/db"),
        ("postgresql:///db", "postgresql:///db"),
        ("sqlite:////a@b/c", "sqlite:////a@b/c"),
        (
            "postgresql://h/x?user=me@corp&password=secret&sslmode=require",
            "postgresql://h/x?user=me@corp&sslmode=require",
        ),
        ("postgresql://me:secret@/x?host=%2Fsocket&sslpassword=secret", "postgresql://me@/x?host=%2Fsocket"),
        ("postgresql://me:se?cret@h/x", "postgresql://me@h/x"),
        ("postgresql://me:se/cret@h/x", "postgresql://me@h/x"),
        ("mysql://me:secret@h/x", "mysql://me@h/x"),
    ],
)
def test_an_address_is_shown_without_its_password(url: str, shown: str) -> None:
    assert without_password(url) == shown
