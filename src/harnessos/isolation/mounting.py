"""The keeper's new root: a small read-only view of the machine, made by mount(2) in namespaces of its own (Linux)."""

# ruff: noqa: PTH103, PTH106, PTH112, PTH120, PTH123, PTH211
# System calls on names as they are.

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harnessos.isolation.view import View

_NEWNS, _NEWUTS, _NEWIPC, _NEWUSER, _NEWPID, _NEWNET = 0x20000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000
_RDONLY, _NOSUID, _NODEV, _NOEXEC, _REMOUNT, _NOATIME, _NODIRATIME = 1, 2, 4, 8, 32, 1024, 2048
_BIND, _REC, _PRIVATE, _RELATIME = 4096, 16384, 1 << 18, 1 << 21
_DETACH = 2
_KEPT_FLAGS = {
    "ro": _RDONLY,
    "nosuid": _NOSUID,
    "nodev": _NODEV,
    "noexec": _NOEXEC,
    "noatime": _NOATIME,
    "nodiratime": _NODIRATIME,
    "relatime": _RELATIME,
}
_DEVICES = ("null", "zero", "full", "random", "urandom")
_OLD_ROOT = ".old"
_SIOCSIFFLAGS, _UP = 0x8914, 1


def enter_namespaces() -> None:
    """Leave the machine's namespaces; OSError where that is not allowed. The next fork is process 1 of its own.

    Users without rights get a user namespace; root gets one too where it may, and does without where it may not.
    """
    user, group = os.geteuid(), os.getegid()
    others = _NEWNS | _NEWPID | _NEWNET | _NEWIPC | _NEWUTS
    try:
        _checked("unshare", _NEWUSER | others)
    except OSError:
        if user != 0:
            raise
        _checked("unshare", others)
        return
    _write("/proc/self/setgroups", "deny")
    _write("/proc/self/uid_map", f"{user} {user} 1")
    _write("/proc/self/gid_map", f"{group} {group} 1")


def enter_view(root: str, view: View, most_bytes: int, most_files: int) -> None:
    """Make `root`, an empty folder, the root of this process: the view, a fresh /proc, a small /dev and scratch space."""
    _mount(None, "/", None, _REC | _PRIVATE)
    _mount("root", root, "tmpfs", _NOSUID | _NODEV, "mode=755,size=16m")
    for place in view.writable:
        _folder(root + place)
        _mount(
            "scratch", root + place, "tmpfs", _NOSUID | _NODEV, f"mode=1777,size={most_bytes},nr_inodes={most_files}"
        )
    for target, link in view.links:
        os.symlink(target, root + link)
    for source, place in view.shown:
        _show(source, root + place)
    for place in view.hidden:
        _mount("hidden", root + place, "tmpfs", _NOSUID | _NODEV | _RDONLY, "mode=755,size=4k")
    _devices(root, view.writable[0])
    _folder(root + "/proc")
    _mount("proc", root + "/proc", "proc", _NOSUID | _NODEV | _NOEXEC)
    _folder(f"{root}/{_OLD_ROOT}")
    _checked("pivot_root", os.fsencode(root), os.fsencode(f"{root}/{_OLD_ROOT}"))
    os.chdir("/")
    _checked("umount2", os.fsencode(f"/{_OLD_ROOT}"), _DETACH)
    os.rmdir(f"/{_OLD_ROOT}")
    _mount(None, "/", None, _REMOUNT | _BIND | _RDONLY | _NOSUID | _NODEV)
    _loopback_up()


def _show(source: str, target: str) -> None:
    if os.path.isdir(source):
        _folder(target)
    else:
        _folder(os.path.dirname(target))
        _touch(target)
    _mount(source, target, None, _BIND | _REC)
    for place, flags in _mounts_under(target):
        _mount(None, place, None, _REMOUNT | _BIND | _RDONLY | _NOSUID | _NODEV | flags)


def _devices(root: str, scratch: str) -> None:
    _folder(root + "/dev")
    for name in _DEVICES:
        _touch(f"{root}/dev/{name}")
        _mount(f"/dev/{name}", f"{root}/dev/{name}", None, _BIND)
    for name, target in (
        ("shm", scratch),
        ("fd", "/proc/self/fd"),
        ("stdin", "fd/0"),
        ("stdout", "fd/1"),
        ("stderr", "fd/2"),
    ):
        os.symlink(target, f"{root}/dev/{name}")


def _mounts_under(folder: str) -> list[tuple[str, int]]:
    """Return the mounts at and below a folder with the flags that must stay: a user namespace may not clear them."""
    found = []
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as table:
        for line in table:
            fields = line.split(" ")
            place = _plain(fields[4])
            if place == folder or place.startswith(folder + "/"):
                flags = sum(_KEPT_FLAGS.get(option, 0) for option in fields[5].split(","))
                found.append((place, flags))
    return found


def _plain(escaped: str) -> str:
    """Undo mountinfo's octal escapes of blanks, tabs, newlines and backslashes."""
    for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        escaped = escaped.replace(code, character)
    return escaped


def _loopback_up() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", _UP))


def _mount(source: str | None, target: str, kind: str | None, flags: int, data: str | None = None) -> None:
    _checked("mount", _bytes(source), os.fsencode(target), _bytes(kind), ctypes.c_ulong(flags), _bytes(data))


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else os.fsencode(text)


def _checked(name: str, *arguments: object) -> None:
    if getattr(_LIBRARY, name)(*arguments) != 0:
        number = ctypes.get_errno()
        shown = " ".join(os.fsdecode(one) for one in arguments if isinstance(one, bytes))
        raise OSError(number, f"{name} {shown}: {os.strerror(number)}")


def _folder(path: str) -> None:
    os.makedirs(path, mode=0o755, exist_ok=True)


def _touch(path: str) -> None:
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o644))


def _write(path: str, text: str) -> None:
    handle = os.open(path, os.O_WRONLY)
    try:
        os.write(handle, text.encode())
    finally:
        os.close(handle)


_LIBRARY = ctypes.CDLL(None, use_errno=True)
