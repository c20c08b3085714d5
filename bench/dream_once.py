"""Plans one dream in a workspace, as `harness mission dream --dry-run` does, and prints what it found."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from harnessos.mission.dream.plan import Facts, Options
from harnessos.mission.dream.preparing import prepare


def main(workspace: str, now: str, lookback_ms: str) -> None:
    """Plan a dream at an instant."""
    plan = prepare(Path(workspace), Facts(int(now), {}, frozenset()), Options(lookback_ms=int(lookback_ms)))
    found = plan.summary()
    print(json.dumps({name: found[name] for name in ("records", "errors", "recurring", "recoveries")}), file=sys.stderr)


if __name__ == "__main__":
    main(*sys.argv[1:])
