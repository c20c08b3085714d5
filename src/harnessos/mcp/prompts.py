"""Prompts: how to begin a session, plan work, or write a mission, for people to start from in their host."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from harnessos import errors
from harnessos.commands.output import clean
from harnessos.mcp.resources import quoted

if TYPE_CHECKING:
    from collections.abc import Mapping

_SESSION = """Work at one issue of {project} with the harness tools.

1. harness_inspector next_action, and send the call its `next` names. With a session: read the briefing, and work in `worktree`
   where there is one.
2. Record progress with harness_session checkpoint whenever something is finished or given up.
3. Commit, then harness_session close with outcome `finished`. The harness runs the gates itself. After `rejected` the session
   stays open: mend, commit, close again. While it says `verifying`, send heartbeats; they carry the verdict.
4. What needs a person is named in `next.command`: ask for it, and do not try to get around it."""

_PLAN = """Plan this work with harness_orchestrator plan_issues, for {project}:

{given}
- Milestones with issues of half an hour to half a day; each issue's task is one line, what done means goes into `description`.
- Give the plan a `plan_key` and each issue a `key`; depend by `depends_on_keys`. The same plan can then be sent again, changed.
- Name gates that WORKFLOW.md declares (harness_symphony load_workflow lists them), or structural ones: file, diff. Commands
  are for a person to add.
- What an agent must not decide gets an approval that is `pending`."""

_MISSION = """Write a mission for this idea:

{given}
1. harness_mission boot with `init` true and an absolute `workspace` writes the templates.
2. Fill in mission.md (conditions, each mandatory one with a check), eval_criteria.md (the checks), playbook.md (the steps) and
   cron_config.md (when). Every bracketed slot is replaced.
3. harness_mission boot until it says ready; then start, work at the breakpoint, stream what happens, done, eval.
4. A person sets it going by night: harness mission schedule WS --install --agent KIND, and harness up --missions."""


class Prompt(NamedTuple):
    """A prompt: its arguments by name, each with its sentence and whether it must be given."""

    name: str
    about: str
    arguments: Mapping[str, tuple[str, bool]]
    text: str


PROMPTS = (
    Prompt("start_session", "Work at the next issue", {"project": ("the project's key", False)}, _SESSION),
    Prompt(
        "plan_work",
        "Turn a goal into issues",
        {"goal": ("what is wanted", True), "project": ("the project's key", False)},
        _PLAN,
    ),
    Prompt("write_mission", "Turn an idea into a mission", {"idea": ("what it is about", True)}, _MISSION),
)


def rendered(name: str, given: Mapping[str, str]) -> tuple[Prompt, str]:
    """Return a prompt and its text. BadUsage for a name or an argument that there is not."""
    prompt = next((one for one in PROMPTS if one.name == name), None)
    if prompt is None:
        raise errors.BadUsage(f"there is no prompt {name!r}", hint=f"one of {', '.join(one.name for one in PROMPTS)}")
    missing = [key for key, (_, required) in prompt.arguments.items() if required and not given.get(key)]
    beyond = [key for key in given if key not in prompt.arguments]
    if missing or beyond:
        raise errors.BadUsage(
            f"{name} takes {', '.join(prompt.arguments)}", hint=f"wrong: {', '.join(missing + beyond)}"
        )
    wanted = given.get("goal") or given.get("idea") or ""
    project = (
        f"the project {clean(given['project'], line=True)[:40]!r}" if "project" in given else "this server's project"
    )
    return prompt, prompt.text.format(given=quoted("As the person wrote it", wanted), project=project)
