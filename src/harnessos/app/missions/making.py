"""`mission new`: Workflow A whole, from an idea or a mission.yaml to the first run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from harnessos import errors
from harnessos.app.missions import booting, driving, runners, scheduling
from harnessos.files import atomic_write, read_bounded, remove_any
from harnessos.kernel import missions
from harnessos.memory.topics import slug_of
from harnessos.mission import filling, keeping, marks, workspace
from harnessos.mission.agent import Runner
from harnessos.mission.documents import starter
from harnessos.mission.documents.problems import bad_document
from harnessos.model import cron
from harnessos.model.digest import sha256_hex

if TYPE_CHECKING:
    from collections.abc import Callable

    from harnessos.app.harness import Harness
    from harnessos.app.missions.opening import At
    from harnessos.mission.documents.typed import MissionSpec
    from harnessos.store.transaction import Row

_WORDS = 6
_LONGEST = 48
_UNFINISHED = "new.json"


class Wish(NamedTuple):
    """What a person asks for: an idea, or a file; who does it; where; and whether the first run begins now."""

    idea: str | None = None
    file: str | None = None
    agent: str | None = None
    place: str | None = None
    run: bool = True


class Made(NamedTuple):
    """A mission that was made. `run` is its first run, None when there was none."""

    at: At
    run: Row | None
    installed: bool


def slug(text: str) -> str:
    """Return the folder name of a mission: its first words, joined by `-`."""
    words = slug_of(" ".join(text.split()[:_WORDS])).split("_")
    return "-".join(word for word in words if word)[:_LONGEST].strip("-")


def home_of(harness: Harness, name: str) -> Path:
    """Return where a mission lives by default: with OpenClaw where that is installed, else with us."""
    openclaw = Path("~/.openclaw/workspace").expanduser()
    base = openclaw / "harness" if openclaw.is_dir() else harness.settings.home / "missions"
    return base / name


def plan(harness: Harness, wish: Wish) -> tuple[Path, MissionSpec | None, str | None]:
    """Return where the mission will live, its typed contract, and its agent (a kind); what is wrong is raised here."""
    if (wish.idea is None) == (wish.file is None):
        raise errors.BadUsage(
            "either an idea or --from FILE says what the mission is about",
            hint='`harness mission new "IDEA"`, or --from mission.yaml',
        )
    spec = None if wish.file is None else _spec(Path(wish.file))
    agent = wish.agent or (spec.runner if spec else None)
    if agent is None and spec is None:
        agent = _found()
    if agent is not None:
        runners.require(agent)
    if spec is not None:
        _require_schedule(spec)
    name = slug(spec.name if spec else wish.idea or "")
    if not name:
        raise errors.BadContent("nothing of that makes a folder's name", hint="name the folder with --workspace PATH")
    place = Path(wish.place).expanduser() if wish.place else home_of(harness, name)
    _require_room(place, wish)
    return place, spec, agent


def _require_room(place: Path, wish: Wish) -> None:
    """Refuse a folder that holds something, unless it is what was left when this very wish was cut off."""
    if not place.exists() or (place.is_dir() and not any(place.iterdir())) or begun_before(place, wish):
        return
    is_mission = place.is_dir() and (place / marks.PLACE / marks.MISSION).is_file()
    raise errors.Refused(
        f"{place} is there already and not empty",
        hint="--workspace PATH names another folder"
        + (f"; `harness mission boot {place}` says how the one in it stands" if is_mission else ""),
    )


def begun_before(place: Path, wish: Wish) -> bool:
    """Return whether making what is wished was begun in this folder and did not come to its end."""
    if not place.is_dir():
        return False
    left = marks.read(place / marks.PLACE / _UNFINISHED)
    return left is not None and left.get("wish") == _key(wish)


def _key(wish: Wish) -> str:
    """Return what tells one wish from another: the idea, or what the file says now."""
    return sha256_hex((wish.idea or "").encode() if wish.file is None else read_bounded(Path(wish.file), 1 << 20))


def _require_schedule(spec: MissionSpec) -> None:
    """Refuse a schedule that cannot fire before anything is written. BadContent says what is wrong with it."""
    given = spec.schedule
    cron.zone(given.timezone)
    for rule in (given.cron, given.dream):
        if rule:
            cron.parse(rule)


def _spec(path: Path) -> MissionSpec:
    from harnessos.documents.reading import load_document
    from harnessos.mission.documents.typed import parse_spec

    parsed = parse_spec(load_document(path), str(path))
    if parsed.value is None:
        raise bad_document(parsed.problems)
    return parsed.value


def _found() -> str:
    """Return the agent that is on PATH, BadUsage when there is none."""
    import shutil

    from harnessos.workflow.detect import AGENTS

    for name in AGENTS:
        if shutil.which(name):
            return name
    raise errors.BadUsage(
        "no agent was named, and none of claude, codex and gemini is on PATH",
        hint="--agent command:PROGRAM, or describe the mission yourself: `harness mission new --from mission.yaml`",
    )


def make(harness: Harness, wish: Wish, say: Callable[[str], None]) -> Made:
    """Make the workspace, fill it, register both schedules, and begin the first run at once (rule 6).

    What was cut off before the schedules stood goes on where it was when the same is wished again.
    """
    place, spec, agent = plan(harness, wish)
    documents = _rendered(spec) if spec is not None else {}
    again = begun_before(place, wish)
    place.mkdir(parents=True, exist_ok=True)
    unfinished = workspace.own_folder(place) / _UNFINISHED
    atomic_write(unfinished, json.dumps({"wish": _key(wish)}).encode(), 0o600)
    starter.lay_out(place)
    for name, text in documents.items():
        atomic_write(place / name, text.encode())
    most = spec.limits.max_failures if spec else None
    at, _ = booting.open_or_take(harness, str(place), say, init=True, max_failures=most, fresh=not again)
    with at:
        say(f"workspace {at.place}, mission {at.registration.identifier}")
        if agent is not None:
            at.harness.write(missions.configure, at.mission_id, at.cause, runner_json=runners.parse(agent))
        if spec is None:
            _fill(at, wish.idea or "", say)
        found = booting.look(at, None, [])
        booting.refuse(found)
        installed = _scheduled(at, say)
        remove_any(unfinished)
        row = driving.run_now(at, None, "first") if wish.run and agent is not None else None
        keeping.refresh(at.site)
        return Made(at, row, installed)


def _scheduled(at: At, say: Callable[[str], None]) -> bool:
    """Register both schedules, which only a person does: a mission that an agent made waits for one."""
    if at.cause.actor.kind == "agent":
        say(f"a person registers its schedules: `harness mission schedule {at.place} --install --agent KIND`")
        return False
    return bool(scheduling.install(at, scheduling.look(at, None), None))


def _rendered(spec: MissionSpec) -> dict[str, str]:
    from harnessos.mission.documents.drafting import render_documents

    return render_documents(spec)


def _fill(at: At, idea: str, say: Callable[[str], None]) -> None:
    runner = Runner.of(at.row()["runner_json"])
    assert runner is not None
    atomic_write(workspace.own_folder(at.place) / "idea.json", json.dumps({"idea": idea}).encode(), 0o600)
    done = filling.fill(at.site.ground, at.place, idea, runner, say)
    for warning in done.warnings:
        say(f"warning: {warning.describe()}")
