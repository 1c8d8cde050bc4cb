"""Public pages through real processes: reviewed, drafted at the vendor, or published by the vendor's automation."""

import subprocess
from pathlib import Path

from tests.end_to_end import harness

KEY = 'checkout-down{labels.service="checkout"}'


def configure_review(folder: Path, at: harness.Vendors) -> Path:
    return harness.configure(folder, at, publish="review")


def list_reviews(router: harness.Router) -> str:
    return router.command("reviews", "list").stdout


def test_reviewed_post_is_public_only_after_approval(tmp_path):
    with harness.vendors() as at, harness.router(tmp_path, configure_review(tmp_path, at)) as router:
        router.send_alert(severity="critical")
        harness.eventually("the incident opens at DevHelm", lambda: at.incidents()["devhelm"] == ["open"])
        harness.eventually(
            "both pages have a pending review", lambda: list_reviews(router).count("Checkout is unavailable") == 2
        )
        assert at.incidents()["public-page"] == at.incidents()["devhelm-page"] == []
        approved = router.command("reviews", "approve", KEY, "public-page", "--by", "ann")
        assert approved.stdout == 'approved by ann: "Checkout is unavailable" at "public-page"\n'
        harness.eventually("one page shows the post", lambda: at.incidents()["public-page"] == ["open"])
        assert at.incidents()["devhelm-page"] == []
        again = router.command("reviews", "approve", KEY, "public-page")
        assert again.returncode == 1
        assert "nothing of incident" in again.stderr
        router.send_alert(status="resolved")
        harness.eventually("the incident is resolved", lambda: at.incidents()["public-page"] == ["resolved"])
        assert at.incidents()["devhelm-page"] == []
        harness.eventually("no review is pending", lambda: "nothing waits" in list_reviews(router))


def test_draft_created_by_the_page_is_adopted(tmp_path):
    with harness.vendors() as at:
        file = harness.configure(tmp_path, at, page="Acme EU", publish="auto")
        with harness.router(tmp_path, file) as router:
            router.send_alert(severity="critical")
            harness.eventually("the draft is published", lambda: "open" in at.incidents()["devhelm-page"])
            (post,) = [
                incident
                for page in at.state()["devhelm"]["pages"]
                if page["slug"] == "acme-eu"
                for incident in page["incidents"]
            ]
            assert post["title"] == "Checkout is unavailable"
            assert post["incidentId"] == at.state()["devhelm"]["incidents"][0]["incident"]["id"]
            assert "We are investigating." in at.shown("devhelm", "acme-eu")
            router.send_alert(status="resolved")
            harness.eventually("the incident is resolved", lambda: at.incidents()["devhelm-page"] == ["resolved"])


def test_reviewed_draft_is_dismissed_after_the_incident(tmp_path):
    with harness.vendors() as at:
        file = harness.configure(tmp_path, at, page="Acme EU", publish="review")
        with harness.router(tmp_path, file) as router:
            router.send_alert(severity="critical")
            harness.eventually("the draft has the rule's text", lambda: at.calls("PUT", "/incidents/"))
            assert "Checkout is unavailable" not in at.shown("devhelm", "acme-eu")
            router.send_alert(status="resolved")
            harness.eventually("the draft is dismissed", lambda: at.posts() == [])


def test_self_publishing_page_gets_one_post(tmp_path):
    with harness.vendors() as at:
        file = harness.configure(tmp_path, at, page="Acme Auto", publish="auto")
        with harness.router(tmp_path, file) as router:
            router.send_alert(severity="critical")
            harness.eventually(
                "the page shows the rule's text", lambda: "We are investigating." in at.shown("devhelm", "acme-auto")
            )
            assert len(at.posts()) == 1
            router.send_alert(status="resolved")
            harness.eventually("the incident is resolved", lambda: at.incidents()["devhelm-page"] == ["resolved"])


def test_demo_succeeds_and_prints_a_summary(tmp_path):
    result = subprocess.run(
        [harness.COMMAND, "demo", "--no-wait"], cwd=tmp_path, capture_output=True, text=True, timeout=90, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert "incidents out  1" in result.stdout
    assert "alerts in      540" in result.stdout
