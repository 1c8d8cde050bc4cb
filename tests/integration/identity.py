"""Runs the console with an OpenID Connect provider, and a browser that follows redirects one at a time.

One provider is a real program; the other one is simulated, and returns the responses that a test chooses.
"""

import asyncio
import base64
import contextlib
import hashlib
import json
import re
import secrets
import ssl
import subprocess
import sys
import time
import urllib.parse
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, NamedTuple

import httpx
from joserfc import jwk, jwt
from starlette import applications, requests, responses, routing

from router import configuration
from router.api import app, auth
from router.bootstrap import processes
from router.console import views
from router.domain import access
from tests import ports

NOT_PROVEN = "the identity provider&#39;s token is not valid"
NOT_READABLE = "the identity provider&#39;s response can&#39;t be read"
NOT_THERE = "the identity provider can&#39;t be reached"
SECRET = "the-client-secret-of-the-console"
CONFIG = """
management:
  public_url: "{public_url}"
  oidc:
    issuer: {issuer}
    client_id: console
    client_secret: {{env: OIDC_SECRET}}
    viewers: [everybody]
    responders: [on-call]
    admins: [platform]
"""


_TLS = ssl.create_default_context()  # Generated once, because generation takes longer than a test.


def microseconds() -> int:
    return time.time_ns() // 1_000


def browser(url: str = "") -> httpx.AsyncClient:
    """Create a browser without cookies; it uses no proxy and follows no redirect."""
    return httpx.AsyncClient(base_url=url, trust_env=False, verify=_TLS)


@contextlib.contextmanager
def real_provider(**claims: dict[str, Any]) -> Iterator[str]:
    """Run a real provider with these users and their claims; yield its issuer."""
    port = ports.reserve()
    people = [f"--user-claims={json.dumps({'sub': name, **said})}" for name, said in claims.items()]
    command = [sys.executable, "-W", "ignore", "-m", "oidc_provider_mock", "--require-nonce", f"--port={port}", *people]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as program:
        try:
            issuer = f"http://127.0.0.1:{port}"
            _wait_for(f"{issuer}/.well-known/openid-configuration", program)
            yield issuer
        finally:
            program.terminate()


def _wait_for(url: str, program: "subprocess.Popen[bytes]") -> None:
    ends_at = time.monotonic() + 30
    while time.monotonic() < ends_at and program.poll() is None:
        with contextlib.suppress(httpx.TransportError):
            httpx.get(url).raise_for_status()
            return
        time.sleep(0.05)
    raise AssertionError("the provider does not start")


class Provider:
    """A simulated provider: ``claims`` and ``header`` replace the correct ones."""

    def __init__(self) -> None:
        self.key = jwk.RSAKey.generate_key(2048, {"kid": "one", "use": "sig"})
        self.published: Any = None
        self.metadata: dict[str, Any] = {}
        self.claims: dict[str, Any] = {}
        self.signed: Any = None  # Creates a defective ID token from the claims, if a test needs one.
        self.answer: tuple[int, Any] | None = None
        self.userinfo: dict[str, Any] = {}
        self.asked: dict[str, str] = {}
        self.exchanged: list[dict[str, str]] = []
        self.discoveries = 0
        self.issuer = ""

    def routes(self) -> list[routing.BaseRoute]:
        return [
            routing.Route("/.well-known/openid-configuration", self._discovery),
            routing.Route("/keys", self._keys),
            routing.Route("/token", self._token, methods=["POST"]),
            routing.Route("/userinfo", self._userinfo),
        ]

    async def _discovery(self, _: requests.Request) -> responses.Response:
        self.discoveries += 1
        found = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            **self.metadata,
        }
        return responses.JSONResponse({name: value for name, value in found.items() if value is not None})

    async def _keys(self, _: requests.Request) -> responses.Response:
        right = {"keys": [self.key.as_dict(private=False)]}
        return responses.JSONResponse(right if self.published is None else self.published)

    async def _token(self, request: requests.Request) -> responses.Response:
        async with request.form() as form:
            sent = {name: str(value) for name, value in form.items()}
        self.exchanged.append({**sent, "authorization": request.headers.get("authorization", "")})
        if self.answer is not None:
            status, body = self.answer
            return responses.Response(body if isinstance(body, str) else json.dumps(body), status)
        claims = {**self.make_claims(), **self.claims}
        said = {name: value for name, value in claims.items() if value is not None}
        token = self.signed(said) if self.signed else jwt.encode({"alg": "RS256", "kid": "one"}, said, self.key)
        return responses.JSONResponse({"access_token": "an-access-token", "token_type": "Bearer", "id_token": token})

    def make_claims(self) -> dict[str, Any]:
        now = microseconds() // 1_000_000
        return {
            "iss": self.issuer,
            "sub": "248289",
            "aud": "console",
            "iat": now,
            "exp": now + 300,
            "nonce": self.asked.get("nonce", ""),
            "email": "ada@example.com",
            "groups": ["on-call"],
        }

    async def _userinfo(self, request: requests.Request) -> responses.Response:
        known = request.headers.get("authorization") == "Bearer an-access-token"
        return responses.JSONResponse(self.userinfo, 200 if known else 401)

    def sign_in(self, url: str) -> str:
        """Sign in at ``url``, and return the address of the redirect with a code."""
        self.asked = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(url).query))
        return f"{self.asked['redirect_uri']}?code=a-code&state={self.asked['state']}"

    def is_verifier(self, verifier: str) -> bool:
        """Return whether a verifier belongs to the challenge that was sent (RFC 7636, section 4.6)."""
        made = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        return made == self.asked["code_challenge"]


class Console(NamedTuple):
    """The console, and a browser."""

    url: str
    browser: httpx.AsyncClient
    parts: app.Dependencies

    def another_browser(self) -> httpx.AsyncClient:
        return browser(self.url)

    async def leave(self, to: str = "/") -> str:
        """Follow the link to the provider, and return its address."""
        answer = await self.browser.get("/sign-in/oidc", params={"to": to})
        assert answer.status_code == 303, answer.text
        return answer.headers["location"]

    async def may(self, path: str = "/api/v1/silences") -> int:
        """Return the status that the browser's session gets for a path."""
        return (await self.browser.get(path)).status_code

    async def csrf(self) -> str:
        """Return the CSRF token of the session."""
        match = re.search(r'name="csrf" value="([^"]+)"', (await self.browser.get("/silences")).text)
        assert match is not None
        return match[1]


@contextlib.asynccontextmanager
async def serve_application(application: Any, port: int = 0) -> AsyncIterator[str]:
    async with (
        asyncio.timeout(60),
        asyncio.TaskGroup() as group,
        processes.serving(application, "127.0.0.1", port, group) as address,
    ):
        yield address.url


@contextlib.asynccontextmanager
async def serve_console(
    store: Any,
    folder: Any,
    issuer: str | None,
    *,
    public_url: str | None = None,
    clock: Callable[[], int] = microseconds,
    more: str = "",
) -> AsyncIterator[Console]:
    """Serve the console with a provider for the length of the block; ``more`` are further settings of ``oidc``."""
    port = ports.reserve()
    address = f"http://127.0.0.1:{port}" if public_url is None else public_url
    text = CONFIG.format(issuer=issuer, public_url=address) + more if issuer else ""
    (folder / "router.yaml").write_text(text)
    (folder / "rules").mkdir(exist_ok=True)
    settings = configuration.load(folder / "router.yaml", {"OIDC_SECRET": SECRET})
    made = app.dependencies(settings, store, clock, secrets.token_urlsafe)
    pages, feed = views.routes(made, secrets.token_urlsafe)
    async with serve_application(app.create_app(made, pages), port) as url:
        async with browser(url) as looking:
            yield Console(url, looking, made)
        feed.close()


@contextlib.asynccontextmanager
async def serve_with_lying_provider(store: Any, folder: Any, **more: Any) -> AsyncIterator[tuple[Provider, Console]]:
    """Serve the console with the simulated provider for the length of the block."""
    provider = Provider()
    async with serve_application(applications.Starlette(routes=provider.routes())) as issuer:
        provider.issuer = issuer
        async with serve_console(store, folder, issuer, **more) as found:
            yield provider, found


async def create_token(console: Console, name: str, *, seconds: int = 0) -> tuple[access.Token, str]:
    """Create a viewer's token, and return it with its secret; without ``seconds`` it never expires."""
    now = console.parts.queries.clock()
    expires_at = now + seconds * 1_000_000 if seconds else 0
    token, text = access.new_token(name, access.Role.VIEWER, now, expires_at, secrets.token_urlsafe)
    await console.parts.tokens.save(token)
    return token, text


async def sign_in_at_provider(provider: Provider, console: Console, **query: str) -> httpx.Response:
    """Sign in at the provider, and return the console's response."""
    back = provider.sign_in(await console.leave())
    if query:
        back = f"{provider.asked['redirect_uri']}?{urllib.parse.urlencode({'state': provider.asked['state'], **query})}"
    return await console.browser.get(back)


async def expect_refusal(provider: Provider, console: Console, status: int, text: str, **query: str) -> None:
    """Check that a sign-in is refused, and that the page shows the reason."""
    answer = await sign_in_at_provider(provider, console, **query)
    assert (answer.status_code, text in answer.text) == (status, True), answer.text
    assert auth.COOKIE not in console.browser.cookies
    assert await console.may() == 401
