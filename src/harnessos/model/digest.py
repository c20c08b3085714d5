"""SHA-256 of short texts from the interpreter's own module: `hashlib` loads OpenSSL, which every heartbeat would pay for."""

from __future__ import annotations

import sys

if sys.version_info >= (3, 12):
    from _sha2 import sha256  # type: ignore[import-not-found,unused-ignore]  # the type stubs leave it out
else:
    from _sha256 import sha256  # type: ignore[import-not-found,unused-ignore]  # the type stubs leave it out


def sha256_hex(data: bytes) -> str:
    """Return the SHA-256 in 64 hexadecimal digits."""
    return str(sha256(data).hexdigest())
