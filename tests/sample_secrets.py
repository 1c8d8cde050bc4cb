"""Secrets in the format that a kind's snippet requires: some senders issue theirs in base64."""

import base64

from router.sources import samples

SECRET = "someone:a-long-random-word"  # A format that nearly every kind accepts.
WRONG = "some:thing-else"


def _encoded(secret: str) -> str:
    return f"whsec_{base64.b64encode(secret.encode()).decode()}"


ENCODED = _encoded(SECRET)


def get_secret(kind: str) -> str:
    """Return the secret of the source that ``samples.settings`` describes."""
    return ENCODED if _is_encoded(kind) else SECRET


def get_wrong_secret(kind: str) -> str:
    """Return another secret of the same format."""
    return _encoded(WRONG) if _is_encoded(kind) else WRONG


def _is_encoded(kind: str) -> bool:
    return "standard-webhooks" in samples.settings(kind, kind)
