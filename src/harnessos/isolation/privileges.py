"""What a process gives up before it becomes the check: resources, capabilities, another user's rights. No way back."""

from __future__ import annotations

import ctypes
import os
import resource
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

LINUX = bool(sys.platform == "linux")
_PR_SET_DUMPABLE, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS, _PR_CAP_AMBIENT, _CLEAR_ALL = 4, 24, 38, 47, 4
_CAPABILITY_VERSION = 0x20080522
_MOST_CAPABILITIES = 64


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Data(ctypes.Structure):
    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


def limit_resources(limits: Mapping[str, int]) -> None:
    """Set resource limits by name (`AS`, `CPU`, ...), never above what is allowed already; unknown names are passed over."""
    for name, value in limits.items():
        number = getattr(resource, f"RLIMIT_{name}", None)
        if number is None:
            continue
        _, most = resource.getrlimit(number)
        hard = value + 1 if name == "CPU" else value  # first the signal that says why, then the one that nobody catches
        ceiling = hard if most == resource.RLIM_INFINITY else min(hard, most)
        try:
            resource.setrlimit(number, (min(value, ceiling), ceiling))
        except (ValueError, OSError):
            if LINUX:  # macOS refuses some of them whatever the value
                raise


def drop_capabilities() -> None:
    """Give up every capability for good, also those that an exec by uid 0 would bring back (Linux)."""
    if not LINUX:
        return
    library = ctypes.CDLL(None, use_errno=True)
    library.prctl(_PR_CAP_AMBIENT, _CLEAR_ALL, 0, 0, 0)
    for number in range(_MOST_CAPABILITIES):
        library.prctl(_PR_CAPBSET_DROP, number, 0, 0, 0)
    header, data = _Header(_CAPABILITY_VERSION, 0), (_Data * 2)()
    if library.capset(ctypes.byref(header), data) != 0:
        raise OSError(ctypes.get_errno(), "capset")


def become_user(uid: int) -> None:
    """Change root for good into a user without rights, in no group but that of the same number."""
    os.setgroups([])
    os.setgid(uid)
    os.setuid(uid)  # for root: the real, the effective and the saved one


def no_new_privileges() -> None:
    """Make set-user-id programs and file capabilities ineffective from here on (Linux)."""
    if LINUX and ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_NO_NEW_PRIVS)")


def stay_private() -> None:
    """Keep other processes of the same user from tracing this one and reading its memory and environment (Linux)."""
    if LINUX:
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
