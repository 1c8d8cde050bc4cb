"""Liveness, readiness, and metrics, for Kubernetes and Prometheus."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import NamedTuple

from starlette import requests as starlette_requests
from starlette import responses, routing

from router.store import errors
from router.telemetry import registries
from router.web import problems

TIMEOUT_SECONDS = 2.0


class CheckResult(NamedTuple):
    """The result of one check. ``detail`` is one short sentence, even if the check passes.

    A ``degraded`` process is ready, but its ``detail`` needs an operator.
    """

    ready: bool
    detail: str
    degraded: bool = False


Check = Callable[[], Awaitable[CheckResult]]
Ask = Callable[[], Awaitable[Mapping[str, CheckResult]]]


class Startup:
    """A check that has to pass once. A process that fails the check later is degraded and stays ready.

    If Redis is unavailable, it is unavailable to all processes. If no process were ready, senders and operators would
    get no response. Ready processes answer 503 with ``Retry-After`` and the reason, and serve the console. A process
    that has never reached Redis, such as one with a wrong URL, doesn't become ready, so a rolling update stops there.
    """

    def __init__(self, check: Check) -> None:
        """Wrap a check."""
        self._check = check
        self._has_passed = False

    @property
    def has_passed(self) -> bool:
        """Return whether the check has passed once."""
        return self._has_passed

    async def __call__(self) -> CheckResult:
        """Run the check."""
        return await self._check()

    def judge(self, state: CheckResult) -> CheckResult:
        """Return the state for a result, given the results before it."""
        # One success proves the configuration, so later failures are outages, which every process has.
        self._has_passed = self._has_passed or state.ready
        return state if state.ready or not self._has_passed else CheckResult(True, state.detail, degraded=True)


def probes(read_states: Ask, problem: Callable[[], str] = lambda: "") -> list[routing.BaseRoute]:
    """Make the routes ``/healthz`` and ``/readyz``.

    ``problem`` returns why the process has to be restarted; empty if it doesn't. ``read_states`` returns the states of
    all checks.
    """

    async def healthz(request: starlette_requests.Request) -> responses.Response:
        # Only a restart helps. Everything else is reported by /readyz.
        if message := problem():
            return problem_response(problems.Problem(503, "not-alive", message), request.url.path)
        return responses.JSONResponse({"status": "alive"})

    async def readyz(request: starlette_requests.Request) -> responses.Response:
        states = await read_states()
        details = {name: state.detail for name, state in states.items()}
        failing = [name for name, state in states.items() if not state.ready]
        # A degraded process still accepts deliveries, so it stays in the load balancer.
        if not failing:
            status = "degraded" if any(state.degraded for state in states.values()) else "ready"
            return responses.JSONResponse({"status": status, "checks": details})
        return problem_response(
            problems.Problem(503, "not-ready", f"not ready: {', '.join(failing)}", checks=details), request.url.path
        )

    return [routing.Route("/healthz", healthz), routing.Route("/readyz", readyz)]


def metrics_route(roles: Collection[registries.Role]) -> routing.BaseRoute:
    """Make the route ``/metrics``, with the metrics of a process with these roles."""

    async def page(request: starlette_requests.Request) -> responses.Response:
        rendered, content_type = registries.render(request.headers.get("accept", ""), roles)
        return responses.Response(rendered, headers={"content-type": content_type})

    return routing.Route("/metrics", page)


def problem_response(problem: problems.Problem, path: str) -> responses.Response:
    """Render a problem as a Starlette response."""
    headers, body = problems.render(problem, path)
    response = responses.Response(body, status_code=problem.status)
    response.raw_headers = headers
    return response


async def await_start(checks: Mapping[str, Check], pause_seconds: float = 1.0) -> None:
    """Run each ``Startup`` check until it has passed once, whether or not a client requests ``/readyz``."""
    waiting = [check for check in checks.values() if isinstance(check, Startup)]
    while waiting := [check for check in waiting if not check.has_passed]:
        for check in waiting:
            await _ask(check, TIMEOUT_SECONDS)
        await asyncio.sleep(pause_seconds)


async def states(checks: Mapping[str, Check], timeout_seconds: float = TIMEOUT_SECONDS) -> dict[str, CheckResult]:
    """Run all checks concurrently.

    A check that raises ``store.errors.Unavailable``, or takes longer than ``timeout_seconds``, counts as not ready.
    """
    results = await asyncio.gather(*(_ask(check, timeout_seconds) for check in checks.values()))
    return dict(zip(checks, results, strict=True))


async def _ask(check: Check, timeout_seconds: float) -> CheckResult:
    state = await _answer(check, timeout_seconds)
    return check.judge(state) if isinstance(check, Startup) else state


async def _answer(check: Check, timeout_seconds: float) -> CheckResult:
    try:
        async with asyncio.timeout(timeout_seconds):
            return await check()
    except errors.Unavailable as error:
        return CheckResult(False, error.reason)
    except TimeoutError:
        return CheckResult(False, f"no answer within {timeout_seconds:g} s")
