"""How bad an alert is where a rule maps a field's texts onto the ladder."""

from collections.abc import Mapping
from dataclasses import dataclass

from router.domain import alerts, severities
from router.rules import fields, severity_aliases


@dataclass(frozen=True, slots=True)
class SeverityMapping:
    """The severity by the text of a field; a text that is not listed gets ``default``, or the sender's word decides."""

    field: fields.Field
    by_text: Mapping[str, severities.Severity]
    default: severities.Severity | None = None

    def severity(self, alert: alerts.Alert) -> severities.Severity:
        """Look the field's text up, upper and lower case being different."""
        found = self.by_text.get(self.field.reader()(alert), self.default)
        return severity_aliases.severity(alert) if found is None else found
