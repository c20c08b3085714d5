"""Secrets are recognised by their shape, and ordinary knowledge is not taken for one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harnessos.memory.secrets import secret_in

# Each is put together here, so that no scanner of this repository takes it for a real one.
SECRETS = {
    "an AWS access key": "use AKI" + "AIOSFODNN7ABCDEFG here",
    "a GitHub token": "gh" + "p_" + "a1B2" * 9,
    "a GitLab token": "glp" + "at-" + "a1B2c3D4e5F6g7H8i9",
    "a Slack token": "xo" + "xb-123456789012-abcdefGHIJ",
    "a private key": "-----BEGIN RSA PRIVATE" + " KEY-----\nMII",
    "an API key (sk-...)": "the key is s" + "k-proj-a1B2c3D4e5F6g7H8",
    "a bearer token": "send Authorization: Bea" + "rer abcdefghijklmnop1234",
    "a JSON web token": "ey" + "JhbGciOiJIUzI1NiJ9.ey" + "JzdWIiOiIxMjM0In0.abc-_1",
    "a password in an address": "postgresql://me:hunter" + "22@db.internal/x",
    "a Stripe key": "sk_" + "live_a1b2c3d4e5f6",
    "a Google key": "AI" + "za" + "Sy0123456789abcdefghijklmnopqrstuv",
    "a password, token or key with its value": "DB_PASS" + "WORD=correct7horse",
    "a value that looks like a key": "x=" + "aB3dE5fG7hI9jK1lM2nO4pQ6",
}


@pytest.mark.parametrize("what", SECRETS)
def test_a_secret_is_named_by_its_shape(what: str) -> None:
    assert secret_in(SECRETS[what]) == what


@pytest.mark.parametrize(
    "text",
    [
        "GitHub API returns 403 after 5000 requests/hour. Wait 60s and retry with exponential backoff.",
        "Articles from source X often missing 'author' field. Use 'Unknown' as default and log warning.",
        "token: expired tokens give 401; password=<yours>, api_key=${API_KEY}, secret=os.environ['S3']",
        "the last good commit is 9fceb02d0ae598e95dc970b74767f19372d61af8, sha256=" + "0123456789abcdef" * 4,
        "scikit: use sk-learn-contrib, pass --max_tokens=100000000 and tokens: 12345678",
        "see https://example.org/a:b@c and postgresql://user@host:5432/name",
        "path=/usr/local/share/some/long/path/of/files/and/more",
        "Bearer tokens expire after an hour",
        "task_sk-ill",
    ],
)
def test_ordinary_knowledge_is_no_secret(text: str) -> None:
    assert secret_in(text) is None


@given(st.text(max_size=200))
def test_any_text_is_answered(text: str) -> None:
    secret_in(text)
