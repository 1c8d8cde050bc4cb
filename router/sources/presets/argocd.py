"""Argo CD's notifications by webhook: one application whose health or last sync changed.

The user defines the template of the body. An application is well if it is healthy and its last sync succeeded.
Notifications contain both, so that the end of one problem doesn't resolve the other.
"""

from typing import Any, ClassVar, Literal

from router.sources import objects
from router.sources.presets import preset

_UNHEALTHY = {"degraded", "missing"}
_FAILED = {"failed", "error"}
_SUCCEEDED = {"succeeded", ""}


def _state(body: objects.Members) -> str:
    """Return ``firing``, ``resolved``, or empty text while the application is in transition."""
    health, phase = (objects.scalar(body.get(name)).strip().casefold() for name in ("health", "phase"))
    if health in _UNHEALTHY or phase in _FAILED:
        return "firing"
    return "resolved" if health == "healthy" and phase in _SUCCEEDED else ""


def _no_alert(body: objects.Members) -> str:
    if not body.get("app") or _state(body):
        return ""
    return "the application is neither healthy nor degraded: it is syncing, progressing, suspended, or unknown"


def _add_key(body: objects.Members) -> dict[str, Any]:
    """Add the key. Names are unique in one namespace of one Argo CD."""
    name, state = objects.scalar(body.get("app")), _state(body)
    place = [objects.scalar(body.get("argocd_url")), objects.scalar(body.get("namespace")), name]
    broken = objects.scalar(body.get("health")).strip().casefold() in _UNHEALTHY
    problem = objects.scalar(body.get("health")).lower() if broken else "not synced"
    return {
        **body,
        "key": "/".join(filter(None, place)) if name else "",
        "state": state,
        "title": f"{name} is {problem if state == 'firing' else 'healthy'}" if name else "",
    }


PRESET = preset.Preset(
    mapping={
        "title": "title",
        "status": {"path": "state"},
        "fingerprint": "key",
        "severity": "severity",
        "labels": {
            "*": "labels",
            "app": "app",
            "project": "project",
            "cluster": "cluster",
            "namespace": "destination_namespace",
        },
        "annotations": {
            "description": "message || health_message",
            "health": "health",
            "sync": "sync",
            "phase": "phase",
            "revision": "revision",
        },
        "link": "link",
    },
    no_alert=_no_alert,
    shape=_add_key,
)


class Config(preset.Config):
    """An Argo CD that posts to us."""

    kind: Literal["argocd"] = "argocd"
    sender: ClassVar[preset.Preset] = PRESET


KIND = preset.kind(Config, "Argo CD, notifications by webhook")
