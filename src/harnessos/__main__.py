"""`python -m harnessos` is `harness`."""

from __future__ import annotations

import sys

from harnessos.cli.main import main

sys.exit(main())
