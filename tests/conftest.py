"""Fixtures for every test."""

from __future__ import annotations

import os

import pytest

from harnessos.testing.clock import FakeClock

pytest_plugins = ["tests.support.postgres"]


def pytest_configure(config: pytest.Config) -> None:
    """Refuse files that our code opens without an encoding; what libraries do is their own affair.

    The interpreter reads PYTHONWARNDEFAULTENCODING (set by `make test`) when it starts. Programs that tests start must
    not inherit it: their standard error is compared.
    """
    config.addinivalue_line("filterwarnings", "ignore::EncodingWarning")
    config.addinivalue_line("filterwarnings", "error::EncodingWarning:harnessos")
    starts_workers = config.getoption("numprocesses", None) and not hasattr(config, "workerinput")
    if not starts_workers:
        os.environ.pop("PYTHONWARNDEFAULTENCODING", None)


@pytest.fixture
def clock() -> FakeClock:
    """A clock that only the test moves."""
    return FakeClock()
