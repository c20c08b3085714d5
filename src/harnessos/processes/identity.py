"""Who a process is, so that a number used again is never taken for it: machine, boot, pid and start time (P04, I28)."""

from __future__ import annotations

import os
from pathlib import Path

from harnessos.model.digest import sha256_hex
from harnessos.model.process import Identity
from harnessos.ports import SystemIds
from harnessos.processes.table import LINUX, row_of

_FIRST_PID_NAMESPACE = "pid:[4026531836]"


def user_name() -> str:
    """Return the name of the user this process runs as, by its uid: $USER says what anybody likes; without one, the uid."""
    import pwd

    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


def machine_id() -> str:
    """Return 16 characters that stay the same for this machine; HARNESS_MACHINE_ID overrides it (tests)."""
    given = os.environ.get("HARNESS_MACHINE_ID")
    if given:
        return given
    for place in ("/etc/machine-id", "/var/lib/dbus/machine-id"):
        text = _text_or_none(Path(place))
        # Systemd images ship the word "uninitialized" until the first boot: no identity yet.
        if text and text != "uninitialized":
            return _digest(text)
    return _kept_machine_id()


def boot_id() -> str:
    """Return what changes with every boot of this machine; HARNESS_BOOT_ID overrides it (tests).

    Inside a container the PID namespace follows after "+", because pids mean nothing outside of it.
    """
    given = os.environ.get("HARNESS_BOOT_ID")
    if given:
        return given
    if LINUX:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        namespace = str(Path("/proc/self/ns/pid").readlink())
        return boot if namespace == _FIRST_PID_NAMESPACE else f"{boot}+{namespace[5:-1]}"
    import psutil

    return str(int(psutil.boot_time()))


def this_process() -> Identity:
    """Return the identity of the calling process."""
    return Identity(machine_id(), boot_id(), os.getpid(), row_of(os.getpid(), required=True).started)


def identity_of(pid: int) -> Identity | None:
    """Return who has this pid now (a zombie too), or None."""
    row = row_of(pid)
    return None if row is None else Identity(machine_id(), boot_id(), pid, row.started)


def is_alive(who: Identity) -> bool | None:
    """Tell whether exactly this process runs; None when it cannot be known from here. Sends no signal.

    None: another machine, or another PID namespace of the same boot. False: another boot, no such pid, the pid has
    another start time, or a zombie.
    """
    if who.machine_id != machine_id():
        return None
    here = boot_id()
    if who.boot_id != here:
        return None if who.boot_id.partition("+")[0] == here.partition("+")[0] else False
    row = row_of(who.pid)
    return row is not None and row.started == who.started and not row.dead


def _kept_machine_id() -> str:
    home = Path(os.environ.get("HARNESS_HOME") or Path.home() / ".agent-harness")
    kept = home / "machine-id"
    text = _text_or_none(kept)
    if text:
        return text
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = home / f"machine-id.{os.getpid()}.{SystemIds().token()}"
    fresh.write_text(_digest(SystemIds().token()), encoding="ascii")
    try:
        # A link fails when the name exists, a rename would not: the first of two writers wins for both.
        kept.hardlink_to(fresh)
    except FileExistsError:
        pass
    finally:
        fresh.unlink()
    return kept.read_text(encoding="ascii").strip()


def _text_or_none(path: Path) -> str | None:
    try:
        return path.read_text(encoding="ascii").strip()
    except (FileNotFoundError, NotADirectoryError):
        return None


def _digest(text: str) -> str:
    return sha256_hex(text.encode())[:16]
