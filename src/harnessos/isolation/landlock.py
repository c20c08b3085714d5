"""Landlock (Linux 5.13): a process forbids itself all files but those named, without any right. Used at level `limits`."""

from __future__ import annotations

import ctypes
import os
import stat
import struct
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_CREATE, _ADD, _RESTRICT = 444, 445, 446
_PATH_BENEATH, _VERSION = 1, 1
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1, 2, 4, 8
_TRUNCATE, _IOCTL_DEV = 1 << 14, 1 << 15
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV
_READ = _EXECUTE | _READ_FILE | _READ_DIR
_BITS = {1: 13, 2: 14, 3: 15, 4: 15}  # rights on files that each version knows; from 5 on there are 16
_TCP, _SCOPES = 3, 3
_WITH_NET, _WITH_SCOPES = 4, 6


def version() -> int:
    """Return what the kernel's Landlock can do, 0 where there is none."""
    if sys.platform != "linux":
        return 0
    return max(0, int(_library().syscall(_CREATE, None, ctypes.c_size_t(0), _VERSION)))


def guards(known: int) -> list[str]:
    """Return what a version protects, by the names `Result.guards` uses."""
    found = ["files_limited"] if known >= 1 else []
    if known >= _WITH_NET:
        found.append("no_tcp")
    if known >= _WITH_SCOPES:
        found.append("no_signals_out")
    return found


def restrict(readable: Iterable[str], writable: Iterable[str], known: int) -> None:
    """Forbid this process and all it starts everything but reading `readable` and changing `writable`.

    Paths that do not exist are passed over. It must not be able to gain privileges any more. OSError when refused.
    """
    rights = (1 << _BITS.get(known, 16)) - 1
    attributes = struct.pack("=Q", rights)
    if known >= _WITH_NET:
        attributes += struct.pack("=Q", _TCP)
    if known >= _WITH_SCOPES:
        attributes += struct.pack("=Q", _SCOPES)
    library = _library()
    ruleset = library.syscall(_CREATE, attributes, ctypes.c_size_t(len(attributes)), 0)
    _require(ruleset >= 0, "landlock_create_ruleset")
    try:
        for path in readable:
            _allow(ruleset, path, _READ & rights)
        for path in writable:
            _allow(ruleset, path, rights)
        _require(library.syscall(_RESTRICT, ruleset, 0) == 0, "landlock_restrict_self")
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: str, rights: int) -> None:
    try:
        handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except (FileNotFoundError, PermissionError, NotADirectoryError):
        return
    try:
        if not stat.S_ISDIR(os.fstat(handle).st_mode):
            rights &= _OF_FILES
        rule = struct.pack("=Qi", rights, handle)
        _require(_library().syscall(_ADD, ruleset, _PATH_BENEATH, rule, 0) == 0, f"landlock_add_rule {path}")
    finally:
        os.close(handle)


def _require(good: bool, what: str) -> None:
    if not good:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def _library() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
