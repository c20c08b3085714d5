"""The first WORKFLOW.md of a project, as text."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from harnessos.workflow.variables import DEFAULT_PROMPT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harnessos.workflow.detect import AgentName, Detected

# Each reads the prompt from stdin and may edit in its folder; the harness commits what the agent leaves.
AGENT_COMMANDS: Mapping[AgentName, tuple[str, ...]] = {
    "claude": ("claude", "-p", "--permission-mode", "acceptEdits", "--allowedTools", "Bash"),
    "codex": ("codex", "exec", "--sandbox", "workspace-write", "-"),
    "gemini": ("gemini", "--approval-mode", "yolo"),
}
AGENT_KEYS: Mapping[AgentName, str] = {
    "claude": "ANTHROPIC_API_KEY",
    "codex": "OPENAI_API_KEY",
    "gemini": "GEMINI_API_KEY",
}

# What the default prompt says of git, and what is true instead where there is none.
_WITHOUT_GIT = (
    (", a git worktree of your own; change nothing outside it.", "; change nothing outside it."),
    ("at the commit you leave, with these gates:", "as you leave it, with these gates:"),
    ("Commit your work when you are done. Stop", "Leave your work in the folder. Stop"),
)


def starter(detected: Detected, *, git: bool = True) -> str:
    """Return a WORKFLOW.md that loads as it is, with comments for what could not be found.

    Without `git`, in a plain folder, it names nothing that needs a repository: no diff gate, no clean checkout.
    """
    front = [
        *_agents(git=git),
        "harness:",
        *_runner(detected.agent, git=git),
        "  gates:",
        *(_tests(detected) if git else _tests_in_place(detected)),
        *(_changes() if git else _result(bare=detected.test is None)),
        *(_checkout(detected) if git else []),
    ]
    return "\n".join(["---", *front, "---", DEFAULT_PROMPT if git else _folder_prompt()])


def _folder_prompt() -> str:
    text = DEFAULT_PROMPT
    for said, instead in _WITHOUT_GIT:
        text = text.replace(said, instead)
    return text


def _agents(*, git: bool) -> list[str]:
    if git:
        return ["agent:", "  max_concurrent_agents: 4"]
    return [
        "agent:",
        "  # There is no git repository here, so one agent at a time works in this folder.",
        "  max_concurrent_agents: 1",
    ]


def _runner(agent: AgentName | None, *, git: bool) -> list[str]:
    if agent is None:
        where = "a worktree of its own" if git else "this folder"
        return [
            f"  # No agent was found on PATH. Name one here: it gets the prompt on stdin and works in {where}.",
            "  # runner:",
            "  #   kind: command",
            f"  #   command: {_words(AGENT_COMMANDS['claude'])}",
        ]
    return [
        "  runner:",
        "    kind: command",
        f"    command: {_words(AGENT_COMMANDS[agent])}",
        "    # The agent's environment is built, not inherited; what it needs is named here.",
        "    # env:",
        f"    #   {AGENT_KEYS[agent]}: ${AGENT_KEYS[agent]}",
    ]


def _tests(detected: Detected) -> list[str]:
    if detected.test is None:
        return [
            "    # No test command was found. Without one nobody checks that the work is right:",
            "    # - name: tests",
            "    #   kind: command",
            '    #   argv: ["make", "test"]',
        ]
    kind = "tests" if detected.pytest else "command"
    return ["    - name: tests", f"      kind: {kind}", f"      argv: {_words(detected.test)}"]


def _tests_in_place(detected: Detected) -> list[str]:
    """Return the test gate of a plain folder, where a gate that leaves files behind voids its own evidence."""
    if detected.test is None:
        return _tests(detected)
    quiet = (*detected.test, "-p", "no:cacheprovider") if detected.pytest else detected.test
    return [
        "    # Gates run in the folder itself and must leave it as it is: have them write caches and results elsewhere.",
        *_tests(detected._replace(test=quiet)),
    ]


def _changes() -> list[str]:
    return ["    # An agent that changes nothing must not pass.", "    - name: changes", "      kind: diff"]


def _result(*, bare: bool) -> list[str]:
    """Return a gate to uncomment in a plain folder; `bare` where nothing else is required there."""
    lines = [
        "    # What an agent changed cannot be told without git; that a result is there can:",
        "    # - name: result",
        "    #   kind: file",
        "    #   path: result.md",
        "    #   min_size: 200",
    ]
    rule = [
        "  # While nothing is required, finished work counts as done here. To look at it first:",
        "  # require_gates: true",
    ]
    return lines + rule if bare else lines


def _checkout(detected: Detected) -> list[str]:
    if not detected.setup:
        return []
    return [
        "  # Gates run in a clean checkout; this makes it ready, once for each state of the lock file.",
        "  checkout:",
        f"    setup: {_words(detected.setup)}",
        f"    cache_key: {_words(detected.cache_key)}",
    ]


def _words(words: tuple[str, ...]) -> str:
    return json.dumps(list(words))
