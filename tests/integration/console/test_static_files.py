"""The console's scripts and styles are cached, compressed, and replaced when the version changes."""

import gzip
import re

import pytest

PLAIN = {"accept-encoding": "identity"}
MOST_BYTES = 100_000


@pytest.fixture
def play(play):
    def run(body):
        async def with_client(at):
            await body(await at.client())

        play(with_client)

    return run


async def list_asset_urls(client):
    """Return the URLs of a page's scripts and styles."""
    matches = re.findall(r'(?:src|href)="(/static/[^"]*)"', (await client.get("/sign-in")).text)
    assert len(matches) == 4
    return matches


def test_versioned_files_are_cached_for_a_year(play):
    async def body(client):
        for address in await list_asset_urls(client):
            answer = await client.get(address)
            assert answer.status_code == 200
            assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
            assert re.search(r"\?v=[0-9a-f]{16}$", address)
            assert answer.headers["etag"].strip('"').startswith(address.rpartition("=")[2])

    play(body)


def test_pages_and_errors_are_not_cached(play):
    async def body(client):
        for path in ("/sign-in", "/", "/static/none.js", "/static/..%2Fapp.py"):
            assert (await client.get(path)).headers["cache-control"] == "no-store"

    play(body)


def test_unknown_static_path_is_not_found(play):
    async def body(client):
        for path in ("/static/none.js", "/static/", "/static/..%2Fapp.py", "/static/%2e%2e/app.py"):
            assert (await client.get(path)).status_code == 404

    play(body)


@pytest.mark.parametrize(
    ("accepted", "packed"),
    [
        ("gzip, deflate, br", True),
        ("br;q=1.0, GZIP;q=0.5", True),
        ("gzip; q=1", True),
        ("gzip;q=0, br", False),
        ("gzip;q=0.000", False),
        ("identity", False),
        ("", False),
    ],
)
def test_static_file_is_compressed_if_the_client_accepts(play, accepted, packed):
    async def body(client):
        address = next(url for url in await list_asset_urls(client) if "htmx" in url)
        async with client.stream("GET", address, headers={"accept-encoding": accepted}) as answer:
            raw = b"".join([piece async for piece in answer.aiter_raw()])
        assert (answer.headers.get("content-encoding") == "gzip") is packed
        assert answer.headers["vary"] == "accept-encoding"
        whole = (await client.get(address, headers=PLAIN)).content
        assert (gzip.decompress(raw) if packed else raw) == whole

    play(body)


def test_cached_file_gets_304_per_encoding(play):
    async def body(client):
        address = (await list_asset_urls(client))[0]
        packed = await client.get(address, headers={"accept-encoding": "gzip"})
        plain = await client.get(address, headers=PLAIN)
        assert packed.headers["etag"] != plain.headers["etag"]
        for had in (packed, plain):
            asking = {"if-none-match": had.headers["etag"], "accept-encoding": had.request.headers["accept-encoding"]}
            again = await client.get(address, headers=asking)
            assert (again.status_code, again.content) == (304, b"")
            assert again.headers["etag"] == had.headers["etag"]
        assert (await client.get(address, headers=PLAIN | {"if-none-match": '"other"'})).status_code == 200

    play(body)


def test_file_of_another_version_is_not_cached(play):
    async def body(client):
        for query in ("", "?v=0123456789abcdef"):
            answer = await client.get("/static/console.css" + query)
            assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-cache")

    play(body)


def test_page_with_all_its_files_is_small(play):
    async def body(client):
        loaded = [(await client.get(url, headers=PLAIN)).content for url in await list_asset_urls(client)]
        page = (await client.get("/sign-in")).content
        assert len(page) + sum(map(len, loaded)) < MOST_BYTES

    play(body)


def test_scripts_and_styles_have_their_content_types(play):
    async def body(client):
        told = {
            url.partition("?")[0]: (await client.get(url)).headers["content-type"]
            for url in await list_asset_urls(client)
        }
        assert told["/static/console.css"] == "text/css; charset=utf-8"
        assert told["/static/console.js"] == told["/static/theme.js"] == "text/javascript; charset=utf-8"

    play(body)
