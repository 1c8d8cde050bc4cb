"""The fields of a page's own draft that a rule keeps. They replace the rule's fields before the review.

    rule    title: Down    message: Sorry.    keep_draft: [title]
    draft   title: Checks fail in Zurich      impact: MINOR
    shown   title: Checks fail in Zurich      message: Sorry.

A destination reports its page's draft in the field ``draft`` of the view, by the names of a rule's fields.
"""

from collections.abc import Mapping
from typing import Any

from router.domain import publications, visible

_FIELD = "keep_draft"
_DRAFT = "draft"
_MAY_BE_EMPTY = frozenset({"components"})


def kept_fields(fields: Mapping[str, Any], publication: publications.Publication) -> dict[str, Any]:
    """Return the draft's values of the fields that the rule keeps; nothing if the page has no draft."""
    draft = publication.view.fields.get(_DRAFT) or {}
    names = fields.get(_FIELD) or ()
    # An empty text says nothing, so the rule's text stays. A draft without components affects none.
    fields_of_draft = {name: draft[name] for name in names if name in draft and (draft[name] or name in _MAY_BE_EMPTY)}
    return {name: visible.everywhere(value) for name, value in fields_of_draft.items()}


def texts(fields: Mapping[str, Any]) -> list[str]:
    """Return the texts of kept fields. No rule has written them, so they are checked before they are shown."""
    values = [value for value in fields.values() if isinstance(value, str)]
    return values + [name for value in fields.values() if isinstance(value, Mapping) for name in value]
