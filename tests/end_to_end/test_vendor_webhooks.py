"""People act at the simulated vendors, which send signed webhooks. No test waits for a poll."""

import pytest

from tests.end_to_end import harness

SECRETS = {"incident-io": "whsec_c2VjcmV0LW9mLWEtdGVzdA==", "devhelm": "shared-secret"}
LAST = {"on-call": "incident-io", "devhelm": "devhelm"}


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    """Run a router with an incident open everywhere, and its URL at both vendors."""
    folder = tmp_path_factory.mktemp("told")
    with harness.vendors() as at:
        file = harness.configure(folder, at)
        text = file.read_text()
        for name, vendor in LAST.items():
            kind = f"{{kind: {vendor}, api_key: {{env: KEY}},"
            assert kind in text
            text = text.replace(kind, f"{kind} webhook: {{secrets: [{{env: {name.upper().replace('-', '_')}}}]}},")
        file.write_text(text)
        given = {name.upper().replace("-", "_"): SECRETS[vendor] for name, vendor in LAST.items()}
        with harness.router(folder, file, **given) as router:
            for name, vendor in LAST.items():
                url = f"{router.url}/v1/vendor-webhooks/{name}"
                asked = {"vendor": vendor, "url": url, "secret": SECRETS[vendor]}
                assert harness.ask(f"{at.url}/webhooks", asked)[0] == 201
            router.send_alert()
            harness.eventually("the incident is open everywhere", lambda: at.is_everywhere("open"))
            yield router, at


def person(at, vendor, method, path, body):
    status, answer = harness.ask(f"{at.url}/{vendor}{path}", body, "any key", method)
    assert status < 300, answer


def timeline_contains(scene, words):
    """Return whether the timeline has this entry."""
    router, _ = scene
    result = router.command("incidents", "show", 'checkout-down{labels.service="checkout"}')
    assert result.returncode == 0, result.stderr
    return words in " ".join(result.stdout.split())


def is_counted(scene, name):
    """Return whether the worker has handled these webhooks, and all of them were authentic."""
    metrics = scene[0].metrics()
    counter = f'incident_router_vendor_webhooks_total{{destination="{name}",outcome='
    return f'{counter}"looked_at"}} 0.0' not in metrics and f'{counter}"unauthorized"}} 0.0' in metrics


def count_requests(at, path):
    """Return how often the router has requested this path."""
    return len(at.calls("GET", path))


def test_timeline_names_an_incident_resolved_at_devhelm(scene):
    _, at = scene
    (one,) = at.state()["devhelm"]["incidents"]
    identity = one["incident"]["id"]
    person(at, "devhelm", "POST", f"/api/v1/incidents/{identity}/resolve", {"body": "Fixed."})
    harness.eventually(
        "the timeline has the entry",
        lambda: timeline_contains(scene, "It was resolved at devhelm by a person"),
        every=0.5,
    )
    harness.eventually("the webhook is counted", lambda: is_counted(scene, "devhelm"))


def test_timeline_names_a_title_edited_on_a_page(scene):
    """The page's destination has no webhook. The webhook of the incidents' destination reports the change."""
    _, at = scene
    (post,) = at.state()["incident-io"]["status_page_incidents"]
    path = f"/v2/status_page_incidents/{post['id']}"
    # The router reads a page every 15 s until the first read after a change, and then every five minutes.
    harness.eventually("the post was read", lambda: count_requests(at, path))
    person(at, "incident-io", "PUT", path, {"name": "Card payments fail"})
    harness.eventually(
        "the timeline has the entry",
        lambda: timeline_contains(scene, "At public-page a person has changed the title"),
        every=0.5,
    )
    harness.eventually("the webhook is counted", lambda: is_counted(scene, "on-call"))
