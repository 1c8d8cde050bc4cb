"""The state of the simulated vendors is compared with the firing alerts: no duplicate and no unneeded open incident."""

from collections import Counter

import pytest

from tools.soak import cluster, verdict


def make_incident_io_incident(key: str = "k1", category: str = "live", reference: str = "IR-1") -> dict:
    status = {"category": category}
    return {"name": f"Key {key}", "incident_status": status, "summary": f"Something.\n\nReference: {reference}"}


def on_page(key: str = "k1", status: str = "investigating") -> dict:
    return {"name": f"Outage {key}", "incident_status": status}


def make_devhelm_incident(key: str = "k1", status: str = "WATCHING") -> dict:
    return {"incident": {"title": f"Key {key} [IR-1]", "status": status}}


def post(key: str = "k1", status: str = "INVESTIGATING") -> dict:
    return {"title": f"Outage {key}", "status": status}


def vendors(**parts: list) -> dict:
    """One incident of k1 at every vendor, unless a test overrides it."""
    pages = [
        {"name": cluster.PAGE, "incidents": parts.get("posts", [post()])},
        {"name": "Another", "incidents": parts.get("elsewhere", [])},
    ]
    return {
        "incident-io": {
            "incidents": parts.get("ours", [make_incident_io_incident()]),
            "status_page_incidents": parts.get("on_page", [on_page()]),
        },
        "devhelm": {"incidents": parts.get("theirs", [make_devhelm_incident()]), "pages": pages},
    }


WANTED = Counter(["k1"])


def test_one_open_item_per_destination_is_correct():
    assert list(verdict.doubled(vendors(), WANTED)) == []


@pytest.mark.parametrize(
    ("parts", "place"),
    [
        ({"ours": [make_incident_io_incident(), make_incident_io_incident(reference="IR-2")]}, "on-call"),
        ({"on_page": [on_page(), on_page()]}, "public-page"),
        ({"theirs": [make_devhelm_incident(), make_devhelm_incident()]}, "devhelm"),
        ({"posts": [post(), post()]}, "devhelm-page"),
    ],
)
def test_duplicate_open_items_are_found(parts, place):
    assert list(verdict.doubled(vendors(**parts), WANTED)) == [f"k1 is open 1 times too often at {place}"]


@pytest.mark.parametrize(
    "parts",
    [
        {"ours": [make_incident_io_incident(), make_incident_io_incident(category="closed", reference="IR-2")]},
        {"on_page": [on_page(), on_page(status="resolved")]},
        {"theirs": [make_devhelm_incident(), make_devhelm_incident(status="RESOLVED")]},
        {"posts": [post(), post(status="RESOLVED")]},
        {"elsewhere": [post(), post()]},
    ],
)
def test_ended_and_foreign_items_are_not_counted(parts):
    assert list(verdict.doubled(vendors(**parts), WANTED)) == []


def test_ended_duplicate_at_incident_io_is_found():
    twice = vendors(ours=[make_incident_io_incident(), make_incident_io_incident(category="closed")])
    assert list(verdict.doubled(twice, WANTED)) == ["incident.io has 2 incidents of IR-1"]


def test_open_items_without_firing_alerts_are_found():
    assert len(list(verdict.doubled(vendors(), Counter()))) == 4


def test_keys_are_read_from_titles():
    found = verdict.shown(
        vendors(
            theirs=[make_devhelm_incident("k12")],
            posts=[post("k12")],
            ours=[make_incident_io_incident("k12")],
            on_page=[],
        )
    )
    assert [place for place, keys in found.items() if keys == {"k12": 1}] == ["on-call", "devhelm", "devhelm-page"]
    assert found["public-page"] == {}


def test_verdict_is_clean_only_without_findings():
    assert verdict.Verdict([], [], []).clean
    for position in range(3):
        assert not verdict.Verdict(*([] if at != position else ["k1"] for at in range(3))).clean
