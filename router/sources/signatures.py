"""Signatures of bodies: an HMAC-SHA256 in a header, in the formats of several monitoring systems.

The schemes are those of Grafana's webhook contact points, Sentry's integrations, PagerDuty's webhooks v3, GitHub's and
Checkly's webhooks, Splunk Observability, DevHelm, and https://www.standardwebhooks.com (and Svix).
"""

import base64
import binascii
import hmac
from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple

import pydantic

from router.domain.times import Duration, Timestamp
from router.yaml_source import quantities

Headers = Mapping[bytes, bytes]
Name = Literal["checkly", "devhelm", "github", "grafana", "pagerduty", "sentry", "splunk", "standard-webhooks", "svix"]

_SECOND = 1_000_000
_MARK = "whsec_"


class Scheme(NamedTuple):
    """The signature format of one sender.

    ``prefix`` precedes each signature, and ``separator`` separates several. ``time`` and ``id`` are headers that are
    signed before the body, joined by ``joint``. ``encoded``: the secret is base64 after ``whsec_``.
    """

    header: str
    encoding: Literal["hex", "base64"] = "hex"
    prefix: str = ""
    separator: str = ""
    time: str = ""
    id: str = ""
    joint: str = "."
    encoded: bool = False


def _standard(name: str) -> Scheme:
    return Scheme(f"{name}-signature", "base64", "v1,", " ", time=f"{name}-timestamp", id=f"{name}-id", encoded=True)


SCHEMES: Mapping[Name, Scheme] = {
    "checkly": Scheme("x-checkly-signature"),
    "devhelm": Scheme("x-devhelm-signature", time="x-devhelm-timestamp"),
    "github": Scheme("x-hub-signature-256", prefix="sha256="),
    "grafana": Scheme("x-grafana-alerting-signature", joint=":"),
    "pagerduty": Scheme("x-pagerduty-signature", prefix="v1=", separator=","),
    "sentry": Scheme("sentry-hook-signature"),
    "splunk": Scheme("x-sfx-signature", "base64"),
    "standard-webhooks": _standard("webhook"),
    "svix": _standard("svix"),
}


class Config(pydantic.BaseModel):
    """A source's ``signature``: its scheme, and secrets, several of them for rotation.

    ``header`` and ``time_header`` are for senders that let them be chosen, as Grafana does; a signed time may be
    ``tolerance`` away from ours.
    """

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    scheme: Name
    secrets: tuple[pydantic.SecretStr, ...] = pydantic.Field(min_length=1)
    header: str = ""
    time_header: str = ""
    tolerance: quantities.Duration = Duration(300 * _SECOND)

    @pydantic.model_validator(mode="after")
    def _check_secrets(self) -> "Config":
        # A secret that isn't base64 is reported with the settings, and not as a forgery of each delivery.
        for secret in self.secrets:
            _key(secret, SCHEMES[self.scheme])
        return self


class Signature:
    """Verifies the signatures of one source's bodies."""

    __slots__ = ("_encode", "_header", "_id", "_keys", "_scheme", "_time", "_tolerance")

    def __init__(self, config: Config) -> None:
        """Initialize from validated settings."""
        scheme = SCHEMES[config.scheme]
        self._scheme = scheme
        self._header = (config.header or scheme.header).lower().encode()
        self._time = (config.time_header or scheme.time).lower().encode()
        self._id = scheme.id.encode()
        self._keys = tuple(_key(secret, scheme) for secret in config.secrets)
        self._tolerance = config.tolerance
        self._encode: Callable[[bytes], bytes] = base64.b64encode if scheme.encoding == "base64" else binascii.hexlify

    def __repr__(self) -> str:
        return f"Signature({self._header.decode()}, {len(self._keys)} secrets)"

    def has_headers(self, headers: Headers) -> bool:
        """Return whether a request has every header of this scheme."""
        return all(name in headers for name in (self._header, self._id, self._time) if name)

    def problem(self, headers: Headers, body: bytes, now: Timestamp) -> str:
        """Return why the body isn't authentic, without details that help a forger; empty if it is authentic.

        Every signature is compared with that of every secret, in constant time.
        """
        header = headers.get(self._header)
        # Naming the missing header helps an operator to configure the scheme, and tells a forger nothing.
        if header is None:
            return f"the header {self._header.decode()} with the signature is missing"
        before = []
        for name in (self._id, self._time):
            if not name:
                continue
            if name not in headers:
                return f"the header {name.decode()}, which is part of the signed content, is missing"
            before.append(headers[name])
        offered = self._parse_signatures(header)
        signed = self._signed_content(before, body)
        right = False
        # Several secrets are accepted while a secret is being rotated.
        for key in self._keys:
            expected = self._encode(hmac.digest(key, signed, "sha256"))
            for candidate in offered:
                # There is no early return, because the time would reveal which secret or signature matched.
                right |= hmac.compare_digest(candidate, expected)
        if not right:
            return "the signature is not accepted"
        # Only a signed time is trustworthy.
        return self._lateness(headers[self._time], now) if self._time else ""

    def delivery_id(self, headers: Headers) -> str:
        """Return the ID that is signed with the body; empty if the scheme has none."""
        return headers.get(self._id, b"").decode("latin-1") if self._id else ""

    def sign(self, body: bytes, now: Timestamp, identity: str) -> dict[str, str]:
        """Return the sender's headers for this body at ``now``, signed with the first secret.

        ``identity`` is the delivery's ID, for schemes that sign one.
        """
        before = {self._id: identity.encode(), self._time: b"%d" % (now // _SECOND)}
        before = {name: value for name, value in before.items() if name}
        mac = self._encode(hmac.digest(self._keys[0], self._signed_content(list(before.values()), body), "sha256"))
        signed_headers = {**before, self._header: self._scheme.prefix.encode() + mac}
        return {name.decode(): value.decode() for name, value in signed_headers.items()}

    def _signed_content(self, before: list[bytes], body: bytes) -> bytes:
        # The joint is part of the signed content, so it must be exactly the sender's.
        return self._scheme.joint.encode().join([*before, body])

    def _parse_signatures(self, header: bytes) -> list[bytes]:
        scheme = self._scheme
        parts = header.split(scheme.separator.encode()) if scheme.separator else [header]
        prefix = scheme.prefix.encode()
        entries = [part.strip() for part in parts]
        # Other prefixes are those of other versions of the scheme, which this code can't verify.
        macs = [part[len(prefix) :] for part in entries if part.startswith(prefix)]
        # Senders write hex in either case. Base64 is case-sensitive.
        return [part.lower() for part in macs] if scheme.encoding == "hex" else macs

    def _lateness(self, header: bytes, now: Timestamp) -> str:
        try:
            at = int(header) * _SECOND
        except ValueError:
            return f"the header {self._time.decode()} is not a time in seconds"
        # A recorded delivery could resolve an outage that has begun since.
        if abs(now - at) > self._tolerance:
            tolerance = quantities.format_duration(self._tolerance)
            return f"the signed time is more than {tolerance} away: a replay, or a wrong clock"
        return ""


def _key(secret: pydantic.SecretStr, scheme: Scheme) -> bytes:
    text = secret.get_secret_value().strip()
    if not text:
        raise ValueError("a signature's secret is empty")
    if not scheme.encoded:
        return text.encode()
    try:
        return base64.b64decode(text.removeprefix(_MARK), validate=True)
    except binascii.Error:
        raise ValueError(f"a secret of this scheme is base64, as issued: {_MARK}…") from None
