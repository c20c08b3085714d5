#!/usr/bin/env python3
"""Run `gemini -p` under HarnessOS's `command` runner. Everything after the name goes to gemini: `gemini.py --model NAME`.

Permissions: `--approval-mode yolo` lets it change files and run commands without asking; `auto_edit` in its place only
lets it change files. Credentials: GEMINI_API_KEY through `harness.env`, or a login kept below HOME.
"""

from __future__ import annotations

import subprocess
import sys

from outcome import absent, finish, number, parsed, part

# The prompt stays on standard input, out of sight of `ps`; gemini puts the words after -p behind it.
COMMAND = ["gemini", "--approval-mode", "yolo", "--output-format", "json", "-p", "Do what the text above asks."]
QUOTA = {429}
DOWN = {500, 502, 503, 504}


def main() -> int:
    """Run gemini and judge by its one JSON object, which it prints on standard error when it failed."""
    if problem := absent(COMMAND[0]):
        return finish("agent_fault", problem)
    done = subprocess.run(
        [*COMMAND, *sys.argv[1:]], capture_output=True, encoding="utf-8", errors="replace", check=False
    )
    print(done.stdout, end="")
    print(done.stderr, end="", file=sys.stderr)
    answer = parsed(done.stdout) or parsed(done.stderr[done.stderr.find("{") :])
    error = part(answer, "error")
    tokens = sum(number(part(model, "tokens"), "total") for model in models(answer))
    if answer and not error and done.returncode == 0:
        return finish("success", str(answer.get("response", "")).partition("\n")[0], tokens=tokens)
    said = str(error.get("message", "")) or f"gemini ended with {done.returncode} and without an answer"
    if error.get("code") in QUOTA:
        return finish("provider_quota", said, provider="google", tokens=tokens)
    if error.get("code") in DOWN:
        return finish("provider_down", said, provider="google", tokens=tokens)
    return finish("agent_fault", said, tokens=tokens)


def models(answer: dict[str, object]) -> list[dict[str, object]]:
    """Return what gemini counted for each model it used."""
    return [model for model in part(part(answer, "stats"), "models").values() if isinstance(model, dict)]


if __name__ == "__main__":
    sys.exit(main())
