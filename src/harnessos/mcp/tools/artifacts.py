"""`harness_artifacts`: files that prove something, kept with their hash."""

from __future__ import annotations

from harnessos.mcp import artifacts
from harnessos.mcp.actions import PROJECT, Action, Field, Tool

ARTIFACTS = Tool(
    "harness_artifacts",
    "Keeps files of a run with their hashes; scorecards cite them.",
    (
        Action(
            "save",
            "record a file of the session's worktree, by its hash",
            run=artifacts.save,
            adds=(
                Field("path", str, "the file: relative to the worktree, or absolute inside of it", required=True),
                Field("kind", str, "what it is: report, screenshot, log, data, ...", required=True),
                Field("session", str, "the session's token; else HARNESS_SESSION_TOKEN"),
            ),
            example={"path": "report.html", "kind": "report"},
        ),
        Action(
            "list",
            "list the files of a project, an issue or a kind",
            run=artifacts.listed,
            adds=(
                PROJECT,
                Field("issue", str, "only those of this issue"),
                Field("kind", str, "only those of this kind"),
                Field("limit", int, "at most so many"),
                Field("cursor", str, "go on where the last page ended"),
            ),
            writes=False,
        ),
    ),
)
