"""What a box shows of the machine: system folders, the interpreter, the workspace, all read-only; nothing else exists.

One description for both upper levels: our keeper mounts it itself, bubblewrap gets it as arguments.
"""

# ruff: noqa: PTH110, PTH112, PTH114, PTH115
# Names as they are, for system calls and arguments.

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

SCRATCH = "/.scratch"
PROGRAM = "/.check"
_TEMPORARY = "/tmp"  # noqa: S108 # inside the box, where it is the box's own
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix/store")
_SETTINGS = (
    "/etc/alternatives",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/localtime",
    "/etc/mime.types",
    "/etc/protocols",
    "/etc/services",
)
USERS = ("passwd", "group")


class View(NamedTuple):
    """`shown`: (source, place) read-only; `links`: (target, place); `hidden`: covered by an empty folder.

    `writable`: memory of the box's own; the first is the scratch folder.
    """

    shown: list[tuple[str, str]]
    links: list[tuple[str, str]]
    hidden: list[str]
    writable: list[str]


def view_of(workspace: str, program: str, trees: Iterable[str], hidden: Iterable[str]) -> View:
    """Return the view for a workspace (absolute, without links), with the program's folder and the trees it needs.

    Of `hidden` (absolute) only what a shown tree would show is covered. The workspace keeps its own path.
    """
    shown: list[tuple[str, str]] = []
    links: list[tuple[str, str]] = []
    for place in (*SYSTEM, *_SETTINGS):
        if os.path.islink(place) and place in SYSTEM:
            links.append((os.readlink(place), place))
        elif os.path.exists(place):
            shown.append((place, place))
    for tree in (*trees, workspace):
        if not any(_within(tree, place) for _, place in shown):
            shown.append((tree, tree))
    shown += [(program, PROGRAM), *((f"{program}/{name}", f"/etc/{name}") for name in USERS)]
    covered = {
        path
        for name in hidden
        for path in (name, os.path.realpath(name))
        if os.path.isdir(path) and not os.path.islink(path) and any(_within(path, place) for _, place in shown)
    }
    return View(shown, links, sorted(covered), [SCRATCH, _TEMPORARY])


def bubblewrap_arguments(view: View, scratch_size: int) -> list[str]:
    """Return bubblewrap's arguments for the view, up to the command."""
    found = ["--unshare-all", "--die-with-parent", "--new-session", "--as-pid-1", "--cap-drop", "ALL", "--clearenv"]
    for place in view.writable:
        found += ["--size", str(scratch_size), "--tmpfs", place]
    for target, place in view.links:
        found += ["--symlink", target, place]
    for source, place in view.shown:
        found += ["--ro-bind", source, place]
    for place in view.hidden:
        found += ["--tmpfs", place, "--remount-ro", place]
    return [*found, "--proc", "/proc", "--dev", "/dev", "--remount-ro", "/", "--chdir", "/"]


def _within(path: str, tree: str) -> bool:
    return path == tree or path.startswith(tree.rstrip("/") + "/")
