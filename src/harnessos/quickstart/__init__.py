"""The quickstart's material: a small repository with failing tests, a plan, and scripted agents that carry it out.

`make_project` writes all of it into a new folder; running it is the command's business (`harness quickstart`).
"""

from __future__ import annotations

from harnessos.quickstart.project import PROJECT_KEY, Quickstart, free_folder, make_project

__all__ = ["PROJECT_KEY", "Quickstart", "free_folder", "make_project"]
