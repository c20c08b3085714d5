"""The four documents of a small, complete mission: it collects lines into `output/report.md`.

Checks of every run pass once `output/report.md` exists and is not empty (Standard 1, and Standard 2 for step 4);
the check of completion (Standard 4) passes once it holds three lines or more. Standard 3 is optional.
"""

from __future__ import annotations

from typing import Final

MISSION: Final = """\
# Mission: collect lines

## Identity
- **Name**: `collect-lines`
- **Objective**: Collect one line per run into `output/report.md` until it holds three.

## Done Definition
| ID | Condition | Verification | Mandatory or Optional |
|----|-----------|--------------|-----------------------|
| Standard 1 | output/report.md exists and is not empty | check: file | Mandatory |
| Standard 2 | The report is text and was written by step 4 | Python snippet | Mandatory |
| Standard 3 | The report holds no empty line | shell command | Optional |
| Standard 4 | The report holds three lines or more | check: count | Mandatory |

## Boundaries
- Write only below `output/`.
- Use no network.

## Cycle
Every two hours, one line per run.

## Outputs
- `output/report.md`: the lines, one per run
"""

PLAYBOOK: Final = """\
# Playbook: collect lines

## Tools
| Name | Sense or Effector | Command or Host Tool | Probe | Required |
|------|-------------------|----------------------|-------|----------|
| shell | effector | `sh` | `sh -c true` | yes |

## Steps

### Step 1: Look
- **What to do**: Read `output/report.md` if it is there.
- **Tools to use**: shell
- **Completion criteria**: The number of lines is known.
- **Failure handling**: Treat a missing file as an empty one.

### Step 2: Collect
- **What to do**: Find one new line.
- **Tools to use**: shell
- **Completion criteria**: The line is not in the report yet.
- **Failure handling**: Try twice, then take the time of day.

### Step 3: Check
- **What to do**: See that the line is plain text.
- **Tools to use**: shell
- **Completion criteria**: The line holds no control character.
- **Failure handling**: Drop it and go back to step 2.

### Step 4: Report
- **What to do**: Append the line to `output/report.md`.
- **Tools to use**: shell
- **Completion criteria**: The report has grown by one line.
- **Failure handling**: Say what failed and end the run.

<!-- harness:dream begin -->
<!-- harness:dream end -->
"""

EVAL_CRITERIA: Final = """\
# Evaluation criteria: collect lines

### Standard 1: The report exists and is not empty
```check
kind: file
path: output/report.md
min_bytes: 1
```

### Standard 2: The report is text [Step: 4]
```python
text = (workspace / "output" / "report.md").read_text(encoding="utf-8")
assert text.strip(), "the report says nothing"
```

### Standard 3: No empty line (Optional)
```sh
! grep -q '^$' output/report.md
```

### Standard 4: Three lines or more (Applies: completion)
```check
kind: count
path: output/report.md
pattern: "^.+$"
min: 3
```
"""

CRON_CONFIG: Final = """\
# Schedule: collect lines

| Field | Value |
|-------|-------|
| Schedule Type | `cron` |
| Cron Expression | `0 0 */2 * * *` |
| Repeat | `true` |
| Timezone | `UTC` |
| Dream Cron | `0 0 3 * * *` |

## Prompt
```text
Continue the mission in {workspace}. The rules are in {skill_dir}/SKILL.md.
Read, in this order:
1. {workspace}/mission.md
2. {workspace}/eval_criteria.md
3. {workspace}/playbook.md
4. {workspace}/heartbeat.md
5. the topics in {workspace}/knowledge/ that concern the current step
Then go on at the recorded step.
```
"""

FILLED: Final[dict[str, str]] = {
    "mission.md": MISSION,
    "playbook.md": PLAYBOOK,
    "eval_criteria.md": EVAL_CRITERIA,
    "cron_config.md": CRON_CONFIG,
}
