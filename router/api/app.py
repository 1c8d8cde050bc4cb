"""The management application: the API, the console, and the security headers of their responses."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from starlette import applications, datastructures, exceptions, requests, responses, routing, types

from router import configuration
from router.api import auth, endpoints, openapi
from router.domain import access
from router.domain.times import Timestamp
from router.rules import reload
from router.services import actions, queries
from router.store.access import Sessions, Tokens
from router.store.store import Store
from router.web import client_addresses, health, problems

MAX_BODY_BYTES = 4 * 1024 * 1024

_HEADERS: Mapping[str, str] = {
    # Texts of senders appear in the console, so a script among them must neither run nor reach another host.
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    # Pages contain CSRF tokens and data of alerts, which must not stay in a shared cache.
    "cache-control": "no-store",
}


@dataclass(frozen=True)
class Dependencies:
    """The objects that all routes use."""

    queries: queries.Queries
    actions: actions.Actions
    authenticator: auth.Authenticator
    tokens: Tokens
    sessions: Sessions


def dependencies(
    settings: configuration.Settings,
    store: Store,
    clock: Callable[[], Timestamp],
    new_text: access.RandomText,
    in_force: reload.Rules | None = None,
) -> Dependencies:
    """Create the objects that all routes use. ``new_text`` generates the secrets of tokens and sessions."""
    query_service = queries.Queries(settings, store, clock, in_force)
    tokens, sessions = store.tokens, store.sessions
    addresses, audit = client_addresses.ClientAddresses(settings.web.trusted_proxies), store.audit
    keeper = auth.Authenticator(tokens, sessions, clock, addresses=addresses, audit=audit)
    return Dependencies(query_service, actions.Actions(query_service, store, new_text), keeper, tokens, sessions)


def create_app(shared: Dependencies, pages: Sequence[routing.BaseRoute] = ()) -> types.ASGIApp:
    """Return the application. ``pages`` are the routes of the console."""

    async def serve_document(request: requests.Request) -> responses.Response:
        try:
            await shared.authenticator.authorize(request, endpoints.VIEWER)
        except endpoints.EXPECTED_ERRORS as error:
            return health.problem_response(endpoints.problem(error), request.url.path)
        return responses.JSONResponse(openapi.document())

    base_routes = [
        routing.Route(f"{endpoints.PREFIX}/openapi.json", serve_document),
        *endpoints.routes(shared.queries, shared.actions, shared.authenticator),
    ]
    application = applications.Starlette(
        routes=[*base_routes, *pages],
        exception_handlers={exceptions.HTTPException: _render_http_error, Exception: _render_failure},
    )
    # A redirect would contain the Host header of the request, which a client chooses freely.
    application.router.redirect_slashes = False
    return _Guarded(application)


class _Guarded:
    """Adds the headers to every response, also to errors, and limits the size of request bodies."""

    def __init__(self, app: types.ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: types.Scope, receive: types.Receive, send: types.Send) -> None:
        left = MAX_BODY_BYTES

        async def receive_bounded() -> types.Message:
            nonlocal left
            message = await receive()
            # The size is counted while the body arrives: the Content-Length may be absent or wrong.
            left -= len(message.get("body", b""))
            if left < 0:
                raise exceptions.HTTPException(413)
            return message

        async def send_with_headers(message: types.Message) -> None:
            if message["type"] == "http.response.start":
                headers = datastructures.MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    # A response may have its own value, such as static files, which browsers may cache.
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive_bounded, send_with_headers)


async def _render_http_error(request: requests.Request, error: Exception) -> responses.Response:
    status = error.status_code if isinstance(error, exceptions.HTTPException) else 500
    name, title = {
        404: ("not-found", "this path does not exist"),
        413: ("too-large", f"the body is larger than {MAX_BODY_BYTES >> 20} MiB"),
        405: ("method", "this path does not support this method"),
    }.get(status, ("http", "the request can't be processed"))
    return health.problem_response(problems.Problem(status, name, title), request.url.path)


async def _render_failure(request: requests.Request, _error: Exception) -> responses.Response:
    problem = problems.Problem(500, "internal", "the router failed; see its log")
    return health.problem_response(problem, request.url.path)
