"""Recognising secrets by their shape, so that none is written down as knowledge. Says which shape, never the value."""

from __future__ import annotations

import re
from collections import Counter
from math import log2

_SHAPES = {
    "a private key": re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY"),
    "an AWS access key": re.compile(r"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\b"),
    "a GitHub token": re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,})"),
    "a GitLab token": re.compile(r"\bglpat-[\w-]{16,}"),
    "a Slack token": re.compile(r"\bxox[abeoprs]-[\w-]{10,}|hooks\.slack\.com/services/\w+/\w+/\w+"),
    "a Google key": re.compile(r"\bAIza[\w-]{30,}"),
    "a Stripe key": re.compile(r"\b[rsp]k_(?:live|test)_\w{10,}"),
    "an API key (sk-...)": re.compile(r"\bsk-[\w-]{16,}"),
    "a JSON web token": re.compile(r"\beyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]+"),
    "a bearer token": re.compile(r"\bBearer\s+[A-Za-z0-9._~+/=-]{16,}", re.IGNORECASE),
    "a password in an address": re.compile(r"\b[a-z][a-z0-9+.-]*://[^\s/:@]*:[^\s/@<>${}*]{3,}@", re.IGNORECASE),
}
_NAMED = re.compile(
    r"(?:pass(?:word|wd|phrase)|secret|token|credential|(?:api|access|auth|private|signing|encryption)[_-]?key)\w*"
    r"[\"']?\s*(?:=|:)\s*[\"']?([^\s\"',;]{8,})",
    re.IGNORECASE,
)
_ASSIGNED = re.compile(r"\w[\"']?\s?[=:]\s?[\"']?([A-Za-z0-9+/_=-]{24,})")
_PLACEHOLDER = re.compile(r"[<${(\[]|\*\*\*|\.\.\.|xxx|example", re.IGNORECASE)
_NAMED_BITS, _ANY_BITS = 2.5, 4.0


def secret_in(text: str) -> str | None:
    """Return what kind of secret a text seems to hold; None when it holds none."""
    for what, shape in _SHAPES.items():
        if shape.search(text):
            return what
    for value in _NAMED.findall(text):
        if not _PLACEHOLDER.search(value) and _mixed(value) and bits(value) >= _NAMED_BITS:
            return "a password, token or key with its value"
    for value in _ASSIGNED.findall(text):
        if _random(value):
            return "a value that looks like a key"
    return None


def bits(text: str) -> float:
    """Return the entropy of a text's characters, in bits each."""
    return -sum(number / len(text) * log2(number / len(text)) for number in Counter(text).values())


def _mixed(value: str) -> bool:
    return any(char.isdigit() for char in value) and any(char.isalpha() for char in value)


def _random(value: str) -> bool:
    """Whether a value has digits, capitals and small letters in no order; a hash in hexadecimal digits is no secret."""
    kinds = (str.isdigit, str.isupper, str.islower)
    return all(any(map(kind, value)) for kind in kinds) and bits(value) >= _ANY_BITS
