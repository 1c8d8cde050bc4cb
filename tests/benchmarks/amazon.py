"""Amazon SNS for benchmarks: messages signed with a generated certificate, without network access."""

import base64
import datetime as dt
import json

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

CERTIFICATE_URL = "https://sns.eu-north-1.amazonaws.com/SimpleNotificationService-0123.pem"
FIELDS = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _certified():
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(KEY.public_key()).serial_number(1)
    made = made.not_valid_before(dt.datetime(2020, 1, 1, tzinfo=dt.UTC))
    made = made.not_valid_after(dt.datetime(2100, 1, 1, tzinfo=dt.UTC))
    return made.sign(KEY, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


CERTIFICATE = _certified()


def sign(body):
    """Sign a message like SNS, with signature version 2."""
    told = json.loads(body) | {"SignatureVersion": "2", "SigningCertURL": CERTIFICATE_URL}
    text = "".join(f"{name}\n{told[name]}\n" for name in FIELDS if name in told)
    signature = KEY.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())
    return json.dumps(told | {"Signature": base64.b64encode(signature).decode()}).encode()


async def fetch(_url):
    """Return the certificate."""
    return CERTIFICATE


def run_at_once(coroutine):
    """Run a coroutine that never waits, without an event loop."""
    try:
        coroutine.send(None)
    except StopIteration:
        return
    raise SystemExit("it waits for something")
