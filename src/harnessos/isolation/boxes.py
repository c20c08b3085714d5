"""One check in one box: a folder for it, a request to a keeper, and the end of both."""

from __future__ import annotations

import json
import os
import shutil
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from harnessos import processes
from harnessos.errors import BadContent, RunnerProblem
from harnessos.isolation.copying import HARNESS_FOLDER, copy_workspace
from harnessos.isolation.levels import NOT_RUN, Check, CheckKind, Level, Limits, Result
from harnessos.isolation.redaction import known_secrets
from harnessos.isolation.verdicts import Story, judge, line, story_of
from harnessos.isolation.view import PROGRAM, SCRATCH, SYSTEM, USERS, bubblewrap_arguments, view_of
from harnessos.processes.boxed import run_keeper

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harnessos.ports import Clock

NOBODY = 65534
_PREFIX = "harness-check-"
_FORGOTTEN_S = 3600.0
"""A check lasts a minute; a box as old as this belongs to nobody."""
_HERE = Path(__file__).resolve().parent
_PACKAGE = _HERE.parent
_PROGRAM_FILES = {
    "program.py": _HERE / "inside" / "program.py",
    "structural.py": _HERE / "inside" / "structural.py",
    "harness_jsonschema.py": _PACKAGE / "model" / "jsonschema.py",
}
_KEEPER = "import sys; sys.path.insert(0, {0!r}); from harnessos.isolation.keeper import main; sys.exit(main())"
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_READABLE = ("/etc", "/opt", "/System", "/Library", "/dev", "/proc")
_BACKSTOP = 16
_MANY = 4096
_MARGIN = 30.0
_REMOVE = 'chmod -R u+rwX -- "$1" 2>/dev/null; rm -rf -- "$1"'


class Interpreter(NamedTuple):
    """A Python that runs checks, and the folders it needs to be seen."""

    path: str
    trees: tuple[str, ...]


class Place(NamedTuple):
    """Where and as whom a check runs. `uid` is None for the user that runs the harness."""

    level: Level
    interpreter: Interpreter
    uid: int | None
    hidden: tuple[str, ...]


class _Box(NamedTuple):
    """The paths as the check sees them, and the box's folder on this machine."""

    folder: Path
    workspace: str
    scratch: str
    program: str


def own_interpreter() -> Interpreter:
    """Return the interpreter this program runs in, without its virtual environment."""
    path = os.path.realpath(getattr(sys, "_base_executable", "") or sys.executable)
    trees = {sys.base_prefix, sys.base_exec_prefix, sysconfig.get_paths()["stdlib"], str(Path(path).parent)}
    return Interpreter(path, tuple(sorted(os.path.realpath(tree) for tree in trees)))


def run_at(place: Place, check: Check, workspace: Path, *, limits: Limits, clock: Clock, scratch_root: Path) -> Result:
    """Run the check at exactly this level and leave nothing of it, neither processes nor files."""
    begun = clock.monotonic()
    if _is_command(check) and check.fields.get("timeout_s") is not None:
        limits = limits._replace(wall=min(limits.wall, float(str(check.fields["timeout_s"]))))
    folder: Path | None = None
    try:
        source = workspace.resolve(strict=True)
        if not source.is_dir() or source == Path(source.anchor):
            raise BadContent(f"{workspace} is no folder that can be checked")
        folder = _made(scratch_root, place)
        box = _furnished(folder, check, source, place, limits, clock)
        story, survivors, failure = _kept(box, check, source, place, limits)
    except (BadContent, OSError) as refused:
        return Result(False, line(f"{NOT_RUN}: {refused}"), clock.monotonic() - begun, None)
    finally:
        if folder is not None:
            _remove(folder)
    seconds = clock.monotonic() - begun
    if story is None:
        return Result(False, line(failure), seconds, place.level, survivors=survivors)
    wanted = _wanted_code(check)
    found = judge(story, limits, wants_code=wanted, known=known_secrets(os.environ))
    if not found.made:
        return Result(False, found.detail, seconds, None, survivors=survivors)
    return Result(found.passed, found.detail, seconds, place.level, found.output, survivors, story.guards)


def _kept(box: _Box, check: Check, source: Path, place: Place, limits: Limits) -> tuple[Story | None, int, str]:
    """Have a keeper run the check; return its story, the survivors, and what is to be said without a story."""
    request = _request(box, check, source, place, limits)
    argv = [own_interpreter().path, "-I", "-S", "-B", "-c", _KEEPER.format(str(_PACKAGE.parent))]
    if place.level is Level.FULL:
        argv = [*_bubblewrap(box, source, place, limits), *argv]
    try:
        finished, survivors = run_keeper(
            argv,
            cwd=box.folder,
            request=json.dumps(request).encode(),
            timeout=limits.wall + _MARGIN,
            answer_limit=2 * limits.output_kept + 2**20,
        )
    except RunnerProblem as missing:
        return Story(problem=str(missing)), 0, ""
    story = story_of(finished.output)
    if story is not None:
        return story, survivors, ""
    said = finished.errors.decode("utf-8", "replace").strip().splitlines()
    if finished.ended_by is processes.EndedBy.EXIT and (finished.exit_code or 0) > 0:
        return Story(problem=said[-1] if said else "the box ended without a word"), survivors, ""
    if finished.ended_by is processes.EndedBy.TIMEOUT:
        return None, survivors, f"timed out after {limits.wall:g} s"
    return None, survivors, "ended its keeper, so there is no verdict"


def _made(scratch_root: Path, place: Place) -> Path:
    """Make the box's folder; for another user in a place that it can reach."""
    root = scratch_root
    if place.uid is not None and not _open_to_all(scratch_root):
        root = Path(tempfile.gettempdir())
    root.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=root)).resolve()
    if place.uid is not None:
        folder.chmod(0o711)
    for place_of_boxes in {root, scratch_root}:
        _sweep(place_of_boxes, folder.stat())
    return folder


def _sweep(root: Path, born: os.stat_result) -> None:
    """Remove the boxes of this user that killed processes left; `born` is a new box, whose time is the file system's."""
    for other in root.glob(f"{_PREFIX}*"):
        try:
            facts = other.lstat()
        except OSError:
            continue  # its owner has just removed it
        if facts.st_uid == born.st_uid and born.st_mtime - facts.st_mtime > _FORGOTTEN_S:
            _remove(other)


def _open_to_all(folder: Path) -> bool:
    existing = next(one for one in (folder.resolve(), *folder.resolve().parents) if one.exists())
    return all(one.stat().st_mode & 0o001 for one in (existing, *existing.parents))


def _furnished(folder: Path, check: Check, source: Path, place: Place, limits: Limits, clock: Clock) -> _Box:
    """Put into the box's folder what its level needs: the program, a copy of the workspace, scratch, an empty root."""
    program = folder / "program"
    if place.level is Level.LIMITS:
        box = _Box(folder, str(folder / "workspace"), str(folder / "scratch"), str(program))
        hidden = {str(folder), *place.hidden, *map(os.path.realpath, place.hidden)}
        copy_workspace(
            str(source), box.workspace, most_bytes=limits.copy_bytes, most_files=limits.copy_files, hidden=hidden
        )
        Path(box.scratch).mkdir(mode=0o700)
        if place.uid is not None:
            os.chown(box.scratch, place.uid, place.uid)
    else:
        box = _Box(folder, str(source), SCRATCH, PROGRAM)
        (folder / "root").mkdir()
    program.mkdir()
    program.chmod(0o755)
    fields = dict(check.fields)
    task = {"kind": check.kind.value, "text": check.text, "fields": fields, "workspace": box.workspace}
    script = str(fields.get("run", "")) if _is_command(check) else check.text
    _write(program / "task.json", json.dumps({**task, "now": clock.now()}))
    _write(program / "script.sh", script)
    user = NOBODY if place.uid is None else place.uid
    for name, text in zip(USERS, (f"check:x:{{}}:{user}::{box.scratch}:/bin/sh\n", f"check:x:{user}:\n"), strict=True):
        _write(program / name, text.format(os.geteuid()))
    for name, origin in _PROGRAM_FILES.items():
        shutil.copyfile(origin, program / name)
        (program / name).chmod(0o644)
    return box


def _write(path: Path, text: str) -> None:
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    path.chmod(0o644)


def _request(box: _Box, check: Check, source: Path, place: Place, limits: Limits) -> dict[str, Any]:
    python = place.interpreter
    argv = [python.path, "-I", "-S", "-B", "-X", "utf8", f"{box.program}/program.py", f"{box.program}/task.json"]
    if _wanted_code(check) is not None:
        argv = ["/bin/sh", "-eu", f"{box.program}/script.sh"]
    environment = {"PATH": f"{_PATH}:{Path(python.path).parent}", "HOME": box.scratch, "TMPDIR": box.scratch}
    limited = place.level is Level.LIMITS
    return {
        "level": place.level.value,
        "argv": argv,
        "cwd": box.workspace,
        "env": {**environment, "LANG": "C.UTF-8"},
        "bounds": {
            "wall": limits.wall,
            "memory_together": limits.memory_together,
            "processes": limits.processes,
            "output": limits.output,
            "kept": limits.output_kept,
            "scratch": limits.scratch,
            "files": limits.scratch_files,
        },
        "rlimits": _resource_limits(limits, os.geteuid() if place.uid is None else place.uid),
        "uid": place.uid,
        "root": str(box.folder / "root"),
        "view": None if limited else _view(box, source, place),
        "readable": [box.workspace, box.program, *SYSTEM, *_READABLE, *python.trees],
        "writable": [box.scratch, "/dev/null", "/dev/zero", "/dev/full"],
    }


def _view(box: _Box, source: Path, place: Place) -> tuple[Any, ...]:
    hidden = (str(source / HARNESS_FOLDER), str(box.folder), *place.hidden)
    trees = (*place.interpreter.trees, *own_interpreter().trees)
    if place.level is Level.FULL:
        trees = (*trees, str(_PACKAGE))  # there the keeper starts inside
    return view_of(str(source), str(box.folder / "program"), trees, hidden)


def _bubblewrap(box: _Box, source: Path, place: Place, limits: Limits) -> Sequence[str]:
    program = shutil.which("bwrap") or "bwrap"
    return [program, *bubblewrap_arguments(_view(box, source, place), limits.scratch), "--"]  # type: ignore[arg-type]


def _resource_limits(limits: Limits, uid: int) -> dict[str, int]:
    found = {"AS": limits.memory, "CPU": limits.cpu, "FSIZE": limits.file, "CORE": 0, "NOFILE": 256}
    if uid != 0:
        # The kernel counts everything of the user. The keeper ends a check at its limit; this stops a bomb behind that.
        found["NPROC"] = _tasks_of(uid) + _BACKSTOP * limits.processes
    return found


def _tasks_of(uid: int) -> int:
    """Return how many threads a user has on this machine ; where nobody says, many."""
    total = 0
    if not Path("/proc/self/task").exists():
        return _MANY
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdigit() and folder.stat().st_uid == uid:
                total += sum(1 for _ in (folder / "task").iterdir())
        except OSError:
            continue  # it has ended
    return total


def _is_command(check: Check) -> bool:
    return check.kind is CheckKind.STRUCTURAL and check.fields.get("kind") == "command"


def _wanted_code(check: Check) -> int | None:
    if _is_command(check):
        return int(str(check.fields.get("exit", 0)))
    return 0 if check.kind is CheckKind.SH else None


def _remove(folder: Path) -> None:
    """Remove the box's folder, whatever a check has made of it: folders nested too deep for a recursion, too."""
    processes.run(
        ["/bin/sh", "-c", _REMOVE, "sh", str(folder)], cwd=folder.parent, env={"PATH": _PATH}, timeout=_MARGIN
    )
