"""Load a WORKFLOW.md once: path, parse, defaults, `$VAR`, validation, template, in this order."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from harnessos.documents.reading import read_text
from harnessos.documents.tree import Problem
from harnessos.errors import NotAFile
from harnessos.workflow.problems import bad_workflow
from harnessos.workflow.split import split
from harnessos.workflow.values import Workflow
from harnessos.workflow.variables import DEFAULT_PROMPT

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FILE_NAME = "WORKFLOW.md"
MAX_BYTES = 1024 * 1024


def read_workflow(path: Path) -> str:
    """Return the text of the file; BadWorkflow `missing_workflow_file` or `workflow_parse_error`."""
    try:
        text, problem = read_text(path, MAX_BYTES)
    except NotAFile as error:
        cause = Problem("", error.message.removeprefix(f"{path}: "))
        hint = "`harness init --workflow` writes a first one"
        raise bad_workflow(str(path), "missing_workflow_file", [cause], hint) from error
    if problem is not None:
        raise bad_workflow(str(path), "workflow_parse_error", [problem])
    return text


def load_workflow(path: Path, environ: Mapping[str, str], home: Path) -> Workflow:
    """Read and check a file. `environ` fills `$VAR`, `home` is HARNESS_HOME; BadWorkflow names every cause."""
    return parse_workflow(read_workflow(path), path, environ, home)


def parse_workflow(text: str, path: Path, environ: Mapping[str, str], home: Path) -> Workflow:
    """Check the text of a WORKFLOW.md that lies, or would lie, at `path`."""
    from harnessos.workflow.config import parse_config
    from harnessos.workflow.template import compile_prompt

    parts = split(text)
    if parts is None:
        cause = Problem("", "the front matter that begins in line 1 has no closing `---`", 1)
        raise bad_workflow(str(path), "workflow_parse_error", [cause])
    tree = {} if parts.front is None else _front_matter(parts.front, str(path))
    settings, problems = parse_config(tree, path.absolute().parent, environ, home)
    if problems:
        raise bad_workflow(str(path), "workflow_config_error", problems)
    workflow = Workflow(
        path=path,
        digest=digest(text),
        prompt=parts.body or DEFAULT_PROMPT,
        prompt_line=parts.body_line,
        raw=tree,
        **settings._asdict(),
    )
    compile_prompt(workflow.prompt, str(path), workflow.prompt_line)
    return workflow


def digest(text: str) -> str:
    """Return the SHA-256 of a text."""
    return hashlib.sha256(text.encode()).hexdigest()


def _front_matter(front: str, file: str) -> dict[str, object]:
    from harnessos.documents.yamltext import load_yaml

    tree, problems = load_yaml(front, first_line=2)
    if problems:
        raise bad_workflow(file, "workflow_parse_error", problems)
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        cause = Problem("", "the front matter must be a mapping of keys", 2)
        raise bad_workflow(file, "workflow_front_matter_not_a_map", [cause])
    return tree
