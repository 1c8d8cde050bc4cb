"""The contracts of the commands with scripts: exit statuses, and the models of the management API that they print.

``--help`` and the reference page are generated from this module, and a test checks every command against it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pydantic
import typer

from router.services import models, resources

GENERAL: Mapping[int, str] = {
    0: "The command succeeded.",
    1: "The result is negative, or the command failed: the name doesn't exist, a check failed, the router refused, the "
    "configuration can't be used, or Redis or the router can't be reached.",
    2: "The usage is wrong: an unknown option, an invalid value, or an ambiguous name. Nothing was changed.",
    3: "The result differs from what the caller knows; only for commands that declare this status.",
    141: "The reader of standard output, such as `head`, has exited.",
}
"""The meaning of the exit statuses for all commands."""


@dataclass(frozen=True)
class Contract:
    """The contract of one command: its special exit statuses, and the model that ``--json`` prints."""

    statuses: Mapping[int, str] = field(default_factory=dict)
    json: type[pydantic.BaseModel] | None = None


def _contract(failed: str = "", json: type[pydantic.BaseModel] | None = None, differs: str = "") -> Contract:
    # A command without a special meaning of a status has the general one.
    return Contract({number: meaning for number, meaning in ((1, failed), (3, differs)) if meaning}, json)


_NO_INCIDENT = "No incident has this name."
_NO_REVIEW = "The incident has no pending review at this destination."
_CHANGED = "The post has changed since you looked, or another reviewer decided first. Nothing was changed."
_NOT_KEPT = "The delivery isn't archived."
_NO_LETTER = "No dead letter has this ID."
_NO_BODY = "No body in the quarantine has this ID."
_NO_SILENCE = "No silence has this ID."
_UNREAD = "The payload can't be parsed, completely or in part."
_NOTHING = _contract()

CONTRACTS: Mapping[str, Contract] = {
    "run": _contract("The router can't start: its configuration, its rules, or a port."),
    "web": _contract("The process can't start: its configuration, its rules, or a port."),
    "worker": _contract("The worker can't start, or the data in Redis has a newer version."),
    "simulate": _NOTHING,
    "demo": _NOTHING,
    "check": _contract("There are errors, or with --strict warnings."),
    "test": _contract("A test failed."),
    "explain": _contract("The payload can't be read, or the delivery isn't archived."),
    "deliveries replay": _contract(
        differs="With --exit-code: the two rule folders lead to different incidents or posts."
    ),
    "schema": _NOTHING,
    "backup": _contract("There is nothing to back up, or the file can't be written. Don't use an incomplete file."),
    "restore": _contract("The file is incomplete or damaged, or Redis isn't empty. The message has the reason."),
    "publishing status": _contract(json=models.Publishing),
    "publishing freeze": _NOTHING,
    "publishing unfreeze": _NOTHING,
    "publishing reset": _NOTHING,
    "dead-letters list": _contract(json=models.Page[resources.DeadLetter]),
    "dead-letters show": _contract(_NO_LETTER, resources.DeadLetter),
    "dead-letters redrive": _contract(_NO_LETTER),
    "dead-letters discard": _contract(_NO_LETTER),
    "heartbeats list": _contract(json=models.Page[resources.Heartbeat]),
    "heartbeats forget": _contract("No heartbeat has this name."),
    "incidents list": _contract(json=models.Page[models.IncidentRow]),
    "incidents show": _contract(_NO_INCIDENT, models.Incident),
    "incidents ack": _contract("No incident has this name, or it isn't open."),
    "incidents unack": _contract("No incident has this name, or it isn't acknowledged."),
    "incidents correct": _contract(
        "No incident has this name, or the update can't be corrected.",
        differs="The update has changed since you looked.",
    ),
    "incidents retract": _contract("No incident has this name, or there is nothing to retract."),
    "notifiers list": _contract(json=models.Page[resources.Notifier]),
    "notifiers test": _contract("The test event could not be delivered."),
    "notifiers redeliver": _contract("No such events are stored."),
    "orphans list": _contract(json=models.Page[resources.Orphan]),
    "orphans resolve": _contract("No orphan has this ID."),
    "pauses list": _contract(json=models.Page[resources.Pause]),
    "pauses lift": _contract("No destination has this name."),
    "sources parse": _contract(_UNREAD),
    "sources send": _contract("The router did not accept the sample, can't read it, or did not treat it as a test."),
    "sources list": _contract(json=models.Page[resources.Source]),
    "sources kinds": _contract(json=models.Page[resources.SourceKind]),
    "sources snippet": _NOTHING,
    "rules stats": _contract(json=resources.Outcomes),
    "rules declare": _NOTHING,
    "silences list": _contract(json=models.Page[resources.Silence]),
    "silences show": _contract(_NO_SILENCE, resources.Silence),
    "silences add": _NOTHING,
    "silences expire": _contract(_NO_SILENCE[:-1] + ", or it has ended."),
    "tokens create": _NOTHING,
    "tokens list": _contract(json=models.Page[resources.TokenRow]),
    "tokens revoke": _contract("No token has this ID."),
    "deliveries list": _contract(json=models.Page[models.DeliveryRow]),
    "deliveries show": _contract(_NOT_KEPT, models.Delivery),
    "deliveries export": _NOTHING,
    "quarantine list": _contract(json=models.Page[resources.Quarantined]),
    "quarantine show": _contract(_NO_BODY, resources.Quarantined),
    "quarantine retry": _contract("The body still can't be read, or no body has this ID."),
    "quarantine discard": _contract(_NO_BODY),
    "reviews list": _contract(json=models.Page[models.Review]),
    "reviews show": _contract(_NO_REVIEW, models.Review),
    "reviews take": _contract(_NO_REVIEW, differs="Another person has taken the review. Nothing was changed."),
    "reviews release": _contract("Nothing waits for review at this destination, or the review isn't taken."),
    "reviews approve": _contract(_NO_REVIEW, differs=_CHANGED),
    "reviews edit": _contract(_NO_REVIEW, differs=_CHANGED),
    "reviews dismiss": _contract(_NO_REVIEW, differs=_CHANGED),
}
"""The contract of each command, by its words."""


def apply(app: typer.Typer, *words: str) -> None:
    """Append the exit statuses to the help of every command below ``app``."""
    for command in app.registered_commands:
        command.epilog = _epilog(CONTRACTS.get(" ".join((*words, command.name or "")), _NOTHING))
    for group in app.registered_groups:
        # The words of a group precede those of its commands, as on the command line.
        if group.typer_instance is not None:
            apply(group.typer_instance, *words, str(group.name))


def _epilog(contract: Contract) -> str:
    """Return the exit statuses as one line."""
    # The special meanings come last, so that they replace the general ones.
    statuses = {0: "Success.", 1: "The command failed, or the answer is no.", 2: "Wrong usage.", **contract.statuses}
    return " ".join(["Exit status:", *(f"{number}: {meaning}" for number, meaning in sorted(statuses.items()))])
