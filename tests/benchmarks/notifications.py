"""From an alert's POST to Slack's receipt of the message: sequential, and at 20 new incidents per second.

    python tests/benchmarks/notifications.py --json FILE

Processes and cores are those of ``latency.py``. Slack is a second vendor. Each incident also opens at the first
vendor.
"""

from collections.abc import Mapping

import uvloop

from tests.benchmarks import latency, scene

RATE = 20
GOALS: Mapping[str, latency.Goal] = {"one at a time": (10.0, 50.0), "at a rate": (None, 250.0)}
SETTINGS = """
notifiers:
  chat: {{kind: slack, token: {{env: KEY}}, channel: "#ops", base_url: "{slack}", per_minute: 1000000}}
notify: {{incidents: [chat]}}
"""


def main() -> None:
    arguments = scene.parse_arguments(__doc__)
    with scene.scene(arguments) as stage:
        vendor, slack = latency.started_vendor(stage), latency.started_vendor(stage, "slack")
        settings = SETTINGS.format(slack=f"http://127.0.0.1:{slack}")
        web_server = stage.router("run", vendor=f"http://127.0.0.1:{vendor}", opens=latency.OPENS, settings=settings)
        scene.measure_on_core_1()
        uvloop.run(latency.one_at_a_time(web_server, slack, range(90_000, 90_000 + latency.WARM_UP)))
        with stage.busy("router") as busy:
            single = uvloop.run(latency.one_at_a_time(web_server, slack, range(20 if arguments.quick else 200)))
        rows = [latency.row("one at a time", single, GOALS, RATE, **busy)]
        with stage.busy("router") as busy:
            crowd = latency.at_a_rate(web_server, slack, range(10_000, 10_000 + int(arguments.seconds * RATE)), RATE)
        rows.append(latency.row("at a rate", crowd, GOALS, RATE, **busy))
    scene.report("milliseconds from the POST to Slack's receipt of the message", rows, arguments)


if __name__ == "__main__":
    main()
