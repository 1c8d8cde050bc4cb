"""Unsaved rules are evaluated in a separate process with limits on time and memory, and without secrets."""

import asyncio
import dataclasses
import os
import time

import pytest

from router.domain import alerts
from router.services import sandbox

CONFIGURATION = """
sources:
  json: {kind: json, bearer: [{env: WEBHOOK_TOKEN}]}
destinations:
  on-call: {kind: incident-io, api_key: {env: KEY}}
  page: {kind: incident-io-status-page, api_key: {env: KEY}, page: Acme Status}
rules: rules
"""
RULES = """
rules:
  - name: down
    when: {labels.service: shop}
    %s
    open: [{at: on-call, name: "%s"}]
"""
ALERT = alerts.Alert("json", "f", "firing", 1, 0, title="Shop is down", labels={"service": "shop"})
GENEROUS = dataclasses.replace(sandbox.LIMITS, cpu_seconds=60, seconds=300.0)


@pytest.fixture
def file(tmp_path):
    (tmp_path / "router.yaml").write_text(CONFIGURATION)
    (tmp_path / "rules").mkdir()
    return str(tmp_path / "router.yaml")


def explain(file, rules, limits=GENEROUS, **environment):
    async def main():
        return await sandbox.Sandbox(limits, {**os.environ, **environment}).explain(file, rules, [ALERT], 1_000_000)

    return asyncio.run(main())


def test_sandbox_explains_the_rules(file):
    explanation = explain(file, RULES % ("severity: major", "{{ alert.title }}"))
    assert explanation.problems == []
    (one,) = explanation.explained
    assert one["alert"]["title"] == "Shop is down"
    assert one["rule"] == "down"


def test_rule_errors_have_their_positions(file):
    explanation = explain(file, RULES % ("severty: major", "x"))
    assert explanation == sandbox.Outcome(
        problems=['line 5, column 5: rule "down": unknown key "severty"; did you mean "severity"?']
    )


@pytest.mark.parametrize(
    "text",
    [
        "x: [" + "a-" * 200_000,
        "rules:\n" + "  - {nme: x, wen: {}}\n" * 5_000,
        RULES
        % (
            "severity: major",
            "{{ 'a' | replace: 'a', '" + "a" * 1_000 + "'" + " | replace: 'a', 'aaaaaaaaaaaaaaaa'" * 9 + " }}",
        ),
        RULES % ("severity: major", "{{ (1..9000000) | join }}"),
        RULES % ("expr: '[alert.title]" + ".map(x,x+x)" * 20 + ".size() == 1'", "x"),
        RULES % ("severity: major", "{{" * 4_000),
        "x: &a [1]\ny: [" + "*a," * 20_000 + "]",
        "- " * 20_000,
    ],
    ids=["broken line", "wrong keys", "replace", "range", "CEL", "Liquid", "aliases", "depth"],
)
def test_expensive_text_is_refused_within_the_limits(file, text):
    explanation = explain(file, text)
    assert explanation.problems
    assert explanation.explained == []


@pytest.mark.parametrize(
    ("limits", "problem"),
    [
        ({"cpu_seconds": 1}, "processor time"),
        ({"memory_bytes": 64 * 1024 * 1024}, "64 MiB of memory"),
        ({"output_bytes": 10}, "explanation is too long"),
        ({"seconds": 0.01}, "more than 0.01 seconds"),
    ],
    ids=["processor", "memory", "output", "time"],
)
def test_process_over_a_limit_is_ended_and_reported(file, limits, problem, tmp_path):
    text = RULES % ("severity: major", "{{ alert.title }}")
    if "cpu_seconds" in limits:
        text = "rules:\n" + "".join(f"  - {{name: r{n}, when: {{labels.a: x{n}}}, open: []}}\n" for n in range(18_000))
    started = time.thread_time()
    explanation = explain(file, text, dataclasses.replace(GENEROUS, **limits))
    assert explanation.explained == []
    (said,) = explanation.problems
    assert problem in said
    assert time.thread_time() - started < 5


def test_sandbox_process_gets_no_secret(file, monkeypatch):
    told = sandbox.Sandbox(environment={"KEY": "vendor-secret", "PATH": "/bin", "WEBHOOK_TOKEN": "x"})._environment
    assert told == {"PATH": "/bin"}
    explanation = explain(file, RULES % ("severity: major", "x"), KEY="vendor-secret", WEBHOOK_TOKEN="webhook-secret")
    assert "vendor-secret" not in str(explanation)
