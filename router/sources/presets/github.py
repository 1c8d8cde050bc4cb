"""GitHub's webhooks: a workflow that fails on a branch, or a deployment to an environment that fails.

The body identifies the event, like the header X-GitHub-Event: by the member that is named after the event.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from router.sources import objects
from router.sources.presets import preset

_SUCCESS = "success"
# These states don't indicate whether the branch or the environment works.
_WITHOUT_STATE = frozenset(
    {"action_required", "cancelled", "inactive", "in_progress", "neutral", "pending", "queued", "skipped", "stale"}
)


def _no_alert(body: objects.Members) -> str:
    if "zen" in body:
        return "a ping of the webhook"
    if "workflow_run" in body:
        action = objects.scalar(body.get("action"))
        return "" if action == "completed" else f"the workflow run is {action[:40]}, and not completed"
    if "deployment_status" in body:
        return ""
    return "the event is neither workflow_run nor deployment_status" if "repository" in body else ""


def _add_event(body: objects.Members) -> dict[str, Any]:
    repository = objects.scalar(objects.optional(body.get("repository")).get("full_name"))
    event = "workflow_run" if "workflow_run" in body else "deployment_status"
    subject = objects.optional(body.get(event))
    read = _workflow if event == "workflow_run" else _deployment
    return {**body, **read(body, subject, repository), "event": event, "repository": repository, "of": subject}


def _workflow(_body: objects.Members, run: objects.Members, repository: str) -> dict[str, Any]:
    """Return the parts of a workflow run. A workflow fails per branch; a fork's branch of the same name is separate."""
    origin = objects.scalar(objects.optional(run.get("head_repository")).get("full_name")) or repository
    branch, workflow = objects.scalar(run.get("head_branch")), objects.scalar(run.get("workflow_id"))
    name = objects.scalar(run.get("name"))
    where = branch if origin == repository else f"{origin}:{branch}"
    return {
        "key": f"{repository}/workflow/{workflow}/{where}" if repository and workflow else "",
        "title": f"{name} {_verb(run.get('conclusion'))} on {where} of {repository}" if name else "",
        "at": run.get("updated_at"),
        "link": run.get("html_url"),
        "labels": {"workflow": name, "branch": branch, "trigger": objects.scalar(run.get("event"))},
    }


def _deployment(body: objects.Members, status: objects.Members, repository: str) -> dict[str, Any]:
    """Return the parts of a deployment. Deployments of different tasks to one environment are separate alerts."""
    deployment = objects.optional(body.get("deployment"))
    environment = objects.scalar(status.get("environment") or deployment.get("environment"))
    task = objects.scalar(deployment.get("task"))
    return {
        "key": f"{repository}/{task or 'deploy'}/{environment}" if repository and environment else "",
        "title": f"Deployment of {repository} to {environment} {_verb(status.get('state'))}" if environment else "",
        "at": status.get("updated_at") or status.get("created_at"),
        "link": status.get("log_url") or status.get("target_url") or deployment.get("url"),
        "labels": {"environment": environment, "task": task, "ref": objects.scalar(deployment.get("ref"))},
    }


def _verb(state: Any) -> str:
    return "succeeded" if state == _SUCCESS else "failed"


PRESET = preset.Preset(
    mapping={
        "title": "title",
        "status": {
            "path": "workflow_run.conclusion || deployment_status.state",
            "firing": ["failure", "timed_out", "startup_failure", "error"],
            "resolved": [_SUCCESS],
        },
        "fingerprint": "key",
        "labels": {"*": "labels", "repository": "repository", "event": "event"},
        "annotations": {
            "description": "of.display_title || of.description",
            "state": "of.conclusion || of.state",
            "commit": "of.head_sha",
            "actor": "of.actor.login || of.creator.login",
            "attempt": "of.run_attempt",
        },
        # Each run has its own time, which redeliveries keep: runs are ordered by their ends.
        "starts_at": "at",
        "ends_at": "at",
        "link": "link",
    },
    ignored=_WITHOUT_STATE,
    no_alert=_no_alert,
    shape=_add_event,
)


class Config(preset.Config):
    """A GitHub webhook that posts to us."""

    kind: Literal["github"] = "github"
    sender: ClassVar[preset.Preset] = PRESET


def delivery_id(headers: Mapping[bytes, bytes], _body: bytes) -> str:
    """Return the delivery's GUID, which a redelivery keeps."""
    return headers.get(b"x-github-delivery", b"").decode("latin-1")


KIND = dataclasses.replace(
    preset.kind(Config, "GitHub, webhooks about workflow runs and deployments"), delivery_id=delivery_id
)
