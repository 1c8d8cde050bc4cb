"""Messages of Amazon SNS, proven before they are read: signed by SNS, and of a topic that is ours.

The text that is signed and the two versions of the signature are those of AWS' guide "Verifying the signatures of
Amazon SNS messages". Nothing is ever fetched but certificates and confirmations of our own topics, both from SNS alone.
"""

import base64
import binascii
import datetime as dt
import re
from collections.abc import Awaitable, Callable, Iterable
from typing import NamedTuple
from urllib import parse

from cryptography import exceptions, x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from router.domain import patterns
from router.sources import base, objects, times

Fetch = Callable[[str], Awaitable[bytes]]
"""Gets an address of SNS's, without following redirects; ``Unreachable`` where there is no answer to use."""

_HOST = patterns.compile(r"sns\.([a-z]{2}(?:-[a-z]+)+-\d)\.amazonaws\.com(?:\.cn)?")
_TOPIC = re.compile(r"arn:aws[a-z-]*:sns:([a-z0-9-]+):\d{12}:[A-Za-z0-9_.-]{1,256}")
_SIGNED = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
    "UnsubscribeConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
}
_HASHES: dict[str, Callable[[], hashes.HashAlgorithm]] = {
    "1": hashes.SHA1,  # noqa: S303 - what SNS signs with unless a topic is set to version 2
    "2": hashes.SHA256,
}
_MOST_CERTIFICATES = 16


class Unreachable(Exception):
    """SNS did not answer, or not with what it should: the message can be neither proven nor refused now."""


class Refused(Exception):
    """The message is not of SNS, or of no topic of ours; the text says which, and helps nobody to forge one."""


class Admitted(NamedTuple):
    """A message that is proven. ``confirmed`` names the topic whose subscription was confirmed because of it."""

    message_id: str
    confirmed: str = ""


def topic(written: str) -> str:
    """Check the ARN of a topic; ``ValueError`` where it is none."""
    if not _TOPIC.fullmatch(written):
        raise ValueError(f"{written[:80]!r} is no topic's ARN: arn:aws:sns:REGION:ACCOUNT:NAME")
    return written


class Topics:
    """Proves the messages of some topics; ``tolerance`` is how old, in microseconds, one may be.

    Certificates are fetched once and remembered.
    """

    def __init__(self, topics: Iterable[str], tolerance: int, fetch: Fetch) -> None:
        self._topics = frozenset(topics)
        self._tolerance = tolerance
        self._fetch = fetch
        self._certificates: dict[str, x509.Certificate] = {}

    async def admit(self, body: bytes, now: int) -> Admitted:
        """Prove a message, and confirm the subscription that it may ask about; ``Refused`` or ``Unreachable``."""
        try:
            message = {name: objects.scalar(value) for name, value in objects.decode(body).items()}
        except base.Unparsable as error:
            raise Refused("this is no signed message of SNS: turn raw message delivery off") from error
        kind = message.get("Type", "")
        region = self._region(kind, message)
        self._not_too_old(message.get("Timestamp", ""), now)
        certificate = await self._certificate(message.get("SigningCertURL", ""), region, now)
        _verify(certificate, message, _SIGNED[kind])
        if kind != "SubscriptionConfirmation":
            return Admitted(message.get("MessageId", ""))
        url = message.get("SubscribeURL", "")
        _of_sns(url, region, "SubscribeURL")
        await self._fetch(url)
        return Admitted(message.get("MessageId", ""), message["TopicArn"])

    def _region(self, kind: str, message: dict[str, str]) -> str:
        if kind not in _SIGNED:
            raise Refused("this is no signed message of SNS: turn raw message delivery off")
        arn = message.get("TopicArn", "")
        if arn not in self._topics:
            raise Refused("the message is of a topic that is not among this source's topics")
        return arn.split(":")[3]

    def _not_too_old(self, written: str, now: int) -> None:
        try:
            at = times.from_text(written)
        except ValueError:
            at = 0
        if not at or abs(now - at) > self._tolerance:
            raise Refused("the signed time is too far away: a replay, or a clock that is wrong")

    async def _certificate(self, url: str, region: str, now: int) -> x509.Certificate:
        path = _of_sns(url, region, "SigningCertURL")
        if not path.endswith(".pem"):
            raise Refused("SigningCertURL is no certificate of SNS's")
        found = self._certificates.get(url)
        if found is None:
            try:
                found = x509.load_pem_x509_certificate(await self._fetch(url))
            except ValueError as error:
                raise Unreachable("SNS answered with something else than its certificate") from error
            if len(self._certificates) >= _MOST_CERTIFICATES:
                self._certificates.clear()
            self._certificates[url] = found
        at = dt.datetime.fromtimestamp(now / 1_000_000, dt.UTC)
        if not found.not_valid_before_utc <= at <= found.not_valid_after_utc:
            raise Refused("the certificate that signed the message is not valid now")
        return found


def _of_sns(url: str, region: str, name: str) -> str:
    """The path of an address that is SNS's in this region and nobody else's; ``Refused`` where it is not."""
    try:
        parts = parse.urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise Refused(f"{name} is no address") from error
    host = _HOST.fullmatch(patterns.encoded(parts.netloc))
    if (
        parts.scheme != "https"
        or port is not None
        or host is None
        or host[1].decode() != region
        or not url.isprintable()
    ):
        raise Refused(f"{name} is not an address of SNS in the topic's region")
    return parts.path


def _verify(certificate: x509.Certificate, message: dict[str, str], names: tuple[str, ...]) -> None:
    algorithm = _HASHES.get(message.get("SignatureVersion", ""))
    key = certificate.public_key()
    if algorithm is None or not isinstance(key, rsa.RSAPublicKey):
        raise Refused("the signature is of a version that is not known here")
    signed = "".join(f"{name}\n{message[name]}\n" for name in names if message.get(name))
    try:
        signature = base64.b64decode(message.get("Signature", ""), validate=True)
        key.verify(signature, signed.encode(), padding.PKCS1v15(), algorithm())
    except (exceptions.InvalidSignature, binascii.Error) as error:
        raise Refused("the signature is not accepted") from error
