import pytest

from router.domain import severities
from router.rules import severity_aliases


@pytest.mark.parametrize(
    ("word", "severity"),
    [
        ("critical", "critical"),
        ("page", "critical"),
        ("P1", "critical"),
        (" FATAL ", "critical"),
        ("error", "major"),
        ("high", "major"),
        ("warning", "minor"),
        ("something else", "minor"),
        ("", "minor"),
        ("info", "info"),
        ("sev4", "info"),
    ],
)
def test_sender_s_severity_is_mapped_to_a_standard_one(make_alert, word, severity):
    assert severity_aliases.severity(make_alert(severity=word)) is severities.parse(severity)


def test_severity_label_applies_without_a_sender_severity(make_alert):
    assert severity_aliases.severity(make_alert({"severity": "page"})) is severities.Severity.CRITICAL
    assert severity_aliases.severity(make_alert({"severity": "page"}, severity="info")) is severities.Severity.INFO


@pytest.mark.parametrize("word", severities.WORDS)
def test_standard_severity_names_map_to_themselves(make_alert, word):
    assert severity_aliases.severity(make_alert(severity=word)) is severities.parse(word)
