"""Correct, wrong, missing, old, and rotated signatures of every scheme. Each byte of a body counts."""

import base64
import hashlib
import hmac
from datetime import UTC, datetime

import pydantic
import pytest
import standardwebhooks

from router.sources import signatures

SECRET = "a secret that nobody guesses"
ENCODED = "whsec_" + base64.b64encode(SECRET.encode()).decode()
BODY = '{"status": "firing", "title": "Zürich 5xx"}'.encode()
NOW = 1_893_456_000_000_000
SECONDS = str(NOW // 1_000_000)


def digest(signed: bytes, secret: str = SECRET) -> bytes:
    return hmac.new(secret.encode(), signed, hashlib.sha256).digest()


def make_signer(header, written=lambda mac: mac.hex()):
    return lambda body, secret=SECRET: {header: written(digest(body, secret))}


def standard(name):
    def sign(body, secret=SECRET):
        mac = digest(f"msg_1.{SECONDS}.".encode() + body, secret)
        return {
            f"{name}-id": "msg_1",
            f"{name}-timestamp": SECONDS,
            f"{name}-signature": "v1," + base64.b64encode(mac).decode(),
        }

    return sign


def devhelm(body, secret=SECRET):
    mac = digest(f"{SECONDS}.".encode() + body, secret)
    return {"x-devhelm-timestamp": SECONDS, "x-devhelm-signature": mac.hex()}


SIGN = {
    "checkly": make_signer("x-checkly-signature"),
    "devhelm": devhelm,
    "github": make_signer("x-hub-signature-256", lambda mac: "sha256=" + mac.hex()),
    "grafana": make_signer("x-grafana-alerting-signature"),
    "pagerduty": make_signer("x-pagerduty-signature", lambda mac: "v1=" + mac.hex()),
    "sentry": make_signer("sentry-hook-signature"),
    "splunk": make_signer("x-sfx-signature", lambda mac: base64.b64encode(mac).decode()),
    "standard-webhooks": standard("webhook"),
    "svix": standard("svix"),
}
ENCODING = {"standard-webhooks", "svix"}
TIMED = {"devhelm", "standard-webhooks", "svix"}


def make_scheme(scheme, *secrets, **more):
    given = secrets or (SECRET,)
    if scheme in ENCODING:
        given = tuple("whsec_" + base64.b64encode(secret.encode()).decode() for secret in given)
    return signatures.Signature(signatures.Config(scheme=scheme, secrets=given, **more))


def headers(written):
    return {name.encode(): value.encode() for name, value in written.items()}


def test_every_scheme_is_tested():
    assert SIGN.keys() == signatures.SCHEMES.keys()


@pytest.mark.parametrize("scheme", SIGN)
def test_valid_signature_is_accepted_and_changed_bytes_not(scheme):
    signature = make_scheme(scheme)
    signed = headers(SIGN[scheme](BODY))
    assert signature.problem(signed, BODY, NOW) == ""
    for position in range(len(BODY)):
        changed = BODY[:position] + bytes([BODY[position] ^ 1]) + BODY[position + 1 :]
        assert signature.problem(signed, changed, NOW) == "the signature is not accepted"
    assert signature.problem(signed, BODY + b" ", NOW)


@pytest.mark.parametrize("scheme", SIGN)
def test_unknown_secret_is_refused_and_rotated_accepted(scheme):
    other = headers(SIGN[scheme](BODY, "another secret"))
    assert make_scheme(scheme).problem(other, BODY, NOW) == "the signature is not accepted"
    assert make_scheme(scheme, SECRET, "another secret").problem(other, BODY, NOW) == ""
    assert make_scheme(scheme, "another secret", SECRET).problem(headers(SIGN[scheme](BODY)), BODY, NOW) == ""


@pytest.mark.parametrize("scheme", SIGN)
def test_incomplete_headers_are_refused_without_errors(scheme):
    signature = make_scheme(scheme)
    whole = SIGN[scheme](BODY)
    for name in whole:
        left = {key: value for key, value in whole.items() if key != name}
        assert "is missing" in signature.problem(headers(left), BODY, NOW)
        for odd in ("", " ", "v1=", "sha256=", "v1,", "\xff", "0" * 64, whole[name][:-1]):
            assert signature.problem(headers({**whole, name: odd}), BODY, NOW)


@pytest.mark.parametrize("scheme", sorted(TIMED))
def test_signed_time_outside_the_tolerance_is_a_replay(scheme):
    signed = headers(SIGN[scheme](BODY))
    for seconds, accepted in ((0, True), (300, True), (-300, True), (301, False), (-301, False)):
        said = make_scheme(scheme).problem(signed, BODY, NOW + seconds * 1_000_000)
        assert (said == "") is accepted
        assert accepted or "a replay, or a wrong clock" in said
    assert make_scheme(scheme, tolerance="10m").problem(signed, BODY, NOW + 599 * 1_000_000) == ""


def test_grafana_signs_time_if_its_header_is_set():
    mac = digest(f"{SECONDS}:".encode() + BODY).hex()
    signed = headers({"x-time": SECONDS, "x-mine": mac})
    signature = make_scheme("grafana", header="X-Mine", time_header="X-Time")
    assert signature.problem(signed, BODY, NOW) == ""
    assert "a replay" in signature.problem(signed, BODY, NOW + 10**9)
    assert signature.problem(headers({"x-mine": digest(BODY).hex()}), BODY, NOW)


def test_pagerduty_may_send_several_signatures():
    right = digest(BODY).hex()
    for written in (f"v1={'0' * 64},v1={right}", f"v1={right}, v1={'0' * 64}", f"v0=x,v1={right.upper()}"):
        assert make_scheme("pagerduty").problem(headers({"x-pagerduty-signature": written}), BODY, NOW) == ""
    assert make_scheme("pagerduty").problem(headers({"x-pagerduty-signature": f"v2={right}"}), BODY, NOW)


def test_signatures_of_the_reference_library_are_accepted():
    at = datetime.fromtimestamp(NOW / 1_000_000, UTC)
    written = standardwebhooks.Webhook(ENCODED).sign("msg_7", at, BODY.decode())
    sent = {"webhook-id": "msg_7", "webhook-timestamp": SECONDS, "webhook-signature": f"v1a,xx {written}"}
    assert make_scheme("standard-webhooks").problem(headers(sent), BODY, NOW) == ""


@pytest.mark.parametrize(
    "wrong",
    [
        {"scheme": "github", "secrets": []},
        {"scheme": "github", "secrets": [" "]},
        {"scheme": "svix", "secrets": ["not base64!"]},
        {"scheme": "gitub", "secrets": ["x"]},
        {"scheme": "github", "secrets": ["x"], "headr": "x"},
    ],
)
def test_invalid_settings_are_refused_without_the_secret(wrong):
    with pytest.raises(pydantic.ValidationError) as refused:
        signatures.Config.model_validate(wrong)
    assert "not base64!" not in str(refused.value)


def test_repr_contains_no_secret():
    assert repr(make_scheme("github", "hunter2")) == "Signature(x-hub-signature-256, 1 secrets)"


def test_every_secret_is_compared_even_after_a_match(monkeypatch):
    compared = []
    real = hmac.compare_digest
    monkeypatch.setattr(
        signatures.hmac, "compare_digest", lambda one, other: compared.append(other) or real(one, other)
    )
    assert make_scheme("github", SECRET, "second", "third").problem(headers(SIGN["github"](BODY)), BODY, NOW) == ""
    assert len(compared) == 3
