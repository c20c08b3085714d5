"""WORKFLOW.md: front matter with Symphony's keys and one `harness:` key of ours, and a strict Liquid prompt.

`values` holds what a loaded workflow is and imports nothing heavy; `load.load_workflow` reads a file once,
`source.WorkflowSource` keeps it fresh, `template.Prompt` renders, `starter` writes a first one.
"""

from __future__ import annotations
