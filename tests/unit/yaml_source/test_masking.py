import time

import pytest

from router.yaml_source import documents, masking


def mask_line(text, line):
    return masking.Lines(text.split("\n")).masked_line(line)


@pytest.mark.parametrize(
    "line",
    [
        "api_key: hunter2",
        "    api-key:   hunter2",
        '  "webhook_token": "hunter2"',
        "  - {kind: x, api_key: hunter2, name: y}",
        "password: hunter2 # the old one",
        "signing_secret: hunter2",
        "bearer: [hunter2, other]",
        "url: redis://:hunter2@localhost:6379",
        "url: rediss://user:hunter2@host",
        "url: redis://:hunter2/with/slashes@host:6379",
        "url: redis://:hunter2",
        "x: {token_file: /run/token, api_key: hunter2}",
    ],
)
def test_value_of_a_secret_key_is_hidden(line):
    assert "hunter2" not in mask_line(line, 0)
    assert "***" in mask_line(line, 0)


@pytest.mark.parametrize(
    "text",
    [
        "bearer:\n  - hunter2",
        "bearer:\n- hunter2",
        "basic:\n  - user:other\n  - user:hunter2",
        "basic:\n- user:other\n- user:hunter2",
        "api_key: >-\n  first\n\n  hunter2",
        "api_key: |\n  first\n    hunter2",
        "tokens:\n  - name: ci\n    value: hunter2",
        "x:\n  - tokens: # several\n      - hunter2",
    ],
)
def test_content_below_a_secret_key_is_hidden(text):
    lines = text.split("\n")
    assert "hunter2" not in masking.Lines(lines).masked_line(len(lines) - 1)


@pytest.mark.parametrize(
    "line",
    [
        "api_key_file: /run/secrets/key",
        "token_env: WEBHOOK_TOKEN",
        "name: the secret is out",
        "url: http://localhost:8080",
        "key: value",
        "      summary: '{{ alert.title }}'",
    ],
)
def test_other_lines_are_unchanged(line):
    assert mask_line(line, 0) == line


def test_sibling_of_a_secret_is_shown():
    assert mask_line("bearer:\n  - x\nkind: json", 2) == "kind: json"


def test_broken_configuration_does_not_show_secrets():
    document = documents.parse(b"destinations:\n  on-call:\n    api_key: hunter2: x\n", "c.yaml")
    assert document.problems
    assert "hunter2" not in "\n".join(str(problem) for problem in document.problems)


@pytest.mark.parametrize(
    "text",
    [
        "x: [" + "a-" * 400_000,
        "token" * 200_000,
        "a_file: b, " * 90_000,
        "://" * 300_000,
        " " * 900_000 + "x",
        "- " * 400_000 + "token:",
    ],
    ids=["hyphens", "names", "keys", "links", "blanks", "items"],
)
def test_masking_a_line_takes_linear_time(text):
    started = time.thread_time()
    masking.Lines([text]).masked_line(0)
    assert time.thread_time() - started < 2


def test_showing_every_line_takes_linear_time():
    lines = masking.Lines(["tokens:", *[f"{' ' * (number % 9)}- key: {number}" for number in range(40_000)]])
    started = time.thread_time()
    shown = [lines.masked_line(number) for number in range(40_001)]
    assert time.thread_time() - started < 4
    assert shown[2] == " - ***"


def test_long_line_with_many_problems_is_masked_once():
    lines = masking.Lines(["{" + "a: b, " * 5_000 + "}"])
    started = time.thread_time()
    assert len({lines.masked_line(0) for _ in range(1_000)}) == 1
    assert time.thread_time() - started < 2
