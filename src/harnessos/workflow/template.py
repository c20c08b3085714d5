"""The prompt: a strict Liquid template. An unknown variable, filter or tag is found when the file is loaded.

Data from agents and trackers only ever stands in variables: what it contains is not rendered again.
Differences from ordinary Liquid: no `include` and no `render`, the filters `json` and `fenced`
(a block quote that its text cannot leave), bounded loops and output.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import TYPE_CHECKING

from harnessos.documents.tree import Problem
from harnessos.workflow.problems import bad_workflow
from harnessos.workflow.variables import CLOSED, ROOTS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from liquid import BoundTemplate, Environment

    from harnessos.workflow.values import Workflow

LOOP_LIMIT = 100_000
OUTPUT_LIMIT = 1_000_000
LOCALS_LIMIT = 1_000_000


@lru_cache(maxsize=1)
def _environment() -> Environment:
    from liquid import Environment, Mode, StrictUndefined

    class Bounded(Environment):
        """Liquid with limits and without files."""

        loop_iteration_limit = LOOP_LIMIT
        output_stream_limit = OUTPUT_LIMIT
        local_namespace_limit = LOCALS_LIMIT

    environment = Bounded(undefined=StrictUndefined, strict_filters=True, tolerance=Mode.STRICT)
    for tag in ("include", "render"):
        environment.tags.pop(tag, None)
    environment.add_filter("json", _json)
    environment.add_filter("fenced", _fenced)
    return environment


def _json(value: object, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent, default=str)


def _fenced(value: object, origin: str = "data") -> str:
    """Set foreign text apart: a fence longer than any inside it, named after where the text is from."""
    text = "" if value is None else str(value)
    fence = "`" * max([2, *map(len, re.findall("`+", text))]) + "`"
    return f"{fence}{origin}\n{text.rstrip()}\n{fence}"


class Prompt:
    """A checked template."""

    def __init__(self, template: BoundTemplate, file: str, first_line: int) -> None:
        self._template = template
        self._file = file
        self._first_line = first_line

    def render(self, variables: Mapping[str, object]) -> str:
        """Fill in `variables` (see `variables.prompt_variables`); BadWorkflow `template_render_error` when it fails."""
        from liquid.exceptions import LiquidError

        try:
            return self._template.render(**variables).strip()
        except (LiquidError, RecursionError, ArithmeticError, ValueError, TypeError) as error:
            problem = Problem("", _said(error), _line(error, self._first_line))
            raise bad_workflow(self._file, "template_render_error", [problem]) from error


def prompt_of(workflow: Workflow) -> Prompt:
    """Return the prompt of a loaded workflow."""
    return compile_prompt(workflow.prompt, str(workflow.path), workflow.prompt_line)


@lru_cache(maxsize=16)
def compile_prompt(text: str, file: str, first_line: int = 1) -> Prompt:
    """Parse and analyse a template, in branches that are not taken too.

    BadWorkflow `template_parse_error` for its syntax, `template_render_error` for a name that does not exist.
    """
    from liquid.exceptions import LiquidError

    try:
        template = _environment().from_string(text)
        unknown = _unknown(template, text, first_line)
    except (LiquidError, RecursionError, ValueError, TypeError, IndexError) as error:
        line = _line(error, first_line) or first_line + text.rstrip().count("\n")
        raise bad_workflow(file, "template_parse_error", [Problem("", _said(error), line)]) from error
    if unknown:
        raise bad_workflow(file, "template_render_error", unknown)
    return Prompt(template, file, first_line)


def _unknown(template: BoundTemplate, text: str, first_line: int) -> list[Problem]:
    """Return the variables and filters that no rendering could have."""
    found: list[Problem] = []
    analysis = template.analyze(include_partials=False)
    for root, uses in analysis.globals.items():
        for use in uses:
            name = _unknown_name(root, list(use.segments))
            if name:
                line = first_line + text.count("\n", 0, use.span.index)
                found.append(Problem("", f"unknown variable {name!r}; {_choices(name)}", line))
    for name, spans in analysis.filters.items():
        if name not in _environment().filters:
            lines = [first_line + text.count("\n", 0, span.index) for span in spans]
            found += [Problem("", f"unknown filter {name!r}", line) for line in lines]
    return sorted(found, key=lambda problem: problem.line or 0)


def _unknown_name(root: str, segments: list[object]) -> str:
    if root not in ROOTS:
        return root
    fields = CLOSED.get(root)
    if fields is None or len(segments) < 2 or not isinstance(segments[1], str):
        return ""
    return "" if segments[1] in fields else f"{root}.{segments[1]}"


def _choices(name: str) -> str:
    root, _, field = name.partition(".")
    return f"{root} has {', '.join(sorted(CLOSED[root]))}" if field else f"there are {', '.join(sorted(ROOTS))}"


def _said(error: Exception) -> str:
    from liquid.exceptions import LiquidError

    if isinstance(error, RecursionError):
        return "is nested too deeply"
    said = str(error.args[0]) if isinstance(error, LiquidError) and error.args else str(error)
    return said or type(error).__name__


def _line(error: Exception, first_line: int) -> int | None:
    from liquid.exceptions import LiquidError

    if not isinstance(error, LiquidError):
        return None
    token = error.token
    return (
        None if token is None or token.start_index < 0 else first_line + token.source.count("\n", 0, token.start_index)
    )
