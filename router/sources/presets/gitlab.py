"""GitLab's webhooks: a pipeline that fails on a branch, or a deployment that fails.

Alerts for GitLab's HTTP alert endpoint are read, too, so that their senders can post to the router instead.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from router.sources import objects, times
from router.sources.presets import preset

_SUCCESS = "success"
# A pipeline or a deployment in these states doesn't indicate whether a branch or an environment works.
_UNFINISHED = "created waiting_for_resource preparing pending running manual scheduled blocked approved"
_STOPPED = "canceling canceled skipped"
_WITHOUT_STATE = frozenset(f"{_UNFINISHED} {_STOPPED}".split())


def _no_alert(body: objects.Members) -> str:
    kind = objects.scalar(body.get("object_kind"))
    return f"{kind[:40]} is neither a pipeline nor a deployment" if kind not in {"", "pipeline", "deployment"} else ""


def _has_ended(body: objects.Members) -> bool:
    """Return whether an alert has an end. Go's zero time means none."""
    end = objects.scalar(body.get("end_time"))
    try:
        return times.from_text(end) > 0
    except ValueError:
        return bool(end)


def _add_event(body: objects.Members) -> dict[str, Any]:
    kind = objects.scalar(body.get("object_kind"))
    project = objects.optional(body.get("project"))
    path = objects.scalar(project.get("path_with_namespace"))
    if kind == "pipeline":
        subject = _pipeline(objects.optional(body.get("object_attributes")), path)
    else:
        subject = _deployment(body, path) if kind == "deployment" else _alert(body)
    return {**body, **subject, "kind": kind or "alert"}


def _pipeline(attributes: objects.Members, project: str) -> dict[str, Any]:
    """Return the parts of a pipeline.

    A branch may have several pipelines (nightly, pushed, child) that fail separately.

    Pipelines are distinguished by their name, or else by their trigger. A tag or a merge request may have the same ref
    as a branch.
    """
    ref, source = objects.scalar(attributes.get("ref")), objects.scalar(attributes.get("source"))
    name = objects.scalar(attributes.get("name"))
    space = (
        "tag" if attributes.get("tag") is True else "merge_request" if source.startswith("merge_request") else "branch"
    )
    state = objects.scalar(attributes.get("status"))
    return {
        "key": f"{project}/pipeline/{space}/{ref}/{name or source}" if project and ref else "",
        "title": f"{name or 'Pipeline'} {_verb(state)} on {ref} of {project}" if project else "",
        "at": attributes.get("finished_at") or attributes.get("created_at"),
        "link": attributes.get("url"),
        "labels": {"project": project, "ref": ref, "pipeline": name, "source": source, "ref_type": space},
        "details": {"commit": attributes.get("sha"), "duration_seconds": attributes.get("duration")},
    }


def _deployment(body: objects.Members, project: str) -> dict[str, Any]:
    environment, state = objects.scalar(body.get("environment")), objects.scalar(body.get("status"))
    return {
        "key": f"{project}/deployment/{environment}" if project and environment else "",
        "title": f"Deployment of {project} to {environment} {_verb(state)}" if project and environment else "",
        "at": body.get("status_changed_at"),
        "link": body.get("deployable_url"),
        "labels": {"project": project, "ref": objects.scalar(body.get("ref")), "environment": environment},
        "details": {"commit": body.get("short_sha"), "description": body.get("commit_title")},
    }


def _alert(body: objects.Members) -> dict[str, Any]:
    """Return the parts of an alert. It is resolved if it has an end.

    Like GitLab, derive a missing fingerprint from the title, the service, the environment, and the hosts.
    """
    title, service = objects.scalar(body.get("title")), objects.scalar(body.get("service"))
    environment = objects.scalar(body.get("gitlab_environment_name"))
    hosts = body.get("hosts")
    names = [objects.scalar(host) for host in hosts] if isinstance(hosts, list) else [objects.scalar(hosts)]
    fingerprint = objects.scalar(body.get("fingerprint"))
    return {
        "key": fingerprint or (objects.digest(title, service, environment, *names) if title else ""),
        "title": title,
        "state": ("resolved" if _has_ended(body) else "firing") if title else "",
        "at": body.get("end_time") if _has_ended(body) else body.get("start_time"),
        "labels": {"service": service, "environment": environment, "hosts": ",".join(filter(None, names))},
        "details": {"description": body.get("description"), "tool": body.get("monitoring_tool")},
    }


def _verb(state: str) -> str:
    return "succeeded" if state == _SUCCESS else "failed"


PRESET = preset.Preset(
    mapping={
        "title": "title",
        "status": {
            "path": "object_attributes.status || status || state",
            "firing": ["failed"],
            "resolved": [_SUCCESS],
        },
        "fingerprint": "key",
        "severity": "severity",
        "labels": {"*": "labels", "event": "kind"},
        "annotations": {"*": "details"},
        "starts_at": "at",
        "ends_at": "at",
        "link": "link",
    },
    ignored=_WITHOUT_STATE,
    no_alert=_no_alert,
    shape=_add_event,
)


class Config(preset.Config):
    """A GitLab webhook, or a client of GitLab's alert endpoint, that posts to us."""

    kind: Literal["gitlab"] = "gitlab"
    sender: ClassVar[preset.Preset] = PRESET


def delivery_id(headers: Mapping[bytes, bytes], _body: bytes) -> str:
    """Return the key of the delivery, which its retries keep."""
    return headers.get(b"idempotency-key", b"").decode("latin-1")


KIND = dataclasses.replace(
    preset.kind(Config, "GitLab, webhooks about pipelines and deployments, and alerts"), delivery_id=delivery_id
)
