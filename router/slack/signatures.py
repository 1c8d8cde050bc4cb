"""Verifies Slack's signature of a request: an HMAC of time and body with the app's signing secret."""

import hmac
from collections.abc import Mapping

from router.domain.times import Timestamp

TOLERANCE = 300
"""The most seconds between the signed time and the router's clock."""
_VERSION = b"v0"
_TIME, _SIGNATURE = b"x-slack-request-timestamp", b"x-slack-signature"
_MAX_TIME_LENGTH = 12


def problem(secret: str, headers: Mapping[bytes, bytes], body: bytes, now: Timestamp) -> str:
    """Return why a request isn't authentic, without details that help an attacker. Return "" if it is authentic.

    ``headers`` have lower-case names. ``now`` is microseconds since the epoch. Signatures are compared in constant
    time.
    """
    timestamp, signature = headers.get(_TIME, b""), headers.get(_SIGNATURE, b"")
    if not timestamp or not signature:
        return "the header x-slack-request-timestamp or x-slack-signature is missing"
    # int() accepts more than digits, such as underscores.
    if not timestamp.isdigit() or len(timestamp) > _MAX_TIME_LENGTH:
        return "the header x-slack-request-timestamp is not a number of seconds"
    digest = hmac.new(secret.encode(), b":".join((_VERSION, timestamp, body)), "sha256").hexdigest()
    if not hmac.compare_digest(signature, b"%b=%b" % (_VERSION, digest.encode())):
        return "the signature is not accepted"
    # The time is checked after the signature, because an unsigned time proves nothing.
    if abs(now // 1_000_000 - int(timestamp)) > TOLERANCE:
        return f"the request was signed more than {TOLERANCE} seconds ago, or by another clock"
    return ""
