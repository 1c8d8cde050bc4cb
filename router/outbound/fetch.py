"""One document by its address, for the few that are fetched from elsewhere than a configured vendor."""

import httpx

from router.outbound import client, errors


async def get(url: str, *, timeout_seconds: float, most_bytes: int) -> bytes:
    """Get a document of at most so many bytes, following no redirect; ``errors.Temporary`` where there is none."""
    try:
        async with (
            httpx.AsyncClient(
                timeout=timeout_seconds,
                follow_redirects=False,
                trust_env=True,
                verify=client.trusted(of_environment=True),
            ) as http,
            http.stream("GET", url) as answer,
        ):
            if not answer.is_success:
                raise errors.Temporary(f"the answer was {answer.status_code}")
            parts = []
            size = 0
            async for part in answer.aiter_bytes():
                size += len(part)
                if size > most_bytes:
                    raise errors.Temporary(f"the answer is longer than {most_bytes} bytes")
                parts.append(part)
            return b"".join(parts)
    except httpx.HTTPError as error:
        raise errors.Temporary(f"there was no answer: {type(error).__name__}") from error
