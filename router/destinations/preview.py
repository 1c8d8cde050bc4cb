"""Previews a post as customers will see it: the rule's fields over the page's defaults, and each component's status.

A rule may name components without a status. A post has statuses, so reviewers are shown statuses.
"""

from collections.abc import Mapping
from typing import Any

from router.destinations import base, components, rule_fields
from router.domain import operations, publications
from router.domain.times import Timestamp
from router.outbound import errors


def preview_fields(
    kind: base.Kind, config: base.Config, destination: str, content: publications.Content, purpose: str = "opening"
) -> dict[str, Any]:
    """Return the fields of a content as an ``opening``, ``update``, ``monitoring``, or ``resolution`` publishes them.

    Every component has its status, and ``message`` is the text of the post. Fields that the vendor would refuse are
    unchanged; the call reports them.
    """
    operation = operations.Operation("open", "", destination, 0, content, Timestamp(0))
    try:
        read = rule_fields.parse_current(kind.opening, config, operation)
    except errors.Permanent:
        return dict(content.fields)
    values = {**config.defaults, **content.fields}
    fields = {name: getattr(read, name, value) for name, value in values.items()}
    component_names = getattr(read, "components", ())
    by_severity = getattr(config, "component_statuses", None)
    if component_names and by_severity:
        fields["components"] = components.statuses(component_names, content.severity, by_severity)
    text = _text(read, config, purpose)
    if text is not None:
        fields["message"] = text
    # A resolution sets all components of the post back.
    if purpose == "resolution" and "components" in fields:
        fields["components"] = dict.fromkeys(fields["components"], components.ORDER[0])
    return fields


def _text(read: base.Opening, config: base.Config, purpose: str) -> str | None:
    """Return the text that an update or a resolution posts; None if it is the field ``message``."""
    if purpose in {"update", "monitoring"}:
        update_message = getattr(read, "update_message", None)
        return getattr(config, "update_message", None) if update_message is None else update_message
    if purpose == "resolution":
        return getattr(read, "resolve_message", "") or getattr(config, "resolve_message", None)
    return None


def status_words(kind: base.Kind, status: str) -> str:
    """Return a component status in the vendor's words, as its page shows it: ``full outage``."""
    return kind.status_words.get(status, status).lower().replace("_", " ")


def component_statuses(kind: base.Kind, fields: Mapping[str, Any]) -> dict[str, str]:
    """Return the components of a post with their statuses in the vendor's words."""
    component_names = fields.get("components")
    if not isinstance(component_names, Mapping):
        return {}
    return {str(name): status_words(kind, str(status)) for name, status in component_names.items()}
