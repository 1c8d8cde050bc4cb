"""The web application. Webhooks go directly to their handlers, all other requests through Starlette."""

import functools
from collections.abc import Mapping, Sequence

from starlette import applications, exceptions, responses, routing, types
from starlette import requests as starlette_requests

from router.web import health, openapi, problems, vendor_webhooks, webhooks

_NAMES = {404: "not-found", 405: "method"}
_DETAILS = {404: "this path does not exist", 405: "this path does not support this method"}


class App(applications.Starlette):
    """A Starlette application whose webhooks skip Starlette's middleware, since they are the hot path."""

    def __init__(self, handler: webhooks.WebhookHandler, routes: Sequence[routing.BaseRoute]) -> None:
        super().__init__(
            routes=routes,
            exception_handlers={exceptions.HTTPException: _render_http_error, Exception: _render_failure},
        )
        self.router.redirect_slashes = False  # A redirect would repeat the sender's Host header back to it.
        self.handler = handler

    async def __call__(self, scope: types.Scope, receive: types.Receive, send: types.Send) -> None:
        """Answer one request."""
        if scope["type"] == "http" and (
            scope["path"].startswith(webhooks.PREFIX) or scope["path"] == webhooks.ALERTS_V2
        ):
            await self.handler(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


def create_app(
    handler: webhooks.WebhookHandler,
    *,
    checks: Mapping[str, health.Check],
    vendors: vendor_webhooks.VendorWebhooks | None = None,
    routes: Sequence[routing.BaseRoute] = (),
) -> App:
    """Make the application: webhooks of sources and of destinations (``vendors``), probes, and further ``routes``.

    ``checks`` decide ``/readyz``. Load balancers probe the port that they send requests to; metrics are elsewhere.
    """
    own_routes = [routing.Route("/openapi.json", _serve_document), routing.Route("/-/healthy", _healthy)]
    if vendors is not None:
        own_routes.append(routing.Route(vendor_webhooks.PREFIX + "{destination}", vendors))
    probes = health.probes(functools.partial(health.states, checks))
    return App(handler, [*probes, *own_routes, *routes])


async def _serve_document(_request: starlette_requests.Request) -> responses.Response:
    return responses.JSONResponse(openapi.document())


async def _healthy(_request: starlette_requests.Request) -> responses.Response:
    """Answer as Alertmanager does, for clients that check whether it is up."""
    return responses.PlainTextResponse("OK")


async def _render_http_error(request: starlette_requests.Request, error: Exception) -> responses.Response:
    """Render Starlette's own errors, such as 404 for an unknown path, as problem details."""
    if not isinstance(error, exceptions.HTTPException):
        raise error
    status = error.status_code
    problem = problems.Problem(
        status,
        _NAMES.get(status, "http"),
        _DETAILS.get(status, error.detail),
        headers=[(name.lower().encode(), value.encode()) for name, value in (error.headers or {}).items()],
    )
    return health.problem_response(problem, request.url.path)


async def _render_failure(request: starlette_requests.Request, _error: Exception) -> responses.Response:
    """Render an unexpected exception; Starlette raises it again afterwards, so that the server logs it."""
    problem = problems.Problem(500, "internal", "the router failed; see its log")
    return health.problem_response(problem, request.url.path)
