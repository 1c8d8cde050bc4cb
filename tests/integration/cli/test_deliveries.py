"""``deliveries`` and ``explain --delivery`` with a running router."""

import gzip
import json

import pytest

from router.domain import recordings
from tests.end_to_end import harness
from tests.integration.cli.test_commands import run


@pytest.fixture(scope="module")
def delivery(router):
    accepted = router.send_alert(labels={"service": "checkout", "password": "[bold]"})
    harness.eventually(
        "the delivery is processed", lambda: accepted["delivery"] in router.command("deliveries", "list").stdout
    )
    return accepted["delivery"]


def test_newest_deliveries_are_listed_with_their_rules(router, delivery):
    (line,) = [line for line in router.command("deliveries", "list", "-n", "5").stdout.splitlines() if delivery in line]
    assert " json " in line


def test_delivery_is_shown_with_its_decisions(router, delivery):
    output = router.command("deliveries", "show", delivery).stdout
    assert f"delivery {delivery} from json, received 20" in output
    assert "Checkout answers 5xx  firing" in output
    assert "password=[bold] service=checkout" in output
    assert ", by rule " in output


def test_body_is_printed_as_received(router, delivery):
    body = json.loads(router.command("deliveries", "show", delivery, "--body").stdout)
    assert body["title"] == "Checkout answers 5xx"


def test_missing_delivery_is_reported(router, delivery):
    for command in (("deliveries", "show", "0" * 32), ("explain", "--delivery", "0" * 32)):
        done = router.command(*command)
        assert (done.returncode, "is not kept" in done.stderr) == (1, True)


def test_delivery_is_explained_by_id(router, delivery):
    output = router.command("explain", "--delivery", delivery).stdout
    assert "Checkout answers 5xx  firing, from json" in output
    assert "✓ rule " in output


def test_deliveries_are_saved_for_a_replay_elsewhere(router, delivery, tmp_path):
    for name, opened in (("all.jsonl", open), ("all.jsonl.gz", gzip.open)):
        done = router.command("deliveries", "export", str(tmp_path / name), "--since", "1h")
        assert done.returncode == 0, done.stderr
        with opened(tmp_path / name, "rb") as file:
            assert delivery in {recordings.decode(line).id for line in file}
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o600, "it holds alerts"
    assert router.command("deliveries", "export", str(tmp_path / "no" / "x")).returncode == 2
    full = router.command("deliveries", "export", "/dev/full")
    assert (full.returncode, full.stderr.count("\n")) == (1, 1)
    assert "/dev/full can't be written: No space left on device" in full.stderr
    assert router.command("deliveries", "export", str(tmp_path / "x"), "--since", "soon").returncode == 2


@pytest.mark.parametrize(
    "command", [("deliveries", "list"), ("reviews", "list"), ("check", "--simulate", "--recorded")]
)
def test_read_only_commands_need_no_secrets(router, delivery, command):
    done = run(*command, "--config", str(router.file), WEBHOOK_TOKEN="", KEY="")
    assert done.returncode == 0, done.stderr
