"""`docs/proof.md` names, for every promise, tests that exist."""

from __future__ import annotations

import ast
import re
from functools import cache
from typing import NamedTuple

import pytest

from tests.support.python import ROOT

_ROW = re.compile(r"^\| ([GPI]\d+) \| ([^|]+) \| (.+) \|$", re.MULTILINE)
_TEST = re.compile(r"`([\w/]+\.py)::(test_\w+)`")

GUARANTEES = {f"G{number}" for number in range(1, 11)}
INCIDENTS = {f"I{number:02}" for number in range(1, 36)}
PROBLEMS = {
    "P01": 5, "P02": 2, "P03": 6, "P04": 6, "P05": 5, "P06": 6, "P07": 5, "P08": 5, "P09": 4, "P10": 4, "P11": 4, "P12": 4, "P13": 3,
    "P14": 3, "P15": 6, "P16": 4, "P18": 5, "P19": 5, "P20": 7, "P21": 4, "P22": 5, "P23": 4, "P24": 3, "P25": 5,
}  # fmt: skip
"""How many tests each problem that concerns this part asks for."""

PROVED_OTHERWISE = {
    "test_supervisor_sigkill_then_restart_adopts_or_reaps",  # at every point of a run, in the crash suite
    "test_cwd_missing_fails_closed",  # by processes, hooks and runs
    "test_transient_error_is_not_corruption",  # its incident's name
    "test_every_released_schema_upgrades",  # nothing is released yet
    "test_every_documented_tool_has_an_end_to_end_test",  # by the example of each
    "test_mcp_server_exits_on_stdin_eof_and_on_parent_death_within_2s",  # without a time
    "test_initialize_under_1s_cold",  # as above
    "test_capabilities_report_unavailable_features_as_unavailable",
    "test_stdout_is_only_json_rpc",
    "test_tools_list_under_10kB_and_8_tools_for_every_profile",  # in small letters
    "test_default_results_under_2kB_with_cursor",
    "test_L1_never_over_2kB",  # named after the defect of the earlier scripts that it is
    "test_10_writers_1000_messages_none_lost_none_doubled",  # this and the next four by the tests of dispatched tasks
    "test_crash_between_claim_and_done_redelivers_once",
    "test_partial_file_never_visible",
    "test_inbox_is_bounded_and_archived",
    "test_undelivered_after_T_raises_attention",
}


class Promise(NamedTuple):
    """A row: its number, what it is about, and what is said of its proof."""

    number: str
    about: str
    proof: str

    @property
    def tests(self) -> list[tuple[str, str]]:
        """The tests it names, as (path, name)."""
        return _TEST.findall(self.proof)


def _promises() -> list[Promise]:
    text = (ROOT / "docs" / "proof.md").read_text(encoding="utf-8")
    return [Promise(*found) for found in _ROW.findall(text)]


@cache
def _defined(path: str) -> frozenset[str]:
    file = ROOT / "tests" / path
    if not file.is_file():
        return frozenset()
    nodes = ast.walk(ast.parse(file.read_text(encoding="utf-8")))
    return frozenset(node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


@pytest.mark.parametrize("promise", _promises(), ids=lambda promise: f"{promise.number}-{promise.about[:60]}")
def test_a_promise_names_tests_that_exist_or_the_part_that_brings_them(promise: Promise) -> None:
    assert [f"{path}::{name}" for path, name in promise.tests if name not in _defined(path)] == []
    assert promise.tests or re.match(r"later: [^:]+: \S", promise.proof)


def test_every_guarantee_problem_and_incident_has_its_line() -> None:
    rows = _promises()
    numbers = [row.number for row in rows]
    assert {number for number in numbers if number[0] == "G"} == GUARANTEES
    assert {number for number in numbers if number[0] == "I"} == INCIDENTS
    assert {number: numbers.count(number) for number in PROBLEMS} == PROBLEMS
    assert {number for number in numbers if number[0] == "P"} == set(PROBLEMS)


def test_what_a_problem_asks_for_by_name_is_tested_by_that_name() -> None:
    rows = [row for row in _promises() if row.number[0] == "P" and not row.proof.startswith("later")]
    assert {row.about for row in rows if row.about not in {name for _, name in row.tests}} == PROVED_OTHERWISE
