"""Scripts and styles of the console, read once and served so that a browser loads each file only once.

Pages refer to a file with a hash of its content, so browsers may cache the file forever. The pages themselves are never
cached and never compressed: they contain secrets of the session beside texts from unknown senders.
"""

import gzip
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources

from starlette import exceptions, requests, responses, routing

_TYPES = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8", "txt": "text/plain; charset=utf-8"}
_GZIP = re.compile(r"gzip(\s*;\s*q=(1(\.0*)?|0\.\d*[1-9]\d*))?")
_FOR_EVER = "public, max-age=31536000, immutable"


@dataclass(frozen=True)
class _Asset:
    body: bytes
    packed: bytes
    digest: str


class Assets:
    """All static files, by name."""

    def __init__(self) -> None:
        folder = resources.files("router.console") / "static"
        self._assets: Mapping[str, _Asset] = {
            traversable.name: _read(traversable.read_bytes()) for traversable in folder.iterdir()
        }

    def address(self, name: str) -> str:
        """Return the path of the file with this name. Raises ``KeyError`` if there is none."""
        return f"/static/{name}?v={self._assets[name].digest}"

    def route(self) -> routing.Route:
        """Return the route that serves the files without authentication: they contain no secrets."""
        return routing.Route("/static/{name}", self._serve, methods=["GET"])

    async def _serve(self, request: requests.Request) -> responses.Response:
        name = request.path_params["name"]
        asset = self._assets.get(name)
        if asset is None:
            raise exceptions.HTTPException(404)
        packed = _takes_gzip(request.headers.get("accept-encoding", ""))
        # During an upgrade, a page of one version may request a file from a process of another version. The process
        # serves its own file, and the browser revalidates the file before the next use.
        headers = {
            "cache-control": _FOR_EVER if request.query_params.get("v") == asset.digest else "no-cache",
            "etag": f'"{asset.digest}{"-gzip" if packed else ""}"',
            "vary": "accept-encoding",
        }
        # The header may list several tags.
        if headers["etag"] in request.headers.get("if-none-match", ""):
            return responses.Response(None, 304, headers)
        if packed:
            headers["content-encoding"] = "gzip"
        headers["content-type"] = _TYPES[name.rpartition(".")[2]]
        return responses.Response(asset.packed if packed else asset.body, 200, headers)


def _read(body: bytes) -> _Asset:
    return _Asset(body, gzip.compress(body, 9, mtime=0), hashlib.sha256(body).hexdigest()[:16])


def _takes_gzip(accepted: str) -> bool:
    """Return whether the browser accepts gzip. A weight of 0 (``gzip;q=0``) means that it doesn't."""
    return any(_GZIP.fullmatch(coding.strip()) for coding in accepted.lower().split(","))
