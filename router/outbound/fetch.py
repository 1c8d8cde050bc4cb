"""Fetches or posts one document at a URL that isn't a vendor's API."""

from collections.abc import Mapping

import httpx

from router.outbound import authorities, errors, loopback


async def get(url: str, *, timeout_seconds: float, most_bytes: int) -> bytes:
    """Fetch a document within a size limit, without following redirects. Raises ``errors.Temporary``."""
    try:
        async with (
            httpx.AsyncClient(
                timeout=timeout_seconds,
                follow_redirects=False,
                trust_env=True,
                verify=authorities.tls_context(of_environment=True),
            ) as http,
            http.stream("GET", url) as answer,
        ):
            if not answer.is_success:
                raise errors.Temporary(f"the answer was {answer.status_code}")
            parts = []
            size = 0
            async for part in answer.aiter_bytes():
                size += len(part)
                # Stop at the limit instead of reading on: the server may send without end.
                if size > most_bytes:
                    raise errors.Temporary(f"the answer is longer than {most_bytes} bytes")
                parts.append(part)
            return b"".join(parts)
    except httpx.HTTPError as error:
        raise errors.Temporary(f"there was no answer: {type(error).__name__}") from error


async def post(url: str, body: bytes, headers: Mapping[str, str], *, timeout_seconds: float) -> int:
    """Post a JSON document once and return the status. Raises ``errors.Temporary`` if there is no response."""
    status, _ = await exchange(url, body, headers, timeout_seconds=timeout_seconds)
    return status


async def exchange(url: str, body: bytes, headers: Mapping[str, str], *, timeout_seconds: float) -> tuple[int, bytes]:
    """Post a document once and return the status and the body. It is JSON unless the headers say otherwise.

    Raises ``errors.Temporary`` if there is no response.
    """
    # A proxy or an authority from the environment applies to other hosts, never to this machine.
    outside = not loopback.is_loopback(url)
    sent = {"content-type": "application/json", **headers}
    try:
        async with httpx.AsyncClient(
            timeout=timeout_seconds,
            follow_redirects=False,
            trust_env=outside,
            verify=authorities.tls_context(of_environment=outside),
        ) as http:
            answer = await http.post(url, content=body, headers=sent)
            return answer.status_code, answer.content
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise errors.Temporary(f"there was no answer: {type(error).__name__}") from error
