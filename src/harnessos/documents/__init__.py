"""Reading foreign documents: a file becomes bytes, bytes a checked tree of plain values, every problem a sentence.

Heavy parsers are imported inside the modules that need them: import `harnessos.documents.reading` and friends.
"""

from __future__ import annotations
