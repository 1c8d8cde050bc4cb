"""What the rules say of one alert; made at the door, carried with the alert, never made again."""

from typing import Any, Literal

import msgspec

from router.domain import alerts, severities

Publish = Literal["shadow", "review", "auto"]
AtDeadline = Literal["publish", "dismiss"]


class Allowed(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What a public variable may be: one of the ``values``, or what the RE2 ``pattern`` fits as a whole.

    The rule file declares it, and the text of a list is written out, so that a worker needs no rules to hold to it.
    """

    values: tuple[str, ...] = ()
    pattern: str = ""


class Ending(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """How a public post ends once nothing fires.

    With ``monitor_for`` (microseconds; 0: not at all) the post is monitored for so long before it is resolved.
    ``monitoring`` are the fields that the post has meanwhile, over the target's own, and ``firing`` the ones that it
    has if alerts fire again. ``review``: the resolution waits for a reviewer.
    """

    monitor_for: int = 0
    monitoring: dict[str, Any] = {}
    firing: dict[str, Any] = {}
    review: bool = False


class Target(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One destination that an incident appears at.

    ``fields`` are the destination's own settings for this incident, as the rule gives them: already validated,
    templates not yet rendered. ``publish`` matters at public destinations only, and so does the rest: a review is over
    after ``deadline`` microseconds (0: never), and what waited is then published or dismissed; ``fallback`` are fields
    that take the place of texts which must not be shown. ``parts`` say which component of a page an alert affects:
    the component by the text of a field, by the field's name in rule files. ``public`` says what the variables in the
    texts may be, by their names with dots; any other variable must not be shown to customers. ``ending`` says how the
    post ends. ``retrospective``: what was over before anything was published is published afterwards, as over.
    """

    destination: str
    fields: dict[str, Any] = {}
    publish: Publish = "review"
    deadline: int = 0
    at_deadline: AtDeadline = "dismiss"
    fallback: dict[str, Any] = {}
    parts: dict[str, dict[str, str]] = {}
    public: dict[str, Allowed] = {}
    ending: Ending = Ending()
    retrospective: bool = False
    remind_every: int = 0
    escalate_after: int = 0
    escalate_to: tuple[str, ...] = ()


class Timing(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """When an incident opens, ends, and is the same again: durations in microseconds, 0 where there is none.

    ``hold``: it opens only once it has fired for so long. ``resolve_after``: it ends only once all was quiet for so
    long. ``reopen_within``: firing again within this takes it up again. ``stale_after``: an alert that was not heard of
    for so long has ended. ``hold_at_most``: what comes and goes while it is held opens all the same after so long.

    An incident that has gone quiet or fired again ``flap_changes`` times (0: any number) within ``flap_within`` is
    flapping: it ends only once all was quiet for ``flap_quiet``.

    With ``heartbeat`` it is the other way round: what matches has to be heard of at least so often, and the incident is
    that it is not.
    """

    hold: int = 0
    resolve_after: int = 0
    reopen_within: int = 0
    stale_after: int = 0
    hold_at_most: int = 0
    flap_changes: int = 0
    flap_within: int = 0
    flap_quiet: int = 0
    heartbeat: int = 0


class Because(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One rule that matched, and what it asked: pairs of a field (empty for what asks more) and words about it."""

    rule: str
    place: str
    asked: tuple[tuple[str, str], ...] = ()


class Response(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What follows once a rule has matched: shared by every alert that matched the same rules.

    ``rule`` is the deciding rule's name, ``place`` its ``file:line``, ``version`` the hash of the rule set. ``labels``
    are set on the alert, ``copied`` get the text of the field that they name; texts may use them. ``owner`` and
    ``runbook`` are the rule's; ``because`` are all rules that decided, in their order. ``follows_severity``: the
    incident's severity is that of the worst alert that fires now, and not the highest there was. ``notify`` are the
    notifiers that receive every event of the incident.
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


MuteWindow = tuple[int, int, str]
"""One occurrence of a schedule that mutes: start and end (microseconds, the end is exclusive), and its name."""

INHIBITION = "inhibit:"
"""What every inhibition key begins with; no incident key of a rule does, since a rule's name has no colon."""


class Decision(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What was decided of one alert.

    Either ``response`` is there, with the ``incident_key`` and ``severity`` it leads to, or the alert is ignored
    and ``ignored`` says why.

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
    received_at: int = 0
    retry_window: int | None = None
