"""The severities of monitoring systems, mapped to the router's four. They apply to rules that set no severity."""

from router.domain import alerts, severities

_CRITICAL, _MAJOR, _MINOR, _INFO = (
    severities.Severity.CRITICAL,
    severities.Severity.MAJOR,
    severities.Severity.MINOR,
    severities.Severity.INFO,
)

DEFAULT = _MINOR

WORDS: dict[str, severities.Severity] = {
    **dict.fromkeys(
        ("critical", "crit", "page", "fatal", "emergency", "emerg", "disaster", "blocker", "down"), _CRITICAL
    ),
    **dict.fromkeys(("p0", "p1", "sev0", "sev1"), _CRITICAL),
    **dict.fromkeys(("major", "error", "err", "high", "alert", "p2", "sev2"), _MAJOR),
    **dict.fromkeys(("minor", "warning", "warn", "medium", "average", "low", "p3", "sev3"), _MINOR),
    **dict.fromkeys(("info", "informational", "information", "notice", "debug", "ok", "none"), _INFO),
    **dict.fromkeys(("p4", "p5", "sev4", "sev5"), _INFO),
}


def severity(alert: alerts.Alert) -> severities.Severity:
    """Return the sender's severity: that of the alert, or else its label ``severity``. An unknown word is ``minor``."""
    word = alert.severity or alert.labels.get("severity", "")
    # Most senders write a known word in lower case, so the text is changed only if it isn't found.
    known = WORDS.get(word)
    if known is None:
        return WORDS.get(word.strip().lower(), DEFAULT)
    return known
