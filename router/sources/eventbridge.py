"""CloudWatch alarms by EventBridge: an API destination posts the event "CloudWatch Alarm State Change" unchanged.

EventBridge forwards every transition, whether or not the alarm has actions for it.
"""

from typing import Literal

from router.sources import alarms, base, objects, reading

DETAIL_TYPE = "CloudWatch Alarm State Change"


class Config(base.Config):
    """An EventBridge API destination that posts to us."""

    kind: Literal["eventbridge"] = "eventbridge"
    insufficient_data: alarms.InsufficientData = "ignore"


class EventBridge:
    """Reads the events of one API destination."""

    def __init__(self, config: Config) -> None:
        self._insufficient_data = config.insufficient_data

    def read(self, delivery: reading.Reading, body: objects.Members) -> base.Parsed:
        """Read the alarm of an event."""
        return alarms.parse(delivery, alarm(delivery, body), self._insufficient_data)


def alarm(delivery: reading.Reading, event: objects.Members) -> alarms.Alarm:
    """Read an event. Raises ``base.Unparsable`` if it isn't a state change of an alarm."""
    kind = objects.scalar(event.get("detail-type"))
    if kind != DETAIL_TYPE:
        problem = f"{kind[:60]!r} is not an alarm" if kind else "missing: an input transformer may have removed it"
        raise base.Unparsable("detail-type", f"{problem}; let the rule match only {DETAIL_TYPE!r} and send it whole")
    detail = objects.members(event.get("detail"), "detail")
    state = objects.members(detail.get("state"), "detail.state")
    configuration = objects.optional(detail.get("configuration"))
    resources = event.get("resources")
    return alarms.Alarm(
        name=objects.require_text(detail.get("alarmName"), "detail.alarmName"),
        state=objects.require_text(state.get("value"), "detail.state.value"),
        # The event's only resource is the alarm.
        arn=objects.scalar(resources[0]) if isinstance(resources, list) and resources else "",
        account=objects.scalar(event.get("account")),
        region=objects.scalar(event.get("region")),
        # The state has the time of the transition, so the event's own time is the second choice.
        changed_at=delivery.moment(state.get("timestamp"), "detail.state.timestamp")
        or delivery.moment(event.get("time"), "time"),
        metrics=[_metric(metric) for metric in alarms.metrics(configuration.get("metrics"))],
        annotations=objects.texts(
            {
                "description": configuration.get("description"),
                "reason": state.get("reason"),
                "alarm_rule": configuration.get("alarmRule"),
            }
        ),
    )


def _metric(members: objects.Members) -> alarms.Metric:
    return alarms.Metric(
        objects.scalar(members.get("namespace")),
        objects.scalar(members.get("name")),
        objects.texts(objects.optional(members.get("dimensions"))),
    )


KIND = base.Kind(
    name="eventbridge",
    config=Config,
    make=lambda name, config: objects.Source(name, EventBridge(config).read),
    summary="AWS CloudWatch alarms, through EventBridge",
    # Whether EventBridge retries after a 4xx is undocumented, and a retry would fail again.
    unparsable_status=202,
)
