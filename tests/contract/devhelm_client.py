"""DevHelm's Python client, extended with calls that the API has and the client lacks, in the client's models."""

from typing import Any

import devhelm
from devhelm import _generated, _http, _validation


class Client(devhelm.Devhelm):
    """The router's calls to DevHelm, made with the vendor's client."""

    @property
    def wire(self) -> Any:
        return self.incidents._client

    def add_update(self, incident: Any, **fields: Any) -> Any:
        return self._send(_generated.AddIncidentUpdateRequest, _generated.IncidentDetailDto, fields, incident)

    def publish(self, page: Any, post: Any, **fields: Any) -> Any:
        path = f"/api/v1/status-pages/{page}/incidents/{post}/publish"
        shape = _generated.PublishStatusPageIncidentRequest
        return self._send(shape, _generated.StatusPageIncidentDto, fields, path=path)

    def search(self, **filters: Any) -> Any:
        params = _generated.IncidentFilterParams(**{"page": 0, "size": 200, **filters})
        query = params.model_dump(mode="json", by_alias=True, exclude_none=True)
        told = _http.api_get(self.wire, "/api/v1/incidents", params=query)
        return _validation.parse_list(_generated.IncidentDto, told["data"])

    def _send(self, shape: Any, answer: Any, fields: Any, incident: Any = None, path: str = "") -> Any:
        body = _validation.validate_request(shape, fields)
        told = _http.api_post(self.wire, path or f"/api/v1/incidents/{incident}/updates", body)
        return _validation.parse_single(answer, told)
