"""A sign-in provider is configured completely or not at all, and never without encryption."""

import pytest

from router import configuration

GOOD = {
    "issuer": "https://id.example.com",
    "client_id": "console",
    "client_secret": "{env: OIDC_SECRET}",
    "admins": "[platform]",
}


def load(tmp_path, **changed):
    lines = "".join(f"    {name}: {value}\n" for name, value in {**GOOD, **changed}.items() if value)
    file = tmp_path / "router.yaml"
    file.write_text(f"management:\n  public_url: https://console.example.com\n  oidc:\n{lines}")
    return configuration.load(file, {"OIDC_SECRET": "very-secret", "EMPTY": ""})


def expect_refusal(tmp_path, **changed) -> str:
    with pytest.raises(configuration.InvalidConfiguration) as error:
        load(tmp_path, **changed)
    return "\n".join(f"{problem.line}: {problem.message}" for problem in error.value.problems)


def test_provider_needs_only_client_and_one_group(tmp_path):
    oidc = load(tmp_path).management.oidc
    assert (oidc.groups_claim, oidc.scopes, oidc.viewers) == ("groups", ("openid", "email", "profile"), ())


def test_repr_of_settings_contains_no_secret(tmp_path):
    assert "very-secret" not in repr(load(tmp_path))


@pytest.mark.parametrize("issuer", ["http://localhost:9400", "http://127.0.0.1:9400/realm", "http://[::1]:9400"])
def test_local_provider_may_omit_tls(tmp_path, issuer):
    assert load(tmp_path, issuer=issuer).management.oidc.issuer == issuer


@pytest.mark.parametrize(
    "issuer", ["http://id.example.com", "http://localhost.example.com", "http://localhost@id.example.com", "http://"]
)
def test_remote_provider_requires_https(tmp_path, issuer):
    assert "must start with https://" in expect_refusal(tmp_path, issuer=issuer)


def test_provider_without_groups_is_an_error(tmp_path):
    assert "at least one group in viewers, responders, or admins" in expect_refusal(tmp_path, admins="")


def test_scopes_must_contain_openid(tmp_path):
    assert 'must contain "openid"' in expect_refusal(tmp_path, scopes="[email]")


@pytest.mark.parametrize("name", ["issuer", "client_id", "client_secret"])
def test_every_client_setting_is_required(tmp_path, name):
    assert name in expect_refusal(tmp_path, **{name: ""})


def test_empty_client_id_is_refused(tmp_path):
    assert "client_id" in expect_refusal(tmp_path, client_id='""')


def test_provider_needs_a_public_url(tmp_path):
    """Otherwise, the Host header of a request would choose where authorization codes are sent."""
    (tmp_path / "router.yaml").write_text(
        "management:\n  oidc: {issuer: https://id.example.com, client_id: a, client_secret: {env: S}, admins: [b]}\n"
    )
    with pytest.raises(configuration.InvalidConfiguration) as error:
        configuration.load(tmp_path / "router.yaml", {"S": "very-secret"})
    (problem,) = error.value.problems
    assert "oidc requires public_url" in problem.message


@pytest.mark.parametrize("url", ["https://console.example.com/", "https://console.example.com/console", "console"])
def test_console_must_be_at_the_root_path(tmp_path, url):
    (tmp_path / "router.yaml").write_text(f"management:\n  public_url: {url}\n")
    with pytest.raises(configuration.InvalidConfiguration):
        configuration.load(tmp_path / "router.yaml", {})


@pytest.mark.parametrize(("said", "microseconds"), [("", 3600_000_000), ("5m", 300_000_000), ("12h", 43_200_000_000)])
def test_session_lifetime_is_an_hour_by_default(tmp_path, said, microseconds):
    assert load(tmp_path, session_lifetime=said).management.oidc.session_lifetime == microseconds


@pytest.mark.parametrize("said", ["0s", "299s", "13h", "5", "soon"])
def test_session_lifetime_outside_the_limits_is_an_error(tmp_path, said):
    assert expect_refusal(tmp_path, session_lifetime=said).startswith("8: ")
