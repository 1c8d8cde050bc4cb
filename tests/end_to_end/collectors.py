"""A collector of traces, by OTLP over HTTP."""

import threading
from http import server

from opentelemetry.proto.collector.trace.v1 import trace_service_pb2


class Collector:
    """An OTLP collector that decodes the posted data."""

    def __init__(self) -> None:
        self.spans: list = []
        self.services: set[str] = set()
        outer = self

        class Handler(server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                assert self.path == "/v1/traces"
                for resource in trace_service_pb2.ExportTraceServiceRequest.FromString(body).resource_spans:
                    names = {attribute.key: attribute.value.string_value for attribute in resource.resource.attributes}
                    outer.services.add(names["service.name"])
                    outer.spans += [span for scope in resource.scope_spans for span in scope.spans]
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_) -> None:
                pass

        self._server = server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
