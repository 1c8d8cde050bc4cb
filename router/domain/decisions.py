"""The rules' decision about one alert. It is made on receipt, stored with the alert, and never made again."""

from typing import Any, Literal

import msgspec

from router.domain import alerts, severities
from router.domain.times import Duration, Timestamp

Publish = Literal["shadow", "review", "auto"]
AtDeadline = Literal["publish", "dismiss"]


class Allowed(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The permitted values of a public variable: one of ``values``, or a full match of the RE2 ``pattern``.

    The rule file declares them. They are stored with the decision, so that a worker can check values without the rules.
    """

    values: tuple[str, ...] = ()
    pattern: str = ""


class Ending(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """How a public post ends once no alert fires.

    With ``monitor_for`` (microseconds; 0: not at all) the post is monitored for that long before it is resolved.
    ``monitoring`` are the fields of the post during that time, which override the target's own, and ``firing`` the
    fields if alerts fire again. ``review``: the resolution waits for a reviewer.
    """

    monitor_for: Duration = Duration(0)
    monitoring: dict[str, Any] = {}
    firing: dict[str, Any] = {}
    review: bool = False


class Target(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One destination of an incident.

    ``fields`` are the destination's own settings for this incident, as the rule gives them: already validated,
    templates not yet rendered. ``publish`` and the other fields matter at public destinations only. A review ends after
    ``deadline`` microseconds (0: never), and the post is then published or dismissed. ``fallback`` are fields that
    replace texts that must not be shown. ``parts`` map an alert to the component of a page that it affects: the
    component by the text of a field, by the field's name in rule files. ``public`` are the permitted values of
    variables in texts, by their names with dots; any other variable must not be shown to customers. ``ending`` says how
    the post ends. ``retrospective``: an incident that ended before it was published is published afterwards, as
    resolved.
    """

    destination: str
    fields: dict[str, Any] = {}
    publish: Publish = "review"
    deadline: Duration = Duration(0)
    at_deadline: AtDeadline = "dismiss"
    fallback: dict[str, Any] = {}
    parts: dict[str, dict[str, str]] = {}
    public: dict[str, Allowed] = {}
    ending: Ending = Ending()
    retrospective: bool = False
    remind_every: Duration = Duration(0)
    escalate_after: Duration = Duration(0)
    escalate_to: tuple[str, ...] = ()


class Timing(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """When an incident opens, ends, and reopens: durations in microseconds, 0 if there is none.

    ``open_after``: the incident opens only after alerts have fired for this time. ``resolve_after``: it ends only
    after no alert has fired for this time. ``reopen_within``: alerts that fire again within this time reopen it.
    ``stale_after``: an alert that was not received for this time has ended. ``max_hold``: an incident that keeps
    firing and resolving while it is held opens after this time.

    An incident that has gone quiet or fired again ``flap_changes`` times (0: any number) within ``flap_window`` is
    flapping: it ends only after no alert has fired for ``flap_quiet``.

    ``heartbeat`` is the interval in which a matching alert is expected. The incident opens if it is not received.
    """

    open_after: Duration = Duration(0)
    resolve_after: Duration = Duration(0)
    reopen_within: Duration = Duration(0)
    stale_after: Duration = Duration(0)
    max_hold: Duration = Duration(0)
    flap_changes: int = 0
    flap_window: Duration = Duration(0)
    flap_quiet: Duration = Duration(0)
    heartbeat: Duration = Duration(0)


class Reminders(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """When operators are reminded of an open incident: durations in microseconds, 0 if they aren't.

    ``remind_every``: while it isn't acknowledged. ``stale_after``: an acknowledgement stops reminders for this time.
    """

    remind_every: Duration = Duration(0)
    stale_after: Duration = Duration(0)


class Because(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One rule that matched, and its conditions as pairs of a field (empty if it uses several) and a description."""

    rule: str
    place: str
    asked: tuple[tuple[str, str], ...] = ()


class Response(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The response of the rules that matched, shared by every alert that matched the same rules.

    ``rule`` is the deciding rule's name, ``place`` its ``file:line``, ``version`` the hash of the rule set. ``labels``
    are set on the alert. ``copied`` are labels that get the text of the field that they name; texts may use them.
    ``owner`` and ``runbook`` are the rule's. ``because`` are all rules that decided, in their order.
    ``follows_severity``: the incident's severity is that of the worst alert that fires now, and not the highest there
    was. ``notify`` are the notifiers that receive every event of the incident. ``reminders`` say when operators are
    reminded of it.
    """

    rule: str
    place: str
    version: str
    targets: tuple[Target, ...] = ()
    timing: Timing = Timing()
    labels: dict[str, str] = {}
    copied: dict[str, str] = {}
    owner: str = ""
    runbook: str = ""
    because: tuple[Because, ...] = ()
    follows_severity: bool = False
    notify: tuple[str, ...] = ()
    reminders: Reminders = Reminders()


MuteWindow = tuple[Timestamp, Timestamp, str]
"""One occurrence of a schedule that mutes: start and end (microseconds, the end is exclusive), and its name."""

INHIBITION = "inhibit:"
"""The prefix of every inhibition key. No incident key of a rule has it, because a rule's name has no colon."""


class Decision(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The decision about one alert.

    Either ``response`` is set, with the resulting ``incident_key`` and ``severity``, or the alert is ignored and
    ``ignored`` gives the reason.

    The alert is muted while an incident of one of the keys ``while_open`` fires; keys that begin with ``INHIBITION``
    are inhibition keys, and fire while any alert fires that names them in ``inhibits``. An ignored alert may support
    inhibition keys, too. The alert is also muted while ``start <= now < end`` of one of the ``mute_windows``: the
    current and the next occurrences, in order, merged.
    """

    incident_key: str = ""
    severity: severities.Severity = severities.Severity.INFO
    response: Response | None = None
    ignored: str = ""
    while_open: tuple[str, ...] = ()
    mute_windows: tuple[MuteWindow, ...] = ()
    inhibits: tuple[str, ...] = ()


class Routed(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An alert and its decision.

    ``received_at`` is when the router accepted the message (microseconds; 0: unknown), ``retry_window`` for how many
    microseconds its source may deliver a message late (None: unknown).
    """

    alert: alerts.Alert
    decision: Decision
    received_at: Timestamp = Timestamp(0)
    retry_window: Duration | None = None
