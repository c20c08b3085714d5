"""Identifiers and the machine's clock."""

from __future__ import annotations

import pytest

from harnessos.ports import SystemClock, SystemIds, base32
from tests.support.waiting import eventually


def test_ids_made_later_sort_later() -> None:
    ids = SystemIds()
    instants = [0, 1, 31, 32, 1_000, 1_767_603_600_000, 1_767_603_600_001, 2**47]
    made = [ids.new("run", now) for now in instants]
    assert made == sorted(made)


def test_an_id_is_its_noun_and_26_characters() -> None:
    noun, _, rest = SystemIds().new("run", 1_767_603_600_000).partition("-")
    assert (noun, len(rest)) == ("run", 26)


def test_ids_of_one_millisecond_differ() -> None:
    ids = SystemIds()
    assert len({ids.new("run", 1) for _ in range(1000)}) == 1000


def test_every_character_of_a_token_is_random() -> None:
    tokens = [SystemIds().token() for _ in range(200)]
    assert all(token.startswith("hs_") and len(token) == 35 for token in tokens)
    assert all(len({token[place] for token in tokens}) > 10 for place in range(3, 35))


@pytest.mark.parametrize(("value", "length", "text"), [(0, 3, "000"), (31, 2, "0z"), (32, 2, "10")])
def test_base32_keeps_the_order_of_numbers(value: int, length: int, text: str) -> None:
    assert base32(value, length) == text


def test_the_clocks_go_forward_in_their_units() -> None:
    clock = SystemClock()
    wall, seconds = clock.now(), clock.monotonic()
    assert wall > 1_700_000_000_000
    eventually(lambda: clock.now() > wall and clock.monotonic() > seconds, within=10, what="the passing of time")


def test_ids_of_one_millisecond_follow_each_other() -> None:
    """The issues of a plan come out in its order, and the later of two checkpoints counts."""
    ids = SystemIds()
    made = [ids.new("iss", 1_767_603_600_000) for _ in range(1000)]
    assert made == sorted(made)
