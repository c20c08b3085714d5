"""Starts a command from a small process: a child's largest resident size includes that of the process it was forked from."""

from __future__ import annotations

import json
import os
import sys
import time


def main(words: list[str]) -> None:
    """Run the command with its output on standard error; print what it took as JSON."""
    begun = time.perf_counter()
    child = os.fork()
    if child == 0:
        os.dup2(2, 1)
        os.execvp(words[0], words)  # the benchmark's own words
    _, status, used = os.wait4(child, 0)
    print(
        json.dumps(
            {
                "wall": time.perf_counter() - begun,
                "cpu": used.ru_utime + used.ru_stime,
                "megabytes": used.ru_maxrss / 1024,
                "code": os.waitstatus_to_exitcode(status),
            }
        )
    )


if __name__ == "__main__":
    main(sys.argv[1:])
