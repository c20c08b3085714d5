"""The commands, for every frontend: what each takes (`table`), and what it does, as a document and as a sentence.

A frontend finds a command in the table, fills its arguments from words or from JSON, and calls its handler with a Call.
"""

from __future__ import annotations
