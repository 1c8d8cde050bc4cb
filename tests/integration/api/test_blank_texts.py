"""The API, the console, and the commands refuse blank texts and name the field."""

import pytest
from typer import testing

from router import cli
from tests.integration import consoles
from tests.structure import command_reference

API = "/api/v1"
BLANK = " \u200b\n"
ON_PAGE = {"incident": consoles.key(), "destination": "page"}
CORRECTION = {**ON_PAGE, "update": "u", "seen": "s"}
BODIES = [
    ("/review", {**ON_PAGE, "decision": "dismiss", "seen": "s", "reason": BLANK}, "#/reason"),
    ("/retractions", {**ON_PAGE, "reason": BLANK}, "#/reason"),
    ("/retractions", {**ON_PAGE, "reason": "r", "message": BLANK}, "#/message"),
    ("/corrections", {**CORRECTION, "body": BLANK}, "#/body"),
    ("/corrections", {**CORRECTION, "body": "b", "reason": BLANK}, "#/reason"),
    ("/silences", {"matchers": ['a="b"'], "comment": BLANK}, "#/comment"),
    ("/publishing/freeze", {"reason": BLANK}, "#/reason"),
    ("/tokens", {"name": BLANK, "role": "viewer"}, "#/name"),
]
TEXTS = {"--reason", "--by"}
OPTIONS = [
    (words, option)
    for words, command in command_reference.list_commands()
    for parameter in command.params
    for option in parameter.opts
    if option in TEXTS
]


def test_api_refuses_blank_texts_and_names_their_fields(play):
    async def body(at):
        client = await at.client_for("admin")
        for path, wanted, pointer in BODIES:
            answer = await client.post(f"{API}{path}", json=wanted)
            assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json"), path
            assert answer.json()["errors"] == [{"pointer": pointer, "detail": "must not be blank"}], path
        answer = await client.delete(f"{API}/dead-letters/1-1", params={"reason": BLANK})
        assert answer.status_code == 422
        assert answer.json()["errors"] == [{"parameter": "reason", "detail": "must not be blank"}]
        recorded = (await client.get(f"{API}/audit")).json()["items"]
        assert {item["what"] for item in recorded} == {"make token"}, "nothing was tried"

    play(body)


def test_console_refuses_a_blank_reason(play):
    async def body(at):
        browser, csrf = await at.browser("responder")
        for path in ("/pages/freeze", "/dead-letters/discard"):
            answer = await browser.post(path, data={"csrf": csrf, "subject": "1-1", "reason": BLANK})
            assert (answer.status_code, "reason: must not be blank" in answer.text) == (422, True), path

    play(body)


@pytest.mark.parametrize(("words", "option"), OPTIONS)
def test_command_refuses_a_blank_option(words, option):
    done = testing.CliRunner().invoke(cli.app, [*words.split(), option, BLANK])
    assert done.exit_code == 2
    assert f"{option} must not be blank" in done.stderr
