"""The configuration is validated completely: every mistake has a position, and no secret is shown."""

import pytest

from router import configuration
from router.sources import signatures

GOOD = """
sources:
  am:
    kind: alertmanager
    bearer: [{env: TOKEN}]
destinations:
  on-call:
    kind: incident-io
    api_key: {env: KEY}
  devhelm:
    kind: devhelm
    api_key: {env: KEY}
  page:
    kind: devhelm-status-page
    api_key: {env: KEY}
    follows: devhelm
"""
SECRETS = {"TOKEN": "very-secret-token", "KEY": "very-secret-key"}


def write_settings(tmp_path, text: str):
    file = tmp_path / "router.yaml"
    file.write_text(text)
    return file


def expect_refusal(tmp_path, text: str, environment=SECRETS, **more) -> list[str]:
    with pytest.raises(configuration.InvalidConfiguration) as error:
        configuration.load(write_settings(tmp_path, text), environment, **more)
    return [f"{problem.line}:{problem.column}: {problem.message}" for problem in error.value.problems]


def test_valid_file_is_read_with_secrets_and_defaults(tmp_path):
    loaded = configuration.load(write_settings(tmp_path, GOOD), SECRETS)
    assert loaded.sources["am"].bearer[0].get_secret_value() == "very-secret-token"
    assert loaded.destinations["page"].follows == "devhelm"
    assert (loaded.web.host, loaded.web.port, loaded.redis.url) == ("127.0.0.1", 8080, None)
    assert loaded.rules == tmp_path / "rules"
    assert loaded.data == tmp_path / "data"
    assert loaded.simulated == frozenset()


def test_empty_file_is_a_router_without_sources(tmp_path):
    loaded = configuration.load(write_settings(tmp_path, "# nothing yet\n"), {})
    assert loaded.sources == loaded.destinations == {}


def test_repr_of_settings_contains_no_secret(tmp_path):
    secrets = {**SECRETS, "REDIS": "redis://:very-secret@redis:6379"}
    loaded = configuration.load(write_settings(tmp_path, GOOD + "redis: {url: {env: REDIS}}\n"), secrets)
    assert "very-secret" not in repr(loaded)
    assert "very-secret" not in repr(loaded.sources) + repr(loaded.destinations)


def test_secrets_may_be_read_from_files(tmp_path):
    (tmp_path / "key").write_text("from-a-file\n")
    text = GOOD.replace("api_key: {env: KEY}", f"api_key: {{file: {tmp_path / 'key'}}}")
    loaded = configuration.load(write_settings(tmp_path, text), SECRETS)
    assert loaded.destinations["on-call"].api_key.get_secret_value() == "from-a-file"


def test_unreadable_secret_file_is_named(tmp_path):
    text = GOOD.replace("bearer: [{env: TOKEN}]", "bearer: [{file: /no/such/file}]")
    (problem,) = expect_refusal(tmp_path, text)
    assert problem == "5:14: the secret file /no/such/file can't be read: No such file or directory"


def test_every_unset_secret_is_named_with_its_position(tmp_path):
    refusal = expect_refusal(tmp_path, GOOD, {})
    assert refusal[0] == "5:14: the environment variable TOKEN is not set"
    assert refusal[1:] == [f"{line}:14: the environment variable KEY is not set" for line in (9, 12, 15)]


def test_all_errors_are_reported_together(tmp_path):
    refusal = expect_refusal(
        tmp_path,
        """
sorces: {}
sources:
  a: {kind: alertmanagr, auth: none}
  b: {auth: none}
destinations:
  c: {kind: devhelm, api_key: {env: KEY}, tmeout_seconds: 3}
web: {port: 99999}
""",
    )
    assert [problem.split(":")[0] for problem in refusal] == ["2", "4", "5", "7", "8"]
    assert 'unknown key "sorces"; did you mean "sources"?' in refusal[0]
    assert 'unknown kind "alertmanagr"; did you mean "alertmanager"?' in refusal[1]
    assert '"b" needs a kind' in refusal[2]
    assert 'unknown key "tmeout_seconds"; did you mean "timeout_seconds"?' in refusal[3]
    assert '"port"' in refusal[4]


def test_quota_too_small_for_one_operation_is_refused(tmp_path):
    """An operation waits at most 2 seconds per call, so with one call per minute it would restart forever."""
    text = "destinations:\n  c: {kind: devhelm, api_key: {env: KEY}, per_minute: %d}\n"
    (problem,) = expect_refusal(tmp_path, text % 9)
    assert problem == '2:55: "per_minute": must be greater than or equal to 10'
    assert configuration.load(write_settings(tmp_path, text % 10), SECRETS).destinations["c"].per_minute == 10


def test_page_can_follow_only_an_existing_destination(tmp_path):
    (problem,) = expect_refusal(tmp_path, GOOD.replace("follows: devhelm", "follows: devhlm"))
    assert problem == '16:14: follows an unknown destination "devhlm"; did you mean "devhelm"?'


@pytest.mark.parametrize("text", ["- a\n- b\n", "just words\n"])
def test_file_without_a_mapping_is_refused(tmp_path, text):
    (problem,) = expect_refusal(tmp_path, text)
    assert "must be a mapping" in problem


def test_broken_yaml_is_reported_with_its_position(tmp_path):
    (problem,) = expect_refusal(tmp_path, "sources: {a: [}\n")
    assert problem.startswith("1:")


def test_missing_file_is_reported_as_missing(tmp_path):
    with pytest.raises(configuration.InvalidConfiguration, match="can't be read: No such file"):
        configuration.load(tmp_path / "absent.yaml", {})


def test_refusal_contains_no_secret(tmp_path):
    text = GOOD.replace("kind: incident-io", "kind: incident-oi") + "web: {port: very-secret-port}\n"
    with pytest.raises(configuration.InvalidConfiguration) as error:
        configuration.load(write_settings(tmp_path, text), SECRETS)
    assert "very-secret-token" not in str(error.value)
    assert "very-secret-key" not in str(error.value)


def test_environment_overrides_the_file(tmp_path):
    said = {
        **SECRETS,
        "REDIS_URL": "redis://elsewhere:6379/1",
        "INCIDENT_ROUTER_RULES": "/etc/rules",
        "INCIDENT_ROUTER_DATA": "/var/data",
        "INCIDENT_ROUTER_LOG_FORMAT": "console",
        "INCIDENT_ROUTER_LOG_LEVEL": "debug",
    }
    loaded = configuration.load(write_settings(tmp_path, GOOD + "log: {format: json, level: error}\n"), said)
    assert loaded.redis.url.get_secret_value() == "redis://elsewhere:6379/1"
    assert (str(loaded.rules), str(loaded.data)) == ("/etc/rules", "/var/data")
    assert (loaded.log.format, loaded.log.level) == ("console", "debug")


STAND_IN = configuration.StandIn("made-up", {"incident-io": "http://s/i", "devhelm": "http://s/d"})


def test_simulate_replaces_unset_keys_by_simulated_vendors(tmp_path):
    loaded = configuration.load(write_settings(tmp_path, GOOD), {}, STAND_IN)
    assert loaded.simulated == {"on-call", "devhelm", "page"}
    assert loaded.destinations["on-call"].base_url == "http://s/i"
    assert loaded.destinations["page"].base_url == "http://s/d"
    assert loaded.sources["am"].bearer[0].get_secret_value() == "made-up"


def test_simulate_uses_real_vendors_with_set_keys(tmp_path):
    loaded = configuration.load(write_settings(tmp_path, GOOD), {"KEY": "real"}, STAND_IN)
    assert loaded.simulated == frozenset()
    assert loaded.destinations["on-call"].base_url == "https://api.incident.io"
    assert loaded.destinations["on-call"].api_key.get_secret_value() == "real"


def test_simulated_keys_of_variables_differ(tmp_path):
    """Simulated accounts have separate quotas."""
    loaded = configuration.load(write_settings(tmp_path, GOOD), {}, STAND_IN)
    other = configuration.load(write_settings(tmp_path, GOOD.replace("KEY", "TOKEN")), {}, STAND_IN)
    keys = {one.destinations["on-call"].api_key.get_secret_value() for one in (loaded, other)}
    assert len(keys) == 2


SLACK = """
notifiers:
  approvals: {kind: slack, token: {env: SLACK_BOT_TOKEN}, channel: "#ours"}
  hook: {kind: webhook, url: {env: HOOK_URL}, secrets: [{env: HOOK_SECRET}]}
notify: {reviews: [approvals]}
slack_app: {token: {env: SLACK_BOT_TOKEN}, signing_secret: {env: SLACK_SECRET}, admins: [S0OURS], team: T0OURS}
"""


def test_simulate_replaces_slack_without_tokens(tmp_path):
    stand_in = configuration.StandIn("made-up", {**STAND_IN.vendors, "slack": "http://s/slack/api"})
    loaded = configuration.load(write_settings(tmp_path, GOOD + SLACK), {}, stand_in)
    assert loaded.simulated == {"on-call", "devhelm", "page", "hook"}
    approvals, app = loaded.notifiers["approvals"], loaded.slack_app
    assert (approvals.base_url, approvals.channel) == ("http://s/slack/api", "#status-approvals")
    assert (app.base_url, app.responders, app.admins, app.team) == ("http://s/slack/api", ("U0ADA", "U0BOB"), (), "")
    assert (app.app_token.get_secret_value(), app.signing_secret) == ("xapp-simulated", None)


def test_slack_without_tokens_is_not_simulated(tmp_path):
    loaded = configuration.load(write_settings(tmp_path, GOOD + SLACK), {}, STAND_IN)
    assert loaded.simulated == {"on-call", "devhelm", "page", "approvals", "hook"}
    assert loaded.slack_app is None


def test_simulate_uses_real_slack_with_tokens(tmp_path):
    stand_in = configuration.StandIn("made-up", {**STAND_IN.vendors, "slack": "http://s/slack/api"})
    tokens = {
        "SLACK_BOT_TOKEN": "xoxb-1",
        "SLACK_SECRET": "s",
        "HOOK_SECRET": "whsec_aGlkZGVuLXNlY3JldC1vZi10aGUtaG9vaw==",
    }
    loaded = configuration.load(write_settings(tmp_path, GOOD + SLACK), tokens, stand_in)
    assert loaded.notifiers["approvals"].base_url == loaded.slack_app.base_url == "https://slack.com/api"
    assert loaded.slack_app.team == "T0OURS"


def test_process_needs_only_its_own_secrets(tmp_path):
    file = write_settings(tmp_path, GOOD)
    assert configuration.load(file, {"TOKEN": "t"}, needs={"sources"}).sources["am"].bearer
    assert configuration.load(file, {"KEY": "k"}, needs={"destinations"}).destinations["on-call"].api_key
    with pytest.raises(configuration.InvalidConfiguration, match="KEY is not set"):
        configuration.load(file, {"TOKEN": "t"}, needs={"destinations"})


def test_redis_certificate_needs_its_key(tmp_path):
    assert expect_refusal(tmp_path, "redis: {tls: {cert: cert.pem}}\n") == [
        '1:14: "tls": set both cert and key, or neither'
    ]


def test_sentinels_are_named_by_host_and_port(tmp_path):
    nodes = "[sentinel-0, 'sentinel-1:26380', '[::1]:26381']"
    section = f"redis: {{sentinel: {{service: acme, nodes: {nodes}, password: {{env: TOKEN}}}}}}\n"
    redis = configuration.load(write_settings(tmp_path, section), SECRETS).redis
    assert redis.sentinel.nodes == (("sentinel-0", 26379), ("sentinel-1", 26380), ("::1", 26381))
    assert redis.sentinel.password.get_secret_value() == "very-secret-token"
    assert "very-secret" not in repr(redis)


@pytest.mark.parametrize("node", ["redis://a:1", "a:b", "me@a:1", ":26379", "[::1", "a/b"])
def test_invalid_sentinel_address_is_refused(tmp_path, node):
    (problem,) = expect_refusal(tmp_path, f"redis: {{sentinel: {{service: acme, nodes: ['{node}']}}}}\n")
    assert "must have the form host:port" in problem
    assert node not in problem


def test_empty_sentinel_list_is_refused(tmp_path):
    (problem,) = expect_refusal(tmp_path, "redis: {sentinel: {service: acme, nodes: []}}\n")
    assert "at least one sentinel" in problem


def test_cluster_and_sentinels_exclude_each_other(tmp_path):
    (problem,) = expect_refusal(tmp_path, "redis: {cluster: true, sentinel: {service: acme, nodes: [a]}}\n")
    assert "remove sentinel or cluster" in problem


@pytest.mark.parametrize("secret", ["{env: ABSENT}", "{file: /absent/secret}"])
@pytest.mark.parametrize(
    "proof",
    ["bearer: [%]", "basic: [%]", "token: {query: key, values: [%]}"]
    + [f"signature: {{scheme: {scheme}, secrets: [%]}}" for scheme in signatures.SCHEMES],
)
def test_sender_secrets_are_not_needed_by_workers(secret, proof, tmp_path):
    file = write_settings(tmp_path, "sources:\n  a: {kind: json, " + proof.replace("%", secret) + "}\n")
    assert configuration.load(file, {}, needs=()).sources["a"].kind == "json"
    with pytest.raises(configuration.InvalidConfiguration, match=r"is not set|can't be read"):
        configuration.load(file, {})


WEBHOOK = GOOD.replace("follows: devhelm", "follows: devhelm\n    webhook: {secrets: [{env: SIGNING}]}")


def test_webhook_secret_is_needed_by_the_web_server(tmp_path):
    for needs in ({"sources"}, configuration.SECRET_PARTS):
        (problem,) = expect_refusal(tmp_path, WEBHOOK, needs=needs)
        assert problem == "17:25: the environment variable SIGNING is not set"
        loaded = configuration.load(write_settings(tmp_path, WEBHOOK), {**SECRETS, "SIGNING": "s"}, needs=needs)
        assert loaded.destinations["page"].webhook.secrets[0].get_secret_value() == "s"
    loaded = configuration.load(write_settings(tmp_path, WEBHOOK), SECRETS, needs={"destinations"})
    assert loaded.destinations["page"].webhook is not None


def test_simulation_needs_no_webhook_secret(tmp_path):
    text = GOOD.replace("kind: incident-io\n", "kind: incident-io\n    webhook: {secrets: [{env: SIGNING}]}\n")
    assert configuration.load(write_settings(tmp_path, text), {}, STAND_IN).destinations["on-call"].webhook is not None


def test_webhook_secret_must_have_the_vendor_s_format(tmp_path):
    text = GOOD.replace("kind: incident-io\n", "kind: incident-io\n    webhook: {secrets: [plain-text]}\n")
    (problem,) = expect_refusal(tmp_path, text)
    assert problem.startswith("9:14: ")
    assert "a secret of this scheme is base64, as issued: whsec_" in problem
    (problem,) = expect_refusal(tmp_path, WEBHOOK.replace("[{env: SIGNING}]", "[]"))
    assert "expected at least 1 entry" in problem


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("INCIDENT_ROUTER_LOG_LEVEL", "INFO", "must be 'debug', 'info', 'warning' or 'error'"),
        ("INCIDENT_ROUTER_LOG_FORMAT", "xml", "must be 'json' or 'console'"),
    ],
)
def test_invalid_environment_variable_is_reported_by_name(tmp_path, monkeypatch, variable, value, said):
    monkeypatch.setenv(variable, value)
    with pytest.raises(configuration.InvalidConfiguration) as caught:
        configuration.load(write_settings(tmp_path, ""), {variable: value})
    assert str(caught.value) == f"{variable}: {said}"
    assert (
        configuration.load(write_settings(tmp_path, ""), {variable: ""}).log
        == configuration.load(write_settings(tmp_path, ""), {}).log
    )
