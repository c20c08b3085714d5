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


def starter(detected: Detected) -> str:
    """Return a WORKFLOW.md that loads as it is, with comments for what could not be found."""
    front = [
        "agent:",
        "  max_concurrent_agents: 4",
        "harness:",
        *_runner(detected.agent),
        *_gates(detected),
        *_checkout(detected),
    ]
    return "\n".join(["---", *front, "---", DEFAULT_PROMPT])


def _runner(agent: AgentName | None) -> list[str]:
    if agent is None:
        return [
            "  # No agent was found on PATH. Name one here: it gets the prompt on stdin and works in its own folder.",
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


def _gates(detected: Detected) -> list[str]:
    lines = ["  gates:"]
    if detected.test is None:
        lines += [
            "    # No test command was found. Without one nobody checks that the work is right:",
            "    # - name: tests",
            "    #   kind: command",
            '    #   argv: ["make", "test"]',
        ]
    else:
        kind = "tests" if detected.pytest else "command"
        lines += ["    - name: tests", f"      kind: {kind}", f"      argv: {_words(detected.test)}"]
    return [
        *lines,
        "    # An agent that changes nothing must not pass.",
        "    - name: changes",
        "      kind: diff",
    ]


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
