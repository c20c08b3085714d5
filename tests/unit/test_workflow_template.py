"""The prompt template: strict, bounded, and blind to what data contains."""

from __future__ import annotations

import contextlib
from typing import Any  # variables are plain data

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harnessos.errors import BadWorkflow
from harnessos.workflow.template import compile_prompt
from harnessos.workflow.variables import CLOSED, DEFAULT_PROMPT, ISSUE_FIELDS, prompt_variables


def render(text: str, issue: dict[str, object] | None = None, **more: Any) -> str:
    return compile_prompt(text, "WORKFLOW.md").render(prompt_variables(issue or {}, **more))


def refused(text: str, first_line: int = 1) -> BadWorkflow:
    with pytest.raises(BadWorkflow) as caught:
        compile_prompt(text, "WORKFLOW.md", first_line)
    return caught.value


@pytest.mark.parametrize(
    "text",
    [
        "{{ nope }}",
        "{{ issue.nope }}",
        "{% if false %}{{ nope }}{% endif %}",
        "{% if issue.nope %}{% endif %}",
        "{% for x in nope %}{% endfor %}",
        "{% assign y = nope %}",
        "{{ issue['nope'] }}",
        "{{ 'a' | append: nope }}",
        "{% case nope %}{% when 1 %}{% endcase %}",
        "{{ nope | default: 'x' }}",
        "{{ worktree.nope }}",
    ],
)
def test_an_unknown_variable_is_found_at_load_in_any_branch(text: str) -> None:
    """SYM-5.4-01, 12.2-01."""
    error = refused(f"one\n{text}", first_line=10)
    assert str(error).startswith("template_render_error: WORKFLOW.md:11: unknown variable ")


@pytest.mark.parametrize(
    "text", ["{{ turn | nope }}", "{% if false %}{{ 'a' | nope: 1 }}{% endif %}", "{% assign a = 'x' | nope %}"]
)
def test_an_unknown_filter_is_found_at_load_in_any_branch(text: str) -> None:
    """SYM-5.4-02."""
    assert str(refused(f"\n\n{text}")).startswith("template_render_error: WORKFLOW.md:3: unknown filter 'nope'")


@pytest.mark.parametrize(
    "text", ["{{ turn", "{% if %}", "{% if turn %}", "{% nope %}", "{{ | }}", "{% endfor %}", "{{ 'a }}"]
)
def test_bad_syntax_is_a_parse_error_with_its_line(text: str) -> None:
    error = refused(f"\n{text}", first_line=5)
    assert error.facts["kind"] == "template_parse_error"
    assert "WORKFLOW.md:6: " in str(error)


@pytest.mark.parametrize(
    "tag", ["{% include '/etc/passwd' %}", "{% render 'x' %}", "{% layout 'x' %}", "{% extends 'x' %}"]
)
def test_files_cannot_be_included(tag: str) -> None:
    assert refused(tag).facts["kind"] == "template_parse_error"


def test_every_field_of_the_specification_renders_when_nothing_is_known() -> None:
    """SYM-4.1.1-06, 5.4-03: fifteen fields with nil and empty lists, and ours."""
    assert len(ISSUE_FIELDS) >= 15
    text = "".join(f"{{{{ issue.{field} }}}}" for field in ISSUE_FIELDS)
    assert render(text) == ""
    more = "".join(f"{{{{ {root}.{field} }}}}" for root, fields in CLOSED.items() for field in fields)
    assert render(more + "{{ attempt }}{{ rejection }}{{ resume }}{% for gate in gates %}x{% endfor %}") == ""


def test_nested_lists_and_maps_can_be_walked() -> None:
    """SYM-5.4-03, 12.2-02, 4.1.1-05."""
    issue: dict[str, object] = {
        "labels": ["a", "b"],
        "blocked_by": [{"id": "1", "identifier": "D-1", "state": "done"}],
        "native_ref": {"team": {"key": "T"}},
    }
    text = "{{ issue.labels | join: ',' }} {% for b in issue.blocked_by %}{{ b.identifier }}:{{ b.state }}{% endfor %}"
    assert render(text + " {{ issue.native_ref.team.key }}", issue) == "a,b D-1:done T"


def test_attempt_is_nil_first_and_a_number_later() -> None:
    """SYM-5.4-03, 12.3-01."""
    text = "{% if attempt %}again {{ attempt }}{% else %}first{% endif %}"
    assert render(text) == "first"
    assert render(text, attempt=1) == "again 1"


def test_data_is_not_rendered_again() -> None:
    evil = "{{ issue.id }}{% for i in (1..9) %}x{% endfor %}"
    assert render("{{ issue.title }}", {"title": evil, "id": "secret"}) == evil
    assert evil in render(DEFAULT_PROMPT, {"title": evil, "id": "secret"}, rejection=evil, resume=evil)


def test_objects_cannot_be_reached_through_their_insides() -> None:
    assert refused("{{ issue.__class__ }}").facts["kind"] == "template_render_error"
    with pytest.raises(BadWorkflow):
        render("{{ issue.title.__class__ }}", {"title": "x"})


@pytest.mark.parametrize(
    "text",
    [
        "{% for i in (1..1000000) %}x{% endfor %}",
        "{% for i in (1..1000) %}{% for j in (1..1000) %}{% endfor %}{% endfor %}",
        "{% for i in (1..9999) %}" + "y" * 1000 + "{% endfor %}",
        "{% assign a = 'x' %}{% for i in (1..99) %}{% assign a = a | append: a %}{% endfor %}",
        "{{ 1 | divided_by: 0 }}",
    ],
)
def test_a_bomb_is_a_render_error(text: str) -> None:
    with pytest.raises(BadWorkflow, match=r"^template_render_error: "):
        render(text)


def test_deep_nesting_is_a_parse_error() -> None:
    assert refused("{% if turn %}" * 3000 + "{% endif %}" * 3000).facts["kind"] == "template_parse_error"


def test_the_json_filter_writes_json() -> None:
    assert render("{{ issue.labels | json }}", {"labels": ["ä", '"']}) == '["ä", "\\""]'
    assert render("{{ attempt | json }}") == "null"


def test_a_fence_is_longer_than_any_inside() -> None:
    text = "a\n```\nb\n`````\n"
    assert render("{{ issue.title | fenced: 'task' }}", {"title": text}) == f"``````task\n{text.rstrip()}\n``````"
    assert render("{{ issue.title | fenced }}") == "```data\n\n```"


def test_the_default_prompt_says_what_an_agent_needs() -> None:
    issue: dict[str, object] = {"identifier": "D-7", "title": "Do it", "description": "Well", "files": ["a.py", "b/"]}
    full = render(
        DEFAULT_PROMPT,
        issue,
        attempt=1,
        turn=2,
        rejection="2 tests failed",
        resume="half done",
        project={"name": "Docs"},
        worktree={"path": "/w/1"},
        gates=[{"name": "tests", "command": "pytest -q"}, {"name": "diff"}],
    )
    for part in (
        "D-7",
        "Docs",
        "/w/1",
        "Do it",
        "Well",
        "a.py, b/",
        "- tests: pytest -q",
        "half done",
        "2 tests failed",
    ):
        assert part in full
    least = render(DEFAULT_PROMPT, {"identifier": "D-7", "title": "Do it"})
    for part in ("rejected", "earlier attempt", "gates", "project", "Change only", "\n\n\n"):
        assert part not in least


@settings(max_examples=400, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                "{{",
                "}}",
                "{%",
                "%}",
                " if ",
                " endif ",
                "turn",
                "issue",
                ".",
                "|",
                "'",
                "for x in ",
                "(1..",
                ")",
                "\n",
                "-",
                "raw",
                "comment",
                " 1",
                "liquid",
                "[",
            ]
        ),
        max_size=14,
    ).map("".join)
)
def test_no_template_crashes(text: str) -> None:
    with contextlib.suppress(BadWorkflow):
        compile_prompt(text, "W").render(prompt_variables({}))
