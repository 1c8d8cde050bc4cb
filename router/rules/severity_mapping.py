"""The severity of an alert whose rule maps a field's texts to severities."""

from collections.abc import Mapping
from dataclasses import dataclass

from router.domain import alerts, severities
from router.rules import fields, severity_aliases


@dataclass(frozen=True, slots=True)
class SeverityMapping:
    """Maps the text of a field to a severity. Any other text gets ``default``, or else the sender's severity."""

    field: fields.Field
    by_text: Mapping[str, severities.Severity]
    default: severities.Severity | None = None

    def severity(self, alert: alerts.Alert) -> severities.Severity:
        """Return the severity of an alert; the comparison is case-sensitive."""
        mapped = self.by_text.get(self.field.reader()(alert), self.default)
        return severity_aliases.severity(alert) if mapped is None else mapped
