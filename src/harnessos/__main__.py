"""`python -m harnessos` is `harness`."""

from __future__ import annotations

from harnessos.cli.main import main

main()
