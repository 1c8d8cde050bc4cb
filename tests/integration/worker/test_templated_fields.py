"""Templates fill fields from labels. An alert without the label opens an incident without the field."""

from tests.end_to_end import harness

MONITOR = "11111111-1111-4111-8111-111111111111"
RULES = """
rules:
  - name: monitored
    when: {labels.env: shop}
    group_by: [labels.pod]
    open:
      - at: devhelm
        title: "{{ alert.labels.pod }} is down"
        monitor_id: "{{ alert.labels.monitor }}"
        severity: "{% if alert.labels.tier == 'one' %}DOWN{% else %}DEGRADED{% endif %}"
      - at: on-call
        name: "{{ alert.labels.pod }} is down"
        incident_type: "{{ alert.labels.type }}"
        custom_field_entries: [{custom_field_id: FIELD, values: [{value_text: "{{ alert.labels.team }}"}]}]
        incident_role_assignments: [{incident_role_id: ROLE, assignee: {email: "{{ alert.labels.owner }}"}}]
"""


def get_first_id(at, listed):
    """Return the ID of the first item of a list at incident.io."""
    return harness.ask(f"{at.url}/incident-io/v2/{listed}", token="any key")[1][listed][0]["id"]


def group_by_pod(at):
    """Return the requests to each vendor by the pod of the incident."""
    sent = {}
    for call in at.calls("POST"):
        if call["path"].endswith("/incidents") and call["status"] < 300 and call["body"]:
            body = call["body"]
            sent[call["vendor"], (body.get("name") or body["title"]).split()[-3]] = body
    return sent


def test_missing_label_omits_the_field(tmp_path):
    with harness.vendors() as at:
        rules = RULES.replace("FIELD", get_first_id(at, "custom_fields")).replace(
            "ROLE", get_first_id(at, "incident_roles")
        )
        with harness.router(tmp_path, harness.configure(tmp_path, at, rules=rules)) as router:
            full = {"monitor": MONITOR, "tier": "one", "team": "shop", "owner": "ada@example.com", "type": "Security"}
            odd = {"monitor": "checkout-42", "owner": "nobody"}
            for pod, labels in (("full", full), ("odd", odd), ("bare", {})):
                router.send_alert(dedup_key=pod, labels={"env": "shop", "pod": pod, **labels})
            sent = harness.eventually(
                "all incidents are open", lambda: found if len(found := group_by_pod(at)) == 6 else {}
            )
            assert sent["devhelm", "full"]["monitorId"] == MONITOR
            severities = [sent["devhelm", pod]["severity"] for pod in ("full", "odd", "bare")]
            assert severities == ["DOWN", "DEGRADED", "DEGRADED"]
            assert not any("monitorId" in sent["devhelm", pod] for pod in ("odd", "bare"))
            [role] = sent["incident-io", "full"]["incident_role_assignments"]
            assert role["assignee"] == {"email": "ada@example.com"}
            named = {"custom_field_entries", "incident_role_assignments", "incident_type_id"}
            assert named <= sent["incident-io", "full"].keys()
            assert not any(named & sent["incident-io", pod].keys() for pod in ("odd", "bare"))
            output = router.command("incidents", "show", 'monitored{labels.pod="odd"}').stdout
            assert "monitor_id: left out" in output
            assert "incident_role_assignments: entry 1 was omitted: Value error, not an email address" in output
