from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import stat
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harnessos.errors import BadDocument, Busy, DiskLow, NotAFile, Refused
from harnessos.files import (
    FileLock,
    atomic_write,
    contained,
    filesystem_kind,
    folder_size,
    free_bytes,
    private_folder,
    read_bounded,
    safe_name,
    sha256_file,
)
from harnessos.processes import run, spawn
from tests.support.python import ROOT
from tests.support.waiting import eventually


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_write_replaces_the_whole_file_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    target = tmp_path / "ledger.json"
    atomic_write(target, b"a longer first version")
    first = target.stat().st_ino
    atomic_write(target, b"second")
    assert target.read_bytes() == b"second"
    assert target.stat().st_ino != first
    assert [p.name for p in tmp_path.iterdir()] == ["ledger.json"]


def test_a_write_keeps_the_mode_of_an_existing_file(tmp_path: Path) -> None:
    target = tmp_path / "hook"
    target.write_bytes(b"old")
    target.chmod(0o751)
    atomic_write(target, b"new")
    assert mode_of(target) == 0o751


def test_a_write_sets_the_mode_it_was_given(tmp_path: Path) -> None:
    atomic_write(tmp_path / "secret", b"x", mode=0o600)
    atomic_write(tmp_path / "script", b"x", mode=0o755)
    assert (mode_of(tmp_path / "secret"), mode_of(tmp_path / "script")) == (0o600, 0o755)


def test_a_write_through_a_link_keeps_the_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    target = tmp_path / "real" / "config"
    target.write_bytes(b"old")
    link = tmp_path / "config"
    link.symlink_to(target)
    atomic_write(link, b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"


def test_a_write_that_fails_leaves_the_old_file_and_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "f"
    target.write_bytes(b"old")

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DiskLow, match="no room"):
        atomic_write(target, b"new")
    assert [p.name for p in tmp_path.iterdir()] == ["f"]
    assert target.read_bytes() == b"old"


def test_a_device_or_folder_is_never_replaced_by_a_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for place in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(NotAFile):
            atomic_write(place, b"x")
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


def test_a_private_folder_and_its_new_parents_are_closed_to_others(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    assert private_folder(tmp_path / "a" / "b") == tmp_path / "a" / "b"
    assert private_folder(tmp_path / "a" / "b").is_dir()
    assert [mode_of(p) for p in (tmp_path, tmp_path / "a", tmp_path / "a" / "b")] == [0o755, 0o700, 0o700]


def test_a_private_folder_is_refused_where_a_file_lies(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"")
    with pytest.raises(Refused, match="no folder"):
        private_folder(tmp_path / "f" / "below")


@pytest.mark.parametrize("name", [".", "", "..", "../x", "a/../..", "/etc/passwd", "nul\0byte"])
def test_paths_outside_of_the_root_and_the_root_itself_are_refused(tmp_path: Path, name: str) -> None:
    root = tmp_path / "root"
    root.mkdir()
    with pytest.raises(Refused):
        contained(root, Path(name))
    with pytest.raises(Refused):
        contained(root, root / name)


def test_a_link_that_leads_outside_is_refused_and_a_linked_root_is_not(tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.mkdir()
    (tmp_path / "root").symlink_to(real)
    (real / "out").symlink_to(tmp_path)
    (real / "in").symlink_to(real / "deep")
    assert contained(tmp_path / "root", tmp_path / "root" / "key") == real / "key"
    assert contained(tmp_path / "root", Path("in")) == real / "deep"
    with pytest.raises(Refused, match="leads outside"):
        contained(tmp_path / "root", Path("out/elsewhere"))


def test_a_sibling_with_the_same_beginning_is_outside(tmp_path: Path) -> None:
    with pytest.raises(Refused):
        contained(tmp_path / "root", tmp_path / "root-2" / "x")


def test_a_file_is_read_up_to_the_limit_and_not_beyond(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"12345")
    assert read_bounded(tmp_path / "f", 5) == b"12345"
    with pytest.raises(BadDocument) as refused:
        read_bounded(tmp_path / "f", 4)
    assert refused.value.facts["size"] == 5
    assert refused.value.facts["limit"] == 4


def test_a_huge_file_is_refused_by_its_size_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (tmp_path / "plan").open("wb") as file:
        file.truncate(10**12)
    monkeypatch.setattr(os, "read", lambda *_: pytest.fail("it was read"))
    with pytest.raises(BadDocument, match="1,000,000,000,000 bytes"):
        read_bounded(tmp_path / "plan", 256_000_000)


def test_a_file_that_hides_its_size_is_still_bounded() -> None:
    with pytest.raises(BadDocument):
        read_bounded(Path("/proc/self/mountinfo"), 3)


def test_what_is_no_file_is_told_apart_and_a_pipe_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for place, reason in [
        (tmp_path, "a folder"),
        (tmp_path / "pipe", "a named pipe"),
        (Path("/dev/zero"), "a device"),
        (tmp_path / "missing", "No such file"),
        (tmp_path / "nul\0byte", "null"),
    ]:
        with pytest.raises(NotAFile, match=reason):
            read_bounded(place, 10)


_READ_WITHOUT_RIGHTS = """
import sys
from pathlib import Path
from harnessos.errors import NotAFile
from harnessos.files import read_bounded
closed = Path(sys.argv[1])
try:
    closed.open("rb")
except PermissionError:
    pass
else:
    sys.exit("a file of mode 000 could be opened: this test proves nothing here")
try:
    read_bounded(closed, 10)
except NotAFile as problem:
    assert "Permission denied" in problem.message, problem.message
    sys.exit(0)
sys.exit("not refused")
"""


def test_an_unreadable_file_is_refused_as_no_readable_file(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.write_bytes(b"x")
    closed.chmod(0)
    command = [sys.executable, "-c", _READ_WITHOUT_RIGHTS, str(closed)]
    if os.geteuid() == 0:
        setpriv = shutil.which("setpriv")
        if setpriv is None:
            pytest.skip("setpriv (util-linux) is needed to give up root's rights")
        command = [setpriv, "--inh-caps=-all", "--bounding-set=-all", *command]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    done = run(command, cwd=tmp_path, env=environment, timeout=60)
    assert done.exit_code == 0, done.errors


def test_a_file_hash_comes_with_the_size_it_was_made_from(tmp_path: Path) -> None:
    data = os.urandom(3_000_000)
    (tmp_path / "f").write_bytes(data)
    assert sha256_file(tmp_path / "f") == (hashlib.sha256(data).hexdigest(), 3_000_000)


def test_a_second_holder_waits_and_then_is_told_that_it_is_busy(tmp_path: Path) -> None:
    rests: list[float] = []
    with FileLock(tmp_path / "lock", timeout=1.0), pytest.raises(Busy, match=r"0\.2 s"):
        FileLock(tmp_path / "lock", timeout=0.2, wait=rests.append).__enter__()
    assert sum(rests) == pytest.approx(0.2)


def test_a_lock_is_free_again_after_its_holder(tmp_path: Path) -> None:
    for _ in range(3):
        with FileLock(tmp_path / "lock", timeout=0.0):
            pass


def test_a_lock_excludes_threads(tmp_path: Path) -> None:
    inside = 0
    most = 0
    never = threading.Event()

    def work() -> None:
        nonlocal inside, most
        for _ in range(20):
            with FileLock(tmp_path / "lock", timeout=600.0, wait=lambda _: never.wait(0.001)):
                inside += 1
                most = max(most, inside)
                list(tmp_path.iterdir())
                inside -= 1

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1


def test_a_lock_on_a_replaced_file_is_not_mistaken_for_the_lock(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with FileLock(path, timeout=0.0):
        path.unlink()
        path.touch()
        with FileLock(path, timeout=0.0), pytest.raises(Busy):
            FileLock(path, timeout=0.0).__enter__()


def test_a_lock_file_replaced_between_opening_and_locking_is_opened_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "lock"
    real = fcntl.flock
    calls: list[int] = []

    def replaced_first(handle: int, operation: int) -> None:
        if not calls:
            path.unlink()
        calls.append(handle)
        real(handle, operation)

    monkeypatch.setattr(fcntl, "flock", replaced_first)
    with FileLock(path, timeout=0.1, wait=lambda _: None), pytest.raises(Busy):
        FileLock(path, timeout=0.0).__enter__()


def test_a_lock_ends_with_its_holder(tmp_path: Path) -> None:
    code = (
        "import sys, threading; from pathlib import Path; from harnessos.files import FileLock\n"
        "FileLock(Path(sys.argv[1]), timeout=0.0).__enter__(); print('held', flush=True); threading.Event().wait()"
    )
    holder = spawn(
        [sys.executable, "-c", code, str(tmp_path / "lock")],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT / "src")},
        run_id=f"lock-{os.getpid()}",
        stdin=None,
        stdout=tmp_path / "out",
        stderr=tmp_path / "out",
    )
    try:
        eventually(lambda: (tmp_path / "out").read_bytes() == b"held\n", what="the other process holds the lock")
        with pytest.raises(Busy):
            FileLock(tmp_path / "lock", timeout=0.0).__enter__()
    finally:
        holder.terminate_tree(grace=0)
    with FileLock(tmp_path / "lock", timeout=0.0):
        pass


def test_a_folder_size_counts_each_file_once_and_follows_no_link(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "f").write_bytes(b"x" * 1000)
    (tmp_path / "g").write_bytes(b"y" * 24)
    alone = folder_size(tmp_path)
    (tmp_path / "a" / "again").hardlink_to(tmp_path / "g")
    assert alone == folder_size(tmp_path) == 1024
    (tmp_path / "loop").symlink_to(tmp_path)
    assert folder_size(tmp_path) - 1024 < 1000
    assert folder_size(tmp_path / "missing") == 0


def test_free_space_is_known_before_the_folder_exists(tmp_path: Path) -> None:
    assert free_bytes(tmp_path / "not" / "yet") > 0


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_kind_of_file_system_is_what_stat_says(tmp_path: Path) -> None:
    assert filesystem_kind(Path("/proc/self")) == "proc"
    assert filesystem_kind(Path("/dev/shm/not-yet")) == "tmpfs"
    words = run(["df", "--output=fstype", str(tmp_path)], cwd=tmp_path, env=dict(os.environ), timeout=60).output.split()
    assert filesystem_kind(tmp_path) == words[-1].decode()


def test_network_and_user_space_file_systems_have_one_name_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = tmp_path / "mountinfo"
    real = Path.read_text
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: real(table))
    point = str(tmp_path).replace(" ", "\\040")
    for kind, name in [
        ("nfs4", "nfs"),
        ("fuse.sshfs", "fuse"),
        ("smb3", "cifs"),
        ("9p", "9p"),
        ("virtiofs", "virtiofs"),
    ]:
        table.write_text(f"1 0 0:99 / / rw - ext4 /dev/a rw\n2 1 0:98 / {point} rw,x shared:1 - {kind} src rw\n")
        assert filesystem_kind(tmp_path / "below") == name


@pytest.mark.parametrize("text", ["MT-620", "a_b", "v1.2", "..."])
def test_a_safe_name_stays_as_it_is(text: str) -> None:
    assert safe_name(text) == text


def test_a_changed_name_carries_a_hash_of_the_original() -> None:
    assert safe_name("team one#7") == "team_one_7--" + hashlib.sha256(b"team one#7").hexdigest()[:16]
    assert len({safe_name(text) for text in ("a/b", "a b", "a_b")}) == 3


def test_names_that_mean_another_place_get_a_hash_too() -> None:
    assert safe_name("..") == "..--" + hashlib.sha256(b"..").hexdigest()[:16]
    assert safe_name(".").startswith(".--")
    assert safe_name("").startswith("--")


def test_a_name_too_long_for_a_folder_is_cut_and_carries_a_hash() -> None:
    one, other = safe_name("x" * 300), safe_name("x" * 301)
    assert one != other
    assert len(one) == len(other) == 218
    assert safe_name("x" * 200) == "x" * 200


@given(st.text(max_size=300), st.text(max_size=300))
def test_every_text_has_a_name_of_its_own_that_stays_in_its_folder(one: str, other: str) -> None:
    name = safe_name(one)
    assert (name == safe_name(other)) == (one == other)
    assert name not in ("", ".", "..")
    assert "/" not in name
    assert len(os.fsencode(name)) <= 255
