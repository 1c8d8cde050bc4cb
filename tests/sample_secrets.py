"""A secret of the form that a kind's snippet asks for: some senders give theirs out in base64."""

import base64

from router.sources import samples

SECRET = "someone:a-long-random-word"  # Of the form that nearly every kind's credential may have.
WRONG = "some:thing-else"


def _encoded(secret: str) -> str:
    return f"whsec_{base64.b64encode(secret.encode()).decode()}"


ENCODED = _encoded(SECRET)


def of(kind: str) -> str:
    """The secret for the source that ``samples.settings`` describes."""
    return ENCODED if _is_encoded(kind) else SECRET


def wrong(kind: str) -> str:
    """Another one of the same form."""
    return _encoded(WRONG) if _is_encoded(kind) else WRONG


def _is_encoded(kind: str) -> bool:
    return "standard-webhooks" in samples.settings(kind, kind)
