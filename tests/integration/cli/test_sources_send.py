"""``sources send``: a running router accepts a sample of every kind with the right secret only."""

import json
from pathlib import Path

import pytest
from ruamel import yaml
from typer import testing

from router import cli
from router.sources import registry, samples
from tests import ports, sample_secrets
from tests.end_to_end import harness
from tests.integration.cli.test_commands import run

KINDS = sorted(registry.KINDS)
# Only the vendor can sign these deliveries, so the snippet has no secret.
UNSIGNED = {kind for kind in KINDS if samples.variable(kind) not in samples.settings(kind, kind)}
RULES = "rules: [{name: everything, when: {}, group_by: [source], open: []}]\n"


def configure(folder: Path) -> Path:
    """Configure a source of every kind as in its snippet, and further sources for the tests."""
    every = [yaml.YAML(typ="safe").load(samples.settings(kind, kind))["sources"][kind] for kind in KINDS]
    sources = dict(zip(KINDS, every, strict=True))
    sources["by-token"] = {"kind": "azure", "bearer": [{"env": "WEBHOOK_TOKEN"}]}
    sources["open"] = {"kind": "json", "auth": "none"}
    sources["another-kind"] = {"kind": "datadog", "auth": "none"}
    sources["topic"] = {"kind": "cloudwatch", "token": {"query": "key", "values": ["in-the-address"]}}
    (folder / "rules").mkdir()
    (folder / "rules" / "10.yaml").write_text(RULES)
    file = folder / "router.yaml"
    file.write_text(json.dumps({"web": {"port": 0}, "sources": sources, "rules": "rules", "data": "data"}))
    return file


@pytest.fixture(scope="module")
def router(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sources")
    secrets = {samples.variable(kind): sample_secrets.get_secret(kind) for kind in KINDS}
    with harness.router(folder, configure(folder), **secrets) as running:
        yield running


def send(router, kind: str, *more: str, to: str = "", **environment: str):
    """Run the command in this process, because starting a process for each kind is slow."""
    command = ["sources", "send", kind, "--json", "--to", f"{router.url}/v1/webhooks/{to or kind}", *more]
    known = {"OURS": sample_secrets.get_secret(kind), "WRONG": sample_secrets.get_wrong_secret(kind)}
    return testing.CliRunner().invoke(cli.app, command, env={**known, **environment})


@pytest.mark.parametrize("kind", sorted(set(KINDS) - UNSIGNED))
def test_samples_are_accepted_with_the_source_authentication(router, kind):
    """Each kind sends a firing and a resolved sample."""
    for more in ([], ["--resolved"]):
        done = send(router, kind, "--secret-env", "OURS", *more)
        assert (done.exit_code, done.stderr) == (0, "")
        [alert] = json.loads(done.stdout)["alerts"]
        assert (alert["rule"], alert["test"]) == ("everything", True)
        assert alert["incident_key"].endswith(" (test)")
        assert sample_secrets.get_secret(kind) not in done.stdout


@pytest.mark.parametrize("kind", KINDS)
def test_sample_without_the_correct_secret_is_refused(router, kind):
    for more in ([],) if kind in UNSIGNED else ([], ["--secret-env", "WRONG"]):
        done = send(router, kind, *more)
        assert (done.exit_code, done.stdout) == (1, "")
        refused = 403 if kind in UNSIGNED else 401
        assert f"{kind}: POST /v1/webhooks/{kind}: {refused}: " in done.stderr
        assert sample_secrets.get_wrong_secret(kind) not in done.stderr


def test_bearer_token_works_for_every_kind(router):
    done = send(router, "azure", "--bearer-env", "WEBHOOK_TOKEN", to="by-token", WEBHOOK_TOKEN=harness.TOKEN)
    assert (done.exit_code, done.stderr) == (0, "")


def test_open_source_needs_no_secret(router):
    """The URL may have a query."""
    done = send(router, "json", to="open?explain=true")
    assert done.exit_code == 0, done.stderr
    (alert,) = json.loads(done.stdout)["alerts"]
    assert (alert["fingerprint"], alert["status"]) == ("sample (test)", "firing")


def test_unsignable_sample_is_refused_with_reason(router):
    """The sample goes to a source with another authentication."""
    done = send(router, "cloudwatch", "--secret-env", "OURS")
    assert (done.exit_code, "only the sender can sign deliveries of kind cloudwatch" in done.stderr) == (2, True)
    done = send(router, "cloudwatch", to="topic?key=in-the-address")
    assert (done.exit_code, done.stderr) == (0, "")
    assert "in-the-address" not in done.stdout


def test_sample_of_another_kind_is_reported(router):
    done = send(router, "grafana", to="another-kind")
    assert done.exit_code == 1
    assert "could not parse it: does the source have this kind?" in done.stderr


def test_send_process_prints_the_accepted_test_delivery(router):
    done = run("sources", "send", "json", "--to", f"{router.url}/v1/webhooks/open")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("accepted as a test: delivery ")
    assert 'incident:  everything{source="open"} (test), ' in done.stdout


def test_unreachable_router_is_reported_in_one_sentence():
    done = testing.CliRunner().invoke(
        cli.app, ["sources", "send", "json", "--to", f"http://127.0.0.1:{ports.reserve_closed()}/v1/webhooks/json"]
    )
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith("incident-router: json: POST /v1/webhooks/json: can't connect to 127.0.0.1:")


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["jsn", "--to", "http://127.0.0.1/"], 'there is no kind "jsn"; did you mean "json"?'),
        (["json", "--to", "127.0.0.1/v1"], "is not the URL of a webhook"),
        (["json", "--to", "http://127.0.0.1/", "--secret-env", "ABSENT"], "the environment variable ABSENT is not set"),
        (["azure", "--to", "http://127.0.0.1/", "--secret-env", "WORD"], "WORD: "),
        (["json", "--to", "http://127.0.0.1/", "--secret-env", "A", "--bearer-env", "B"], "can't be combined"),
    ],
)
def test_unsendable_sample_is_a_usage_error(command, said):
    done = testing.CliRunner().invoke(cli.app, ["sources", "send", *command], env={"WORD": "no-colon"})
    assert (done.exit_code, done.stdout) == (2, "")
    assert said in done.stderr
    assert "no-colon" not in done.stderr
