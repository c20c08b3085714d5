"""Plan files: a YAML, JSON or TOML document becomes a Plan, or one BadPlan that lists everything wrong with it.

`harnessos.plans.read.read_plan` reads a file, `harnessos.plans.parse.parse_plan` a tree, `harnessos.plans.schema`
publishes the JSON Schema.
"""

from __future__ import annotations
