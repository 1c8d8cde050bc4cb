"""CloudWatch alarms by SNS: the alarm is JSON in a text field of the message that SNS posts.

Two other formats are read: a message's bare body, which SNS posts if raw delivery is enabled, and EventBridge's event,
if an EventBridge rule targets the topic.
"""

import re
from typing import Annotated, Any, Literal

import pydantic

from router.sources import alarms, base, eventbridge, objects, reading, sns, verifications
from router.yaml_source import quantities

_SUBSCRIBE_URL = re.compile(r"https://sns\.[a-z0-9-]+\.amazonaws\.com(\.cn)?/\?[!-~]{1,2000}")
_TO_DO = {
    "SubscriptionConfirmation": "SNS waits for the confirmation of this subscription",
    "UnsubscribeConfirmation": "this subscription has been ended; to restore it",
}


class Config(base.Config):
    """An SNS topic that posts to us.

    ``topics``: those whose messages are taken, each proven by SNS's signature, and whose subscriptions are confirmed.
    ``message_age``: how old a message may be; SNS retries a message with its original signature.
    """

    kind: Literal["cloudwatch"] = "cloudwatch"
    insufficient_data: alarms.InsufficientData = "ignore"
    other_messages: Literal["quarantine", "ignore"] = "quarantine"
    topics: tuple[Annotated[str, pydantic.AfterValidator(sns.topic)], ...] = ()
    message_age: quantities.Duration = quantities.duration("23h")

    @property
    def proves(self) -> bool:
        """Return whether requests are authenticated by something else than the ``Authorization`` header."""
        return bool(self.topics) or super().proves


class CloudWatch:
    """Reads the messages of one topic."""

    def __init__(self, config: Config) -> None:
        self._insufficient_data = config.insufficient_data
        self._ignores_others = config.other_messages == "ignore"

    def read(self, delivery: reading.Reading, body: objects.Members) -> base.Parsed:
        """Read the alarm of a message. Raises ``base.Unparsable`` also if SNS requests an action of the operator."""
        kind = objects.scalar(body.get("Type"))
        if kind in _TO_DO:
            raise _make_subscription_error(kind, body)
        # With raw delivery, the body is the message itself, without SNS's envelope.
        if kind != "Notification":
            return self._message(delivery, body, "")
        text = objects.scalar(body.get("Message"))
        try:
            message = objects.decode(text.encode())
        except base.Unparsable:
            return self._other("Message", "plain text, not an alarm", topic=objects.scalar(body.get("TopicArn")))
        return self._message(delivery, message, "Message.")

    def _message(self, delivery: reading.Reading, message: objects.Members, where: str) -> base.Parsed:
        if "AlarmName" in message and "NewStateValue" in message:
            alarm = _alarm(delivery, message, where)
        elif message.get("detail-type") == eventbridge.DETAIL_TYPE:
            alarm = eventbridge.alarm(delivery, message)
        else:
            return self._other(where.rstrip("."), "JSON, but not an alarm: AlarmName or NewStateValue is missing")
        return alarms.parse(delivery, alarm, self._insufficient_data)

    def _other(self, where: str, reason: str, **details: str) -> base.Parsed:
        if self._ignores_others:
            return objects.no_alert(reason, **details)
        raise base.Unparsable(where, f"{reason}; send only alarms to this topic, or set other_messages: ignore")


def _make_subscription_error(kind: str, body: objects.Members) -> base.Unparsable:
    """Return the error for a message about the subscription itself.

    The message is quarantined and logged, because no alarm arrives until the operator acts.
    """
    url = objects.scalar(body.get("SubscribeURL"))
    # Without `topics`, the message isn't verified. The router must not ask an operator to open a forged link.
    where = url if _SUBSCRIBE_URL.fullmatch(url) else "the URL in SubscribeURL, if it belongs to SNS"
    return base.Unparsable("Type", f"{_TO_DO[kind]}: open {where}")


def _alarm(delivery: reading.Reading, message: objects.Members, where: str) -> alarms.Alarm:
    trigger = objects.optional(message.get("Trigger"))
    several = [_metric(metric) for metric in alarms.metrics(trigger.get("Metrics"))]
    return alarms.Alarm(
        name=objects.require_text(message.get("AlarmName"), f"{where}AlarmName"),
        state=objects.require_text(message.get("NewStateValue"), f"{where}NewStateValue"),
        arn=objects.scalar(message.get("AlarmArn")),
        account=objects.scalar(message.get("AWSAccountId")),
        region=objects.scalar(message.get("Region")),
        changed_at=delivery.moment(message.get("StateChangeTime"), f"{where}StateChangeTime"),
        # An alarm on one metric has it in the trigger itself.
        metrics=several or ([_metric(trigger)] if trigger else []),
        annotations=objects.texts(
            {
                "description": message.get("AlarmDescription"),
                "reason": message.get("NewStateReason"),
                "alarm_rule": message.get("AlarmRule"),
            }
        ),
    )


def _metric(members: objects.Members) -> alarms.Metric:
    return alarms.Metric(
        objects.scalar(members.get("Namespace")),
        objects.scalar(members.get("MetricName")),
        _dimensions(members.get("Dimensions")),
    )


def _dimensions(dimensions: Any) -> dict[str, str]:
    """Return the dimensions by name. This format lists them as pairs of name and value."""
    pairs = [objects.optional(item) for item in dimensions] if isinstance(dimensions, list) else []
    values = {objects.scalar(pair.get("name")): pair.get("value") for pair in pairs}
    return objects.texts({name: value for name, value in values.items() if name})


def _verification(config: Config, fetch: verifications.Fetch) -> verifications.Verification | None:
    return sns.Topics(config.topics, config.message_age, fetch) if config.topics else None


KIND = base.Kind(
    name="cloudwatch",
    verification=_verification,
    config=Config,
    make=lambda name, config: objects.Source(name, CloudWatch(config).read),
    summary="AWS CloudWatch alarms, through SNS",
    # SNS doesn't retry after a 4xx: the message would be lost.
    unparsable_status=202,
)
