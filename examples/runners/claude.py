#!/usr/bin/env python3
"""Run `claude -p` under HarnessOS's `command` runner. Everything after the name goes to claude: `claude.py --model NAME`.

Permissions: `acceptEdits` lets it change files, `--allowedTools Bash` lets it run commands (tests, git commit); in print
mode nobody can be asked, so whatever else it tries is denied. Credentials: ANTHROPIC_API_KEY through `harness.env`, or
a login kept below HOME.
"""

from __future__ import annotations

import sys

from outcome import Agent, absent, at, finish, number, part

COMMAND = [
    *("claude", "-p", "--output-format", "stream-json", "--verbose"),  # stream-json does not start without --verbose
    *("--permission-mode", "acceptEdits", "--allowedTools", "Bash"),
]
DOWN = {500, 502, 503, 504, 529}
TOKENS = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens")


def main() -> int:
    """Run claude and judge by its result frame: `subtype` says success even when `is_error` is true."""
    if problem := absent(COMMAND[0]):
        return finish("agent_fault", problem)
    agent = Agent([*COMMAND, *sys.argv[1:]])
    result: dict[str, object] = {}
    limit: dict[str, object] = {}
    for frame in agent.frames():
        if frame.get("type") == "result":
            result = frame
        elif frame.get("type") == "rate_limit_event":
            limit = part(frame, "rate_limit_info")
    spent = {"tokens": number(part(result, "usage"), *TOKENS), "usd": result.get("total_cost_usd")} if result else {}
    said = str(result.get("result", ""))
    if result and result.get("is_error") is False and agent.code == 0:
        return finish("success", said.partition("\n")[0], **spent)
    status = result.get("api_error_status")
    if result.get("is_error") and (status == 429 or limit.get("status") == "rejected"):
        return finish("provider_quota", said, reset_at=at(limit.get("resetsAt")), provider="anthropic", **spent)
    if result.get("is_error") and status in DOWN:
        return finish("provider_down", said, provider="anthropic", **spent)
    return finish("agent_fault", said or f"claude ended with {agent.code} and without a result", **spent)


if __name__ == "__main__":
    sys.exit(main())
