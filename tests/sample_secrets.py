"""A secret of the form that a kind's snippet asks for: some senders give theirs out in base64."""

import base64

from router.sources import samples

SECRET = "someone:a-long-random-word"  # Of the form that nearly every kind's credential may have.
ENCODED = f"whsec_{base64.b64encode(SECRET.encode()).decode()}"


def of(kind: str) -> str:
    """The secret for the source that ``samples.settings`` describes."""
    return ENCODED if "standard-webhooks" in samples.settings(kind, kind) else SECRET
