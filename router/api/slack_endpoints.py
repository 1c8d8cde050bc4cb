"""The endpoints that Slack sends interactions and slash commands to. A signature takes the place of a token or session.

The signature is verified before the body is parsed.
"""

import urllib.parse
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from starlette import requests, responses, routing

from router.domain.times import Timestamp
from router.domain.undecodable import Undecodable
from router.services import queries
from router.slack import app, signatures
from router.telemetry import log
from router.web import client_addresses, health, problems

ACTIONS, COMMANDS = "/v1/slack/actions", "/v1/slack/commands"
MAX_BODY_BYTES = 1024 * 1024
"""Slack sends the message of a click along: at most 50 blocks of 3,000 characters, which are percent-encoded."""
_MAX_FIELDS = 100
_log = log.get("management")


def routes(query_service: queries.Queries, slack: app.SlackApp | None) -> list[routing.BaseRoute]:
    """Return the routes; none without a Slack app, or if Slack sends nothing here because Socket Mode is used."""
    config = query_service.settings.slack_app
    # Without a signing secret, requests can't be verified, so there must be no endpoint.
    if slack is None or config is None or config.signing_secret is None:
        return []
    addresses = client_addresses.ClientAddresses(query_service.settings.web.trusted_proxies)
    endpoint_group = _Endpoints(slack, config.signing_secret.get_secret_value(), query_service.clock, addresses)
    return [
        routing.Route(ACTIONS, endpoint_group.act, methods=["POST"]),
        routing.Route(COMMANDS, endpoint_group.command, methods=["POST"]),
    ]


class _Endpoints:
    """The endpoints of one Slack app."""

    def __init__(
        self,
        slack: app.SlackApp,
        secret: str,
        clock: Callable[[], Timestamp],
        addresses: client_addresses.ClientAddresses,
    ) -> None:
        self._slack = slack
        self._secret = secret
        self._clock = clock
        self._addresses = addresses

    async def act(self, request: requests.Request) -> responses.Response:
        return await self._answer(request, "interactive")

    async def command(self, request: requests.Request) -> responses.Response:
        return await self._answer(request, "slash_commands")

    async def _answer(self, request: requests.Request, kind: app.Kind) -> responses.Response:
        try:
            form = _form(await self._authentic(request))
            if form.get("ssl_check") == "1":  # Slack checks the certificate at intervals.
                return responses.Response(status_code=200)
            answer = await self._slack.handle(kind, _payload(form) if kind == "interactive" else form)
        except problems.Problem as problem:
            return health.problem_response(problem, request.url.path)
        # Slack expects an empty response if there is nothing to show. It would display any text.
        if answer is None:
            return responses.Response(status_code=200)
        return responses.Response(msgspec.json.encode(answer), media_type="application/json")

    async def _authentic(self, request: requests.Request) -> bytes:
        """Return the body. Raises ``problems.Problem`` if it is too large, or if Slack did not sign it."""
        body = bytearray()
        async for chunk in request.stream():
            # The limit applies while the body arrives, since nothing is known about the sender before the signature is
            # verified.
            body += chunk
            if len(body) > MAX_BODY_BYTES:
                raise problems.Problem(413, "too-large", f"the body is larger than {MAX_BODY_BYTES >> 20} MiB")
        headers = dict(request.scope["headers"])
        if wrong := signatures.problem(self._secret, headers, bytes(body), self._clock()):
            address = self._addresses.address(request.scope, headers)
            # The address shows whether a request is forged, or one of Slack's own that a wrong signing secret refuses.
            _log.warning("slack_request_refused", address=address, reason=wrong)
            raise problems.Problem(401, "unauthorized", wrong)
        return bytes(body)


def _form(body: bytes) -> dict[str, str]:
    try:
        # The number of fields is limited, because many small ones would take time to decode.
        return dict(urllib.parse.parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_MAX_FIELDS))
    except ValueError as error:
        raise problems.Problem(422, "unfit", "the body is not a form") from error


def _payload(form: Mapping[str, str]) -> dict[str, Any]:
    try:
        payload = msgspec.json.decode(form.get("payload", ""))
    except Undecodable as error:
        raise problems.Problem(422, "unfit", "the field payload is not JSON") from error
    if not isinstance(payload, dict):
        raise problems.Problem(422, "unfit", "the field payload is not an object")
    return payload
