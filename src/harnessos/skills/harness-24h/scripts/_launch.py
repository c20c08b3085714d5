"""Hand a script's words to the installed HarnessOS. Runs on any Python from 3.8 on, and imports nothing but os and sys.

A script names the workspace first; `harness` names its command first. Otherwise the words are the same.
"""

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

COMMANDS = {
    "harness_boot": ("mission boot", ""),
    "harness_heartbeat": ("mission", "start done fail blocked mission_complete complete"),
    "harness_memory": ("memory", "stream learn search topics check"),
    "harness_eval": ("mission eval", ""),
    "harness_cleanup": ("mission cleanup", ""),
    "harness_dream": ("mission dream", ""),
    "harness_setup_cron": ("mission schedule", ""),
    "harness_coordinator": ("mission agents", "init dispatch status collect cleanup run"),
    "harness_linter": ("mission lint", ""),
}
"""For each script the command it stands for, and the verbs of which one follows the workspace."""

RECORD = ".harness-python"
"""Written beside the scripts by `harness skill install`: its interpreter, and the folder that holds the package."""

PACKAGE = os.path.join("harnessos", "cli", "main.py")
USAGE = 2
NOT_FOUND = 69


def launch(file: str) -> None:
    """Become the command that the script `file` was called for; the process ends with that command's exit code."""
    script = os.path.splitext(os.path.basename(os.path.realpath(file)))[0]
    words = words_of(script, sys.argv[1:])
    if not words:
        verbs = COMMANDS[script][1].replace(" ", ", ")
        _end(USAGE, script + ".py: after the workspace comes one of " + verbs + "\n  hint: --help lists what they take")
    words += skill_dir(file, words)
    if sys.version_info >= (3, 11) and _is_importable():
        here = os.path.dirname(os.path.realpath(__file__))
        # What an agent has put beside the scripts must not take the place of a module.
        sys.path[:] = [entry for entry in sys.path if os.path.realpath(entry) != here]
        sys.argv[:] = ["harness", *words]
        from harnessos.cli.main import main

        main()
    for command in installed():
        try:
            os.execv(command[0], command + words)
        except OSError:
            continue  # what it names has gone: another may be there
    _end(
        NOT_FOUND,
        script + ".py: HarnessOS is not installed where this script can find it\n"
        "  hint: `pipx install harnessos`, or where it is installed already `harness skill install harness-24h --to DIR`",
    )


def words_of(script: str, given: "list[str]") -> "list[str]":
    """Return the words of the same command after `harness`; none when the script does not know the verb."""
    command, verbs = COMMANDS[script]
    if not verbs:
        return command.split() + given
    if given[1:] and given[1] in verbs.split():
        return [*command.split(), given[1], given[0], *given[2:]]
    return [*command.split(), "--help"] if {"-h", "--help"}.intersection(given) else []


def skill_dir(file: str, words: "list[str]") -> "list[str]":
    """Return the option that has prompts name this very skill, for the command whose prompts name one."""
    if words[:2] != ["mission", "schedule"] or any(word.partition("=")[0] == "--skill-dir" for word in words):
        return []
    # A link to the whole skill stays what it is: it is where agents look. One to a script alone leads to its skill.
    for path in (os.path.abspath(file), os.path.realpath(file)):
        folder = os.path.dirname(os.path.dirname(path))
        if os.path.isfile(os.path.join(folder, "SKILL.md")):
            return ["--skill-dir", folder]
    return []


def _is_importable() -> bool:
    """Whether this interpreter has the package and what it needs; asking the folders costs less than the import system."""
    return any(os.path.isfile(os.path.join(entry, PACKAGE)) for entry in sys.path) and any(
        os.path.isdir(os.path.join(entry, "apsw")) for entry in sys.path
    )


def installed() -> "Iterator[list[str]]":
    """Yield the beginnings of command lines that may start HarnessOS, the surest first."""
    here = os.path.dirname(os.path.realpath(__file__))
    home = os.path.expanduser("~")
    data = os.environ.get("XDG_DATA_HOME") or os.path.join(home, ".local", "share")
    yield from _by(_recorded(here))
    root = os.path.join(here, *[os.pardir] * 4)  # the folder with the package, if this script lies inside it
    if os.path.isfile(os.path.join(root, PACKAGE)):
        yield from _by(os.path.normpath(os.path.join(root, *[os.pardir] * 3, "bin", "python")))
    places = os.environ.get("PATH", os.defpath).split(os.pathsep)
    for place in (os.path.dirname(sys.executable or ""), *places, os.path.join(home, ".local", "bin")):
        program = os.path.join(place, "harness")
        if place and _is_ours(program):
            yield [program]
    for folder in (
        os.path.join(os.environ.get("PIPX_HOME") or os.path.join(data, "pipx"), "venvs"),
        os.path.join(home, ".local", "pipx", "venvs"),
        os.path.join(home, "Library", "Application Support", "pipx", "venvs"),
        os.environ.get("UV_TOOL_DIR") or os.path.join(data, "uv", "tools"),
    ):
        yield from _by(os.path.join(folder, "harnessos", "bin", "python"))


def _by(python: str) -> "Iterator[list[str]]":
    # -P: a file of the folder the agent stands in must not take the place of a module. -c: `-m` takes 3 ms longer.
    if python and os.access(python, os.X_OK):
        yield [python, "-P", "-c", "from harnessos.cli.main import main; main()"]


def _recorded(here: str) -> str:
    """Return the interpreter that installed this skill, nothing when it lost the package since."""
    try:
        with open(os.path.join(here, RECORD), "rb") as file:
            python, root = os.fsdecode(file.read()).split("\n")[:2]
    except (OSError, ValueError):
        return ""
    return python if os.path.isabs(root) and os.path.isfile(os.path.join(root, PACKAGE)) else ""


def _is_ours(program: str) -> bool:
    """Whether a program called harness is this one; others have that name as well."""
    try:
        with open(program, "rb") as file:
            return b"harnessos" in file.read(4096) and os.access(program, os.X_OK)
    except OSError:
        return False


def _end(code: int, text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.exit(code)
