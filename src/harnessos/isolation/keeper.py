"""The keeper of one check: a process of its own that makes the box, keeps the check inside, and says how it ended.

Started as `python -I -S -B -c "..." ` by `boxes`, with a JSON request on standard input (see `boxes.request`) and one
JSON object as its answer: `{"problem": text}` when the box could not be made, else the fields of `boxed.Ended` with
bytes in base64, and `guards`.
"""

from __future__ import annotations

import base64
import json
import os
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

from harnessos.isolation import landlock, privileges
from harnessos.isolation.levels import Level
from harnessos.isolation.view import View
from harnessos.processes.adoption import become_subreaper
from harnessos.processes.boxed import CHECK_MARKER, Bounds, Ended, in_new_namespace, keep

if TYPE_CHECKING:
    from collections.abc import Callable

_BOXED_GUARDS = ["no_network", "read_only", "files_hidden", "own_processes"]


def main() -> int:
    """Do what the request on standard input asks."""
    request = json.load(sys.stdin)
    if request["level"] != Level.NAMESPACES.value:
        return _answered(request)
    from harnessos.isolation.mounting import enter_namespaces

    try:
        enter_namespaces()
    except OSError as refused:
        return _say({"problem": str(refused)})
    return in_new_namespace(partial(_answered, request))


def _answered(request: dict[str, Any]) -> int:
    try:
        return _say(_keep(request))
    except OSError as refused:
        return _say({"problem": str(refused)})


def _keep(request: dict[str, Any]) -> dict[str, Any]:
    level, env = Level(request["level"]), request["env"]
    if level is Level.LIMITS:
        become_subreaper()
        env = {**env, CHECK_MARKER: os.environ[CHECK_MARKER]}
        prepare, guards = _limited(request)
    else:
        if level is Level.NAMESPACES:
            from harnessos.isolation.mounting import enter_view

            bounds = request["bounds"]
            enter_view(request["root"], View(*request["view"]), bounds["scratch"], bounds["files"])
        prepare, guards = partial(_give_up, request["rlimits"]), _BOXED_GUARDS
    privileges.stay_private()
    ended = keep(
        request["argv"],
        cwd=request["cwd"],
        env=env,
        bounds=Bounds(**request["bounds"]),
        prepare=prepare,
        scratch=env["HOME"] if level is Level.LIMITS else None,
    )
    return _story(ended, guards)


def _give_up(limits: dict[str, int]) -> None:
    privileges.limit_resources(limits)
    privileges.drop_capabilities()
    privileges.no_new_privileges()


def _limited(request: dict[str, Any]) -> tuple[Callable[[], None], list[str]]:
    """Return what the check's process gives up at level `limits`, and the names of what that protects."""
    uid, known = request["uid"], landlock.version()
    guards = ["copy", *(["other_user"] if uid is not None else []), *landlock.guards(known)]

    def prepare() -> None:
        privileges.limit_resources(request["rlimits"])
        if uid is not None:
            privileges.become_user(uid)
        privileges.no_new_privileges()
        if known:
            landlock.restrict(request["readable"], request["writable"], known)

    return prepare, guards


def _story(ended: Ended, guards: list[str]) -> dict[str, Any]:
    story: dict[str, Any] = ended._asdict()
    for name in ("verdict", "output", "errors"):
        story[name] = base64.b64encode(story[name]).decode()
    return {**story, "guards": guards}


def _say(answer: dict[str, Any]) -> int:
    with os.fdopen(1, "w", encoding="ascii", closefd=False) as stream:
        json.dump(answer, stream)
    return 0
