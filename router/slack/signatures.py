"""Verifies that Slack sent a request: an HMAC over the time and the body, with the app's signing secret."""

import hmac
from collections.abc import Mapping

TOLERANCE = 300
"""Seconds by which the signed time may differ from the router's."""
_VERSION = b"v0"
_TIME, _SIGNATURE = b"x-slack-request-timestamp", b"x-slack-signature"
_LONGEST_TIME = 12


def problem(secret: str, headers: Mapping[bytes, bytes], body: bytes, now: int) -> str:
    """Return why a request isn't authentic, without details that help a forger; empty if it is authentic.

    ``headers`` have lower-case names. ``now`` is microseconds since the epoch. Signatures are compared in constant
    time.
    """
    written, signature = headers.get(_TIME, b""), headers.get(_SIGNATURE, b"")
    if not written or not signature:
        return "there is no header x-slack-request-timestamp or x-slack-signature"
    # int() would accept more than digits, such as underscores.
    if not written.isdigit() or len(written) > _LONGEST_TIME:
        return "the time is not a number of seconds"
    digest = hmac.new(secret.encode(), b":".join((_VERSION, written, body)), "sha256").hexdigest()
    if not hmac.compare_digest(signature, b"%b=%b" % (_VERSION, digest.encode())):
        return "the signature is not accepted"
    if abs(now // 1_000_000 - int(written)) > TOLERANCE:
        return f"the request was signed more than {TOLERANCE} seconds ago, or by another clock"
    return ""
