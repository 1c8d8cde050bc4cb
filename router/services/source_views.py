"""Presents how a source authenticates senders: its row in the list of sources, as text without secrets."""

from typing import Any

from router.services import resources
from router.sources import base, registry
from router.web import webhooks

_ANYONE = "anyone may post: `auth: none` is set"


def row(name: str, config: base.Config) -> resources.Source:
    """Return a configured source as a list row."""
    return resources.Source(
        name=name,
        kind=config.kind,
        path=f"{webhooks.PREFIX}{name}",
        proofs=_proofs(config) or ["anyone"],
        allow_from=[str(network) for network in config.allow_from],
        warnings=[_ANYONE] if config.auth == "none" else [],
    )


def _proofs(config: base.Config) -> list[str]:
    """Return how a sender is authenticated. The text has ``or`` between alternatives."""
    # Only the number of secrets is shown: more than one means that a rotation is in progress.
    header = [f"{word} ({len(secrets)})" for word, secrets in _authorizations(config) if secrets]
    proofs = [" or ".join(header)] if header else []
    endpoint = registry.build("shown", config)
    if endpoint.verification is not None:
        proofs.append(endpoint.verification.description)
    if endpoint.token is not None and config.token is not None:
        proofs.append(f"token in the {endpoint.token.place} ({len(config.token.values)})")
    if config.signature is not None:
        proofs.append(f"{config.signature.scheme} signature ({len(config.signature.secrets)})")
    return proofs


def _authorizations(config: base.Config) -> list[tuple[str, tuple[Any, ...]]]:
    return [("bearer token", config.bearer), ("user and password", config.basic)]
