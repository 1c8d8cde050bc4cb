"""Two webs with different rules, as during each rollout, receive the same alerts in the same millisecond."""

import concurrent.futures
import shutil

import pytest

from tests.end_to_end import harness
from tests.faults import setups

ALERTS = 40
RULES = """
rules:
  - name: {name}
    when: {{labels.service: {{matches: "s.*"}}}}
    group_by: [{group}]
    open: [{{at: on-call, name: "{{{{ alert.title }}}}"}}]
"""


def send_to_both(webs: list[harness.Router], number: int, status: str) -> None:
    """Send one alert to both webhook servers at the same time."""
    alert = {"title": f"s{number} is down", "dedup_key": f"a{number}", "labels": {"service": f"s{number}"}}
    with concurrent.futures.ThreadPoolExecutor(len(webs)) as pool:
        for answer in [pool.submit(web.send_alert, status=status, **alert) for web in webs]:
            answer.result()


@pytest.mark.long
@pytest.mark.timeout(240)
def test_differing_rules_open_each_incident_once(tmp_path):
    rules = RULES.format(name="service-down", group="labels.service")
    with setups.run_setup(tmp_path, rules) as setup:
        newer = tmp_path / "newer"
        newer.mkdir()
        (newer / "rules").mkdir()
        (newer / "rules" / "10.yaml").write_text(RULES.format(name="down", group="title"))
        shutil.copy(setup.file, newer / "router.yaml")
        setup.file = newer / "router.yaml"
        webs = [setup.web, setup.another_web("newer-web")]
        workers = [setup.worker(f"w{number}") for number in range(2)]
        for number in range(ALERTS):
            send_to_both(webs, number, "firing")
            if number == ALERTS // 2:
                workers[0].kill()
                workers[0] = setup.worker("w2")
        harness.eventually(
            "all incidents are open", lambda: setup.vendors.incidents()["on-call"].count("open") >= ALERTS, 90
        )
        for number in range(ALERTS):
            webs[number % 2].send_alert(
                status="resolved", title=f"s{number} is down", dedup_key=f"a{number}", labels={"service": f"s{number}"}
            )
        harness.eventually("all are resolved", lambda: "open" not in setup.vendors.incidents()["on-call"], 90)
        assert len(setup.vendors.incidents()["on-call"]) == ALERTS
