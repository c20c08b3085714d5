"""The clock that tests move."""

from __future__ import annotations

import pytest

from harnessos.ports import Clock
from harnessos.testing.clock import START, FakeClock


def test_it_stands_still_until_it_is_moved(clock: FakeClock) -> None:
    as_port: Clock = clock
    assert (as_port.now(), as_port.monotonic()) == (START, 0.0)
    assert (as_port.now(), as_port.monotonic()) == (START, 0.0)


def test_passing_time_moves_both_clocks(clock: FakeClock) -> None:
    assert clock.advance(1500) == START + 1500
    assert (clock.now(), clock.monotonic()) == (START + 1500, 1.5)


def test_a_jump_moves_the_wall_clock_alone(clock: FakeClock) -> None:
    assert clock.jump(-8 * 3_600_000) == START - 8 * 3_600_000
    assert clock.monotonic() == 0.0


def test_time_does_not_pass_backwards(clock: FakeClock) -> None:
    with pytest.raises(ValueError, match="jump"):
        clock.advance(-1)
    assert clock.now() == START
