"""An outgoing webhook: each event is one POST with a CloudEvents body and a Standard Webhooks signature.

See https://www.standardwebhooks.com and https://github.com/cloudevents/spec. A retry repeats the ID and the body, and
has a new timestamp and signature, so that a receiver can drop repeated and replayed requests.
"""

import base64
import binascii
import hashlib
import hmac
import urllib.parse
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec
import pydantic

from router.domain import events
from router.notifiers import base
from router.outbound import client

CONTENT_TYPE = "application/cloudevents+json; charset=utf-8"
TYPE_PREFIX = "incident-router."
_MARK = "whsec_"
_MIN_SECRET_BYTES, _MAX_SECRET_BYTES = 24, 64  # As Standard Webhooks asks for.


def _key(secret: str) -> bytes:
    """Return the signing key of a secret; ``ValueError`` if it has another form."""
    encoded = secret.removeprefix(_MARK)
    try:
        key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except binascii.Error as error:
        raise ValueError(f"a secret has the form {_MARK} and base64") from error
    if not _MIN_SECRET_BYTES <= len(key) <= _MAX_SECRET_BYTES:
        raise ValueError(f"a secret has {_MIN_SECRET_BYTES} to {_MAX_SECRET_BYTES} bytes, this one has {len(key)}")
    return key


class Config(base.Config):
    """A URL that receives every event as one request."""

    kind: Literal["webhook"] = "webhook"
    url: pydantic.SecretStr
    secrets: tuple[pydantic.SecretStr, ...] = pydantic.Field(min_length=1)
    headers: dict[str, pydantic.SecretStr] = pydantic.Field(default_factory=dict)

    @pydantic.field_validator("url")
    @classmethod
    def _check_url(cls, url: pydantic.SecretStr) -> pydantic.SecretStr:
        base.url(url.get_secret_value())
        return url

    @pydantic.field_validator("secrets")
    @classmethod
    def _check_secrets(cls, secrets: tuple[pydantic.SecretStr, ...]) -> tuple[pydantic.SecretStr, ...]:
        for secret in secrets:
            _key(secret.get_secret_value())
        return secrets


class Webhook:
    """Posts events to one URL."""

    def __init__(self, name: str, config: Config, connection: base.NotifierConnection) -> None:
        """Open no connection yet."""
        url = urllib.parse.urlsplit(config.url.get_secret_value())
        self._path = (url.path or "/") + (f"?{url.query}" if url.query else "")
        self._keys = [_key(secret.get_secret_value()) for secret in config.secrets]
        self._headers = {key: value.get_secret_value() for key, value in config.headers.items()}
        self._clock = connection.clock
        self._source = source(connection.installation)
        # Receivers often have a token in the path or the query. A path of "/" alone would mask every slash.
        masked = [*self._headers.values(), self._path if len(self._path) > 1 else ""]
        self._client = client.Client(
            name=name,
            base_url=f"{url.scheme}://{url.netloc}",
            headers={},
            timeout_seconds=config.timeout_seconds,
            now=connection.clock,
            secrets=masked,
        )
        self._client.quota = connection.quota

    async def deliver(self, batch: base.Batch) -> base.Delivered:
        """Post the first event of the batch."""
        # One event is one request, so a failure repeats only that event.
        event = batch.events[0]
        body = msgspec.json.encode(cloud_event(event, self._source))
        headers = {
            **self._headers,
            "content-type": CONTENT_TYPE,
            # The signature comes last, so that a configured header can't replace it.
            **sign(event.id, self._clock() // 1_000_000, body, self._keys),
        }
        content = client.RawBody(body, headers, is_answer_ignored=True)
        await self._client.call("POST", self._path, content=content)
        return base.Delivered(event.sequence, batch.state)

    async def aclose(self) -> None:
        """Close the connections to the receiver."""
        await self._client.aclose()


def source(installation: str) -> str:
    """Return the CloudEvents source of an installation."""
    return "/incident-router" + (f"/{urllib.parse.quote(installation, safe='')}" if installation else "")


def cloud_event(event: events.Recorded, source: str) -> dict[str, Any]:
    """Return an event in the JSON format of CloudEvents 1.0.

    The extension ``sequence`` orders the events of a subject: its text sorts as its number does.
    """
    event_fields = {
        "specversion": "1.0",
        "id": event.id,
        "source": source,
        "type": TYPE_PREFIX + event.type,
        "time": event.time,
        "datacontenttype": "application/json",
        "sequence": f"{event.sequence:010d}",
        "data": event.event,
    }
    return {**event_fields, "subject": event.subject} if event.subject else event_fields


def sign(message_id: str, timestamp: int, body: bytes, keys: Sequence[bytes]) -> Mapping[str, str]:
    """Return the headers of Standard Webhooks, with one signature for each key; ``timestamp`` is in seconds."""
    content = f"{message_id}.{timestamp}.".encode() + body
    signatures = [base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode() for key in keys]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }


KIND = base.Kind(
    name="webhook",
    config=Config,
    make=Webhook,
    summary="every event as one signed request, for your own programs",
)
