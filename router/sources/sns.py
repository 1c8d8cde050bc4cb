"""Verification of Amazon SNS messages before they are read: signed by SNS, and from a configured topic.

The signed text and the two signature versions are those of AWS' guide "Verifying the signatures of Amazon SNS
messages". Only certificates and confirmations of configured topics are fetched, both from SNS only.
"""

import asyncio
import base64
import binascii
import datetime as dt
import re
from collections.abc import Callable, Iterable
from urllib import parse

import msgspec
from cryptography import exceptions, x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from router.domain import patterns
from router.domain.times import Timestamp
from router.sources import fetch_limits, objects, times, verifications

_HOST = patterns.compile(r"sns\.([a-z]{2}(?:-[a-z]+)+-\d)\.amazonaws\.com(?:\.cn)?")
_TOPIC = re.compile(r"arn:aws[a-z-]*:sns:([a-z0-9-]+):\d{12}:[A-Za-z0-9_.-]{1,256}")
# SNS signs these fields in this order, and leaves out those that a message doesn't have.
_SIGNED = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
    "UnsubscribeConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
}
_HASHES: dict[str, Callable[[], hashes.HashAlgorithm]] = {
    "1": hashes.SHA1,  # noqa: S303 - what SNS signs with unless a topic is set to version 2
    "2": hashes.SHA256,
}
_MAX_CERTIFICATES = 16
_MAX_BYTES = 2 * 1024 * 1024  # SNS' own limit is 256 KiB, before the message is escaped as JSON.
_CERTIFICATE_PATH = patterns.compile(r"/[A-Za-z0-9_-]{1,128}\.pem")  # As in SimpleNotificationService-….pem.

# Only these fields are decoded: the message isn't verified yet.
_FIELDS = sorted(
    {name for names in _SIGNED.values() for name in names} | {"SignatureVersion", "Signature", "SigningCertURL"}
)
_Message = msgspec.defstruct("_Message", [(name, str | int | float | None, None) for name in _FIELDS])
_decode = msgspec.json.Decoder(_Message).decode


def topic(arn: str) -> str:
    """Return the ARN of a topic. Raises ``ValueError`` if it isn't one."""
    if not _TOPIC.fullmatch(arn):
        raise ValueError(f"{arn[:80]!r} is not the ARN of a topic: arn:aws:sns:REGION:ACCOUNT:NAME")
    return arn


class Topics:
    """Verifies the messages of some topics. ``tolerance`` is the largest age of a message in microseconds.

    Certificates are fetched once, and kept after they have verified a message. Unauthenticated senders can name new
    certificates, so each is fetched once for all messages that name it, within ``fetch_limits``.
    """

    description = "SNS's signature, for the configured topics"

    def __init__(self, topics: Iterable[str], tolerance: int, fetch: verifications.Fetch) -> None:
        self._topics = frozenset(topics)
        self._tolerance = tolerance
        self._fetch = fetch
        self._certificates: dict[str, x509.Certificate] = {}
        self._fetching: dict[str, asyncio.Task[bytes]] = {}
        self._limits = fetch_limits.FetchLimits()

    async def verify(self, body: bytes, now: Timestamp, client: str = "") -> verifications.Verified:
        """Verify a message, and confirm the subscription if the message asks for it.

        Raises ``verifications.RejectedError`` or ``verifications.UnavailableError``.
        """
        message = _fields(body)
        kind = message.get("Type", "")
        # All checks that need no network come first: anyone can send a message.
        region = self._region(kind, message)
        self._check_age(message.get("Timestamp", ""), now)
        certificate_url = message.get("SigningCertURL", "")
        _check_certificate_url(certificate_url, region)
        certificate = await self._certificate(certificate_url, now, client)
        _verify(certificate, message, _SIGNED[kind])
        # Only a certificate that has verified a message is kept, so that forgers can't fill the cache.
        self._remember(certificate_url, certificate)
        self._limits.remember(client)
        # The other kinds need no response to SNS.
        if kind != "SubscriptionConfirmation":
            return verifications.Verified(message.get("MessageId", ""))
        url = message.get("SubscribeURL", "")
        # The message is authentic, but the router still calls no host other than SNS's.
        _check_sns_url(url, region, "SubscribeURL")
        await self._fetch(url)
        return verifications.Verified(message.get("MessageId", ""), message["TopicArn"])

    def _region(self, kind: str, message: dict[str, str]) -> str:
        if kind not in _SIGNED:
            raise verifications.RejectedError("this is not a signed SNS message: turn off raw message delivery")
        arn = message.get("TopicArn", "")
        # SNS signs the messages of every customer, so the signature alone doesn't prove that the message is ours.
        if arn not in self._topics:
            raise verifications.RejectedError("the message's topic is not among this source's topics")
        # The region limits which hosts may serve the certificate.
        return arn.split(":")[3]

    def _check_age(self, timestamp: str, now: Timestamp) -> None:
        try:
            at = times.from_text(timestamp)
        except ValueError:
            at = Timestamp(0)
        # A recorded message could resolve an outage that has begun since.
        if not at or abs(now - at) > self._tolerance:
            raise verifications.RejectedError("the signed time is too far away: a replay, or a wrong clock")

    async def _certificate(self, url: str, now: Timestamp, client: str) -> x509.Certificate:
        certificate = self._certificates.get(url)
        if certificate is None:
            try:
                certificate = x509.load_pem_x509_certificate(await self._fetch_once(url, now, client))
            except ValueError as error:
                # The message may be authentic, so it isn't rejected, and SNS retries it.
                raise verifications.UnavailableError("SNS did not return its certificate") from error
        at = dt.datetime.fromtimestamp(now / 1_000_000, dt.UTC)
        # A cached certificate may have expired since it was fetched.
        if not certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc:
            raise verifications.RejectedError("the certificate that signed the message is not valid now")
        return certificate

    def _remember(self, url: str, certificate: x509.Certificate) -> None:
        # SNS uses few certificates, so clearing all of them is rare.
        if url not in self._certificates and len(self._certificates) >= _MAX_CERTIFICATES:
            self._certificates.clear()
        self._certificates[url] = certificate

    async def _fetch_once(self, url: str, now: Timestamp, client: str) -> bytes:
        """Fetch a certificate, once for all messages that wait for it. Raises ``UnavailableError`` above the limit."""
        task = self._fetching.get(url)
        if task is None:
            if not self._limits.take(client, now):
                raise verifications.UnavailableError("too many certificates were requested")
            self._fetching[url] = task = asyncio.ensure_future(self._fetch(url))
            task.add_done_callback(lambda _: self._fetching.pop(url, None))
        # A sender that disconnects must not cancel the fetch for the other messages.
        return await asyncio.shield(task)


def _fields(body: bytes) -> dict[str, str]:
    try:
        read = _decode(body if len(body) <= _MAX_BYTES else b"")
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise verifications.RejectedError("this is not a signed SNS message: turn off raw message delivery") from error
    fields = ((name, getattr(read, name)) for name in _FIELDS)
    return {name: objects.scalar(value) for name, value in fields if value is not None}


def _check_certificate_url(url: str, region: str) -> None:
    """Check that a URL is one of SNS's certificates in this region, in its only spelling. Raises ``RejectedError``."""
    parts = _check_sns_url(url, region, "SigningCertURL")
    # A query or another spelling of the path would let a sender name one certificate in many ways.
    path = _CERTIFICATE_PATH.fullmatch(patterns.encode(parts.path))
    if path is None or url != f"https://{parts.netloc}{parts.path}":
        raise verifications.RejectedError("SigningCertURL is not the URL of an SNS certificate")


def _check_sns_url(url: str, region: str, name: str) -> parse.SplitResult:
    """Return the parts of a URL that belongs to SNS in this region. Raises ``RejectedError`` for any other URL."""
    try:
        parts = parse.urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise verifications.RejectedError(f"{name} is not a URL") from error
    host = _HOST.fullmatch(patterns.encode(parts.netloc))
    if (
        parts.scheme != "https"
        or port is not None
        or host is None
        or host[1].decode() != region
        or not url.isprintable()
    ):
        raise verifications.RejectedError(f"{name} is not a URL of SNS in the topic's region")
    return parts


def _verify(certificate: x509.Certificate, message: dict[str, str], names: tuple[str, ...]) -> None:
    algorithm = _HASHES.get(message.get("SignatureVersion", ""))
    key = certificate.public_key()
    if algorithm is None or not isinstance(key, rsa.RSAPublicKey):
        raise verifications.RejectedError("the signature has an unknown version")
    signed = "".join(f"{name}\n{message[name]}\n" for name in names if message.get(name))
    try:
        signature = base64.b64decode(message.get("Signature", ""), validate=True)
        key.verify(signature, signed.encode(), padding.PKCS1v15(), algorithm())
    except (exceptions.InvalidSignature, binascii.Error) as error:
        raise verifications.RejectedError("the signature is not accepted") from error
