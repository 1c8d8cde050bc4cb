"""Notices are limited in number and appear in the timelines of the affected incidents."""

from router.domain import notices, timeline

LABELS = notices.Notice("labels_truncated", "labels", "65 arrived, and 64 are kept", "f", 1)
ALERTS = notices.Notice("alerts_truncated", "alerts", "1001 arrived, and the first 1000 are read", "", 1)


def test_few_notices_are_unchanged():
    assert notices.limit([LABELS, ALERTS]) == (LABELS, ALERTS)


def test_repeated_notices_are_counted_and_others_kept():
    found = notices.limit([*[LABELS] * 1000, ALERTS])
    assert found[-2:] == (
        ALERTS,
        notices.Notice("labels_truncated", "alerts", "980 more changes of this kind", count=980),
    )
    assert len(found) == notices.MAX_PER_CODE + 2


def test_alert_has_its_own_and_its_delivery_s_notices():
    of = notices.by_fingerprint((LABELS, ALERTS))
    assert of("f") == (ALERTS, LABELS)
    assert of("other") == (ALERTS,)


def test_each_notice_code_is_recorded_once():
    """Each alert of a delivery carries the notices of the delivery, so folding must deduplicate them."""
    other = notices.Notice("labels_truncated", "labels", "70 arrived, and 64 are kept", "g", 6)
    cut, labels = timeline.notice_events([ALERTS, LABELS, ALERTS, other, ALERTS], 7)
    assert (cut.at, cut.what, cut.text) == (
        7,
        "notice",
        "alerts_truncated: alerts: 1001 arrived, and the first 1000 are read.",
    )
    assert labels.text == "labels_truncated: labels of f: 65 arrived, and 64 are kept (7 changes in all)."
    assert labels.detail == {"code": "labels_truncated", "count": 7, "where": "labels", "alert": "f"}


def test_no_event_is_recorded_without_notices():
    assert timeline.notice_events([], 7) == []
