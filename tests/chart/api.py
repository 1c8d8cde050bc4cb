"""A Kubernetes API with a fixed set of objects, which answers Helm's `lookup` during an upgrade."""

import contextlib
import http.server
import json
import os
import subprocess
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tests.chart import helm

_RESOURCES = {
    "v1": [{"name": "secrets", "singularName": "secret", "namespaced": True, "kind": "Secret", "verbs": ["get"]}],
    "apps/v1": [
        {"name": "statefulsets", "singularName": "", "namespaced": True, "kind": "StatefulSet", "verbs": ["get"]}
    ],
}
_PLURALS = {"Secret": "api/v1/namespaces/alerts/secrets", "StatefulSet": "apis/apps/v1/namespaces/alerts/statefulsets"}


@contextlib.contextmanager
def serve(objects: Iterable[helm.Object], folder: Path) -> Iterator[Path]:
    """Serve these objects on loopback; yield the path of a kubeconfig for the server."""
    answers: dict[str, Any] = {
        f"/{_PLURALS[one['kind']]}/{one['metadata']['name']}": one for one in objects if one["kind"] in _PLURALS
    }
    for version, resources in _RESOURCES.items():
        path = f"/api/{version}" if "/" not in version else f"/apis/{version}"
        answers[path] = {"kind": "APIResourceList", "groupVersion": version, "resources": resources}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = answers.get(self.path.partition("?")[0])
            missing = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404}
            body = json.dumps(missing if found is None else found).encode()
            self.send_response(404 if found is None else 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Suppress the request log."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        serve = threading.Thread(target=server.serve_forever, daemon=True)
        serve.start()
        file = folder / "kubeconfig"
        file.write_text(json.dumps(_kubeconfig(f"http://127.0.0.1:{server.server_port}")))
        try:
            yield file
        finally:
            server.shutdown()
            serve.join()


def upgrade(values: helm.Object, kubeconfig: Path) -> dict[tuple[str, str], helm.Object]:
    """Render with a cluster that answers, as in an upgrade. Raises ``helm.Refused`` with Helm's message."""
    command = [helm.program(), "template", helm.RELEASE, str(helm.CHART), "--namespace", helm.NAMESPACE]
    environment = os.environ | {
        "KUBECONFIG": str(kubeconfig),
        "HELM_CACHE_HOME": str(kubeconfig.parent),
        "NO_PROXY": "*",
    }
    done = subprocess.run(
        [*command, "--is-upgrade", "--dry-run=server", "--values", "-"],
        input=json.dumps(values),
        env=environment | {"HOME": str(kubeconfig.parent)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if done.returncode:
        raise helm.RenderError(done.stderr + done.stdout)
    return helm.objects(done.stdout)


def _kubeconfig(server: str) -> helm.Object:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "contexts": [{"name": "here", "context": {"cluster": "here", "user": "here"}}],
        "clusters": [{"name": "here", "cluster": {"server": server}}],
        "users": [{"name": "here", "user": {}}],
    }
