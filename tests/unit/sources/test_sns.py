"""SNS messages with a generated certificate: authentication, refusals, and fetched URLs."""

import asyncio
import base64
import datetime as dt
import ipaddress
import json

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

from router.sources import registry, sns, verifications
from router.web import client_addresses
from router.yaml_source import quantities
from tests.unit.web import asgi_client

REGION = "eu-north-1"
TOPIC = f"arn:aws:sns:{REGION}:111122223333:alarms"
CERTIFICATE_URL = f"https://sns.{REGION}.amazonaws.com/SimpleNotificationService-0123.pem"
SUBSCRIBE_URL = f"https://sns.{REGION}.amazonaws.com/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token=abc"
NOW = asgi_client.NOW
SENT_AT = "2026-03-02T11:10:00.000Z"  # A few minutes from NOW, within the hour.
ALARM = {
    "AlarmName": "Freezer is warm",
    "NewStateValue": "ALARM",
    "AlarmArn": f"arn:aws:cloudwatch:{REGION}:111122223333:alarm:Freezer is warm",
    "StateChangeTime": "2026-03-02T11:09:00.000+0000",
}


def make_certificate(key: rsa.RSAPrivateKey, until: str = "2030-01-01") -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(dt.datetime(2020, 1, 1, tzinfo=dt.UTC))
        .not_valid_after(dt.datetime.fromisoformat(until).replace(tzinfo=dt.UTC))
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM)


KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
CERTIFICATE = make_certificate(KEY)
FIELDS = {
    "Notification": ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"],
    "SubscriptionConfirmation": ["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"],
}


def message(version: str = "2", key: rsa.RSAPrivateKey = KEY, **changes: str) -> dict[str, str]:
    told = {
        "Type": "Notification",
        "MessageId": "m-1",
        "TopicArn": TOPIC,
        "Message": json.dumps(ALARM),
        "Timestamp": SENT_AT,
        "SignatureVersion": version,
        "SigningCertURL": CERTIFICATE_URL,
        **changes,
    }
    text = "".join(f"{name}\n{told[name]}\n" for name in FIELDS[told["Type"]] if name in told)
    algorithm = hashes.SHA256() if version == "2" else hashes.SHA1()
    signature = key.sign(text.encode(), padding.PKCS1v15(), algorithm)
    return {**told, "Signature": base64.b64encode(signature).decode()}


SUBSCRIPTION = {"Type": "SubscriptionConfirmation", "Token": "abc", "SubscribeURL": SUBSCRIBE_URL, "Message": "You may"}


class StubAmazon:
    """Record the fetched URLs."""

    def __init__(self, certificate: bytes = CERTIFICATE) -> None:
        self.asked: list[str] = []
        self.certificate = certificate
        self.failing = False

    async def fetch(self, url: str) -> bytes:
        self.asked.append(url)
        if self.failing:
            raise verifications.UnavailableError("there was no answer")
        return self.certificate if url.endswith(".pem") else b"<ConfirmSubscriptionResponse/>"


def admit(told: dict[str, str], amazon: StubAmazon | None = None, now: int = NOW) -> verifications.Verified:
    topics = sns.Topics([TOPIC], quantities.duration("23h"), (amazon or StubAmazon()).fetch)
    return asyncio.run(topics.verify(json.dumps(told).encode(), now))


@pytest.mark.parametrize("version", ["1", "2"])
def test_both_signature_versions_are_verified(version):
    assert admit(message(version)) == verifications.Verified("m-1")
    assert admit(message(version, Subject="ALARM: it is warm")) == verifications.Verified("m-1")


@pytest.mark.parametrize("field", ["Message", "MessageId", "Timestamp", "Subject"])
def test_no_signed_field_can_be_changed(field):
    told = message(Subject="s")
    told[field] = {"Timestamp": "2026-03-02T11:10:01.000Z"}.get(field, told[field] + " ")
    with pytest.raises(verifications.RejectedError, match="the signature is not accepted"):
        admit(told)


def test_other_keys_versions_and_malformed_signatures_are_refused():
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    for told in (
        message(key=stranger),
        {**message("1"), "SignatureVersion": "2"},
        {**message(), "Signature": "!"},
        {**message(), "SignatureVersion": "3"},
    ):
        with pytest.raises(verifications.RejectedError):
            admit(told)


@pytest.mark.parametrize(
    "url",
    [
        "https://sns.eu-north-1.amazonaws.com.evil.example/x.pem",
        "https://evil.example/sns.eu-north-1.amazonaws.com/x.pem",
        "http://sns.eu-north-1.amazonaws.com/x.pem",
        "https://sns.eu-north-1.amazonaws.com:8443/x.pem",
        "https://user@sns.eu-north-1.amazonaws.com/x.pem",
        "https://sns.us-east-1.amazonaws.com/x.pem",
        "https://bucket.s3.eu-north-1.amazonaws.com/x.pem",
        "https://sns.eu-north-1.amazonaws.com@evil.example/x.pem",
        "https://sns.eu-north-1.amazonaws.com/x.txt",
        "https://[::1/x.pem",
        "file:///etc/passwd.pem",
        "",
    ],
)
def test_certificate_is_fetched_only_from_sns_addresses(url):
    amazon = StubAmazon()
    with pytest.raises(verifications.RejectedError):
        admit({**message(), "SigningCertURL": url}, amazon)
    assert amazon.asked == []


@pytest.mark.parametrize(
    "told",
    [
        {**message(), "TopicArn": TOPIC + "2"},
        {**message(), "Type": "Other"},
        {"AlarmName": "bare", "NewStateValue": "ALARM"},
        {**message(), "Timestamp": "yesterday"},
        {**message(), "Timestamp": ""},
    ],
)
def test_foreign_topic_is_refused_before_any_fetch(told):
    amazon = StubAmazon()
    with pytest.raises(verifications.RejectedError):
        admit(told, amazon)
    assert amazon.asked == []


def test_old_replayed_message_is_refused():
    admit(message(), now=NOW + quantities.duration("20h"))
    with pytest.raises(verifications.RejectedError, match="too far away"):
        admit(message(), now=NOW + quantities.duration("25h"))


def test_expired_certificate_is_refused():
    with pytest.raises(verifications.RejectedError, match="not valid now"):
        admit(message(), StubAmazon(make_certificate(KEY, "2026-01-01")))


def test_invalid_certificate_is_fetched_again_later():
    amazon = StubAmazon(b"<html>")
    with pytest.raises(verifications.UnavailableError):
        admit(message(), amazon)


def test_certificate_is_fetched_once():
    amazon = StubAmazon()
    topics = sns.Topics([TOPIC], quantities.duration("23h"), amazon.fetch)

    async def twice() -> None:
        for _ in range(2):
            await topics.verify(json.dumps(message()).encode(), NOW)

    asyncio.run(twice())
    assert amazon.asked == [CERTIFICATE_URL]


def test_subscription_is_confirmed_only_at_sns():
    amazon = StubAmazon()
    assert admit(message(**SUBSCRIPTION), amazon) == verifications.Verified("m-1", TOPIC)
    assert amazon.asked == [CERTIFICATE_URL, SUBSCRIBE_URL]
    elsewhere = StubAmazon()
    with pytest.raises(verifications.RejectedError):
        admit(message(**{**SUBSCRIPTION, "SubscribeURL": "https://evil.example/?Action=x"}), elsewhere)
    assert elsewhere.asked == [CERTIFICATE_URL]


def post(amazon: StubAmazon, body: bytes, store: asgi_client.Recording, **more: object) -> asgi_client.Answer:
    config = registry.KINDS["cloudwatch"].config(topics=[TOPIC])
    web_server = asgi_client.web_server(store, endpoints={"aws": registry.build("aws", config, amazon.fetch)}, **more)
    answer = asgi_client.send(web_server, "/v1/webhooks/aws", chunks=(body,), headers=())
    assert answer is not None
    return answer


def test_signed_alarm_is_accepted_and_forged_one_refused():
    store = asgi_client.Recording()
    assert post(StubAmazon(), json.dumps(message()).encode(), store).status == 202
    assert store.accepted[0][0].rows[0].alert.title == "Freezer is warm"
    forged = asgi_client.Recording()
    assert post(StubAmazon(), json.dumps({**message(), "Message": "{}"}).encode(), forged).status == 403
    assert (forged.accepted, forged.kept) == ([], [])


def test_confirmation_is_reported_and_unreachable_sns_is_503():
    store = asgi_client.Recording()
    answer = post(StubAmazon(), json.dumps(message(**SUBSCRIPTION)).encode(), store)
    assert (answer.status, answer.json["about"]["topic"]) == (202, TOPIC)
    away = StubAmazon()
    away.failing = True
    answer = post(away, json.dumps(message()).encode(), store)
    assert (answer.status, b"retry-after" in answer.headers, store.kept) == (503, True, [])


def test_invalid_topic_is_refused_in_settings():
    with pytest.raises(ValueError, match="is not the ARN of a topic"):
        registry.KINDS["cloudwatch"].config(topics=["alarms"])


def make_topics(amazon: StubAmazon) -> sns.Topics:
    return sns.Topics([TOPIC], quantities.duration("23h"), amazon.fetch)


def other(number: int) -> dict[str, str]:
    return {**message(), "SigningCertURL": CERTIFICATE_URL.replace("0123", f"{number:04}")}


def test_certificate_is_fetched_once_for_waiting_messages():
    amazon = StubAmazon()

    async def main() -> None:
        topics = make_topics(amazon)
        await asyncio.gather(*(topics.verify(json.dumps(message()).encode(), NOW) for _ in range(50)))
        assert amazon.asked == [CERTIFICATE_URL]

    asyncio.run(main())


def test_certificate_fetches_are_limited_for_each_network():
    """A sender that knows a topic's name can name new certificates. Each fetch costs a TLS connection."""
    amazon = StubAmazon()

    async def main() -> None:
        topics = make_topics(amazon)
        await topics.verify(json.dumps(message()).encode(), NOW)
        assert await flood(topics, ["203.0.113.7", "203.0.113.8"], 100) == 94
        assert len(amazon.asked) == 7
        assert (await topics.verify(json.dumps(message()).encode(), NOW)).delivery_id == "m-1"
        later = NOW + 1_000_000
        assert (await topics.verify(json.dumps(other(400)).encode(), later, "203.0.113.7")).delivery_id == "m-1"

    asyncio.run(main())


def test_flood_does_not_block_certificates_for_other_networks():
    async def main() -> None:
        topics = make_topics(StubAmazon())
        assert await flood(topics, ["203.0.113.7"], 100) > 90
        assert (await topics.verify(json.dumps(message()).encode(), NOW, "54.239.98.1")).delivery_id == "m-1"

    asyncio.run(main())


def test_flood_does_not_block_certificates_for_known_senders():
    """SNS changes its certificate about once a year. Before that, its network has sent authentic messages."""

    async def main() -> None:
        topics = make_topics(StubAmazon())
        await topics.verify(json.dumps(message()).encode(), NOW, "54.239.98.1")
        assert await flood(topics, [f"203.{number}.113.7" for number in range(250)], 1000) > 900
        with pytest.raises(verifications.UnavailableError):
            await topics.verify(json.dumps(other(400)).encode(), NOW, "198.51.100.1")
        assert (await topics.verify(json.dumps(other(401)).encode(), NOW, "54.239.98.200")).delivery_id == "m-1"

    asyncio.run(main())


async def flood(topics: sns.Topics, clients: list[str], count: int) -> int:
    """Send forged messages that name new certificates. Return the number whose certificates weren't fetched."""
    refused = 0
    for number in range(count):
        url = CERTIFICATE_URL.replace("0123", f"f{number:04}")
        forged = json.dumps({**message(), "Message": "forged", "SigningCertURL": url}).encode()
        try:
            await topics.verify(forged, NOW, clients[number % len(clients)])
        except verifications.UnavailableError:
            refused += 1
        except verifications.RejectedError:
            pass
    return refused


@pytest.mark.parametrize("more", ["?x=1", "#x", "?", "/../x.pem", "%2e.pem", "x" * 300 + ".pem", ";x.pem"])
def test_certificate_url_with_additional_parts_is_refused(more):
    amazon = StubAmazon()
    with pytest.raises(verifications.RejectedError):
        admit({**message(), "SigningCertURL": CERTIFICATE_URL + more}, amazon)
    assert amazon.asked == []


def test_fetch_limits_use_the_forwarded_client_address():
    amazon = StubAmazon()
    config = registry.KINDS["cloudwatch"].config(topics=[TOPIC])
    known = client_addresses.ClientAddresses([ipaddress.ip_network("10.0.0.0/8")])
    web_server = asgi_client.web_server(
        asgi_client.Recording(), endpoints={"aws": registry.build("aws", config, amazon.fetch)}, addresses=known
    )

    def ask(number: int, sender: str) -> int:
        body = json.dumps(other(number)).encode()
        headers = [(b"x-forwarded-for", sender.encode())]
        answer = asgi_client.send(
            web_server, "/v1/webhooks/aws", chunks=(body,), headers=headers, client=("10.1.2.3", 5)
        )
        assert answer is not None
        return answer.status

    assert [ask(number, "203.0.113.7") for number in range(8)] == [202] * 6 + [503] * 2
    assert ask(9, "54.239.98.1") == 202


def test_certificate_of_a_forged_message_is_not_cached():
    amazon = StubAmazon()

    async def main() -> None:
        topics = make_topics(amazon)
        for _ in range(2):
            with pytest.raises(verifications.RejectedError, match="the signature is not accepted"):
                await topics.verify(json.dumps({**message(), "Message": "forged"}).encode(), NOW)
        assert amazon.asked == [CERTIFICATE_URL] * 2

    asyncio.run(main())


@pytest.mark.parametrize(
    "body",
    [b'{"Type":' + b"[" * 500_000, b'{"Type":"Notification","x":"' + b" " * 3_000_000 + b'"}', b"", b"\xff", b"[]"],
)
def test_malformed_or_oversize_body_is_refused(body):
    with pytest.raises(verifications.RejectedError):
        asyncio.run(make_topics(StubAmazon()).verify(body, NOW))
