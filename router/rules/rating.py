"""How bad an alert is where a rule maps a field's texts onto the ladder."""

from collections.abc import Mapping
from dataclasses import dataclass

from router.domain import alerts, severities
from router.rules import fields, words


@dataclass(frozen=True, slots=True)
class Mapped:
    """The severity by the text of a field; a text that is not listed gets ``default``, or the sender's word decides."""

    field: fields.Field
    words: Mapping[str, severities.Severity]
    default: severities.Severity | None = None

    def severity(self, alert: alerts.Alert) -> severities.Severity:
        """Look the field's text up, upper and lower case being different."""
        found = self.words.get(self.field.reader()(alert), self.default)
        return words.severity(alert) if found is None else found
