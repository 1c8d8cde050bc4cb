"""Alerts about the router itself: a failing account, a tripped publishing guard, a long freeze, an alert storm."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from router.domain import alerts, severities, times
from router.domain.times import Duration, Timestamp
from router.store import publishing_state, storm_queue, unreadable_deliveries
from router.worker import circuit_breaker

SOURCE = RULE = "incident-router"


@dataclass(frozen=True)
class ReportKind:
    """A kind of report: its ``kind`` and its name there, and the texts for people."""

    kind: str
    name: str
    alertname: str
    title: str
    text: str
    severity: severities.Severity = severities.Severity.MAJOR

    @property
    def key(self) -> str:
        """Return the key of its incident."""
        return f'{RULE}{{{self.kind}="{self.name}"}}'

    def alert(self, status: alerts.Status, since: Timestamp, now: Timestamp, reason: str) -> alerts.Alert:
        """Return the alert of the report; times in microseconds."""
        ends_at = Timestamp(0) if status == "firing" else now
        labels = {"alertname": self.alertname, self.kind: self.name}
        fingerprint = f"{self.kind}/{self.name}"
        return alerts.Alert(
            SOURCE,
            fingerprint,
            status,
            since or now,
            ends_at,
            self.title,
            labels,
            {"reason": reason},
            self.severity.word,
        )


@dataclass(frozen=True)
class Finding:
    """The state of one subject: whether to report it (None: unknown), since when (0: now), and why."""

    report: ReportKind
    fires: bool | None
    since: Timestamp = Timestamp(0)
    reason: str = ""


GUARD = ReportKind(
    "pages",
    "guard",
    "PublishingGuardTripped",
    "incident-router: the publishing guard has tripped",
    "There were too many automatic posts, or a source contradicted itself, so posts wait for a reviewer. "
    "`incident-router publishing status` shows the reason, "
    "`incident-router reviews list` what waits, and `incident-router publishing reset` lets rules publish again.",
)
EARLIER_GUARD = replace(GUARD, name="breaker")
"""The report about the guard by earlier versions. It is resolved."""
FREEZE = ReportKind(
    "pages",
    "freeze",
    "PagesFrozen",
    "incident-router: the public pages are frozen",
    "Nothing is posted there, not even resolutions, until `incident-router publishing unfreeze`.",
    severities.Severity.MINOR,
)
STORM = ReportKind(
    "storm",
    "incidents",
    "AlertStorm",
    "incident-router: an alert storm holds incidents back",
    "More incidents were due to open than are allowed per window.",
)


def of_account(name: str) -> ReportKind:
    """Return the report about a destination."""
    return ReportKind(
        "destination",
        name,
        "DestinationFails",
        f"incident-router can't reach {name}",
        "Incidents there are neither opened nor resolved until it works again. See the router's log.",
    )


def accounts(conditions: Mapping[str, circuit_breaker.AccountHealth], after: int, now: Timestamp) -> Iterator[Finding]:
    """Yield the states of accounts.

    An account has to fail for ``after`` microseconds before it is reported, and to work before the report ends.
    """
    for name, condition in conditions.items():
        lasts = condition.failing_since > 0 and now - condition.failing_since >= after
        # A short failure neither opens a report nor ends one.
        fires = True if lasts else False if condition.works else None
        yield Finding(of_account(name), fires, condition.failing_since, condition.reason)


def pages(state: publishing_state.PublishingState, frozen_after: Duration, now: Timestamp) -> Iterator[Finding]:
    """Report a tripped guard immediately, and a freeze once it has lasted for ``frozen_after``."""
    stop = state.tripped or next(iter(state.tripped_pages.values()), None)
    yield Finding(GUARD, stop is not None, Timestamp(stop.at if stop else 0), stop.why if stop else "")
    yield Finding(EARLIER_GUARD, fires=False)
    frozen = state.frozen
    lasts = frozen is not None and now - frozen.at >= frozen_after
    yield Finding(FREEZE, lasts, Timestamp(frozen.at if frozen else 0), str(frozen) if frozen else "")


def storm(state: storm_queue.StormState) -> Finding:
    """Return whether there is an alert storm, with roughly how many incidents wait, and since when."""
    began_at = datetime.fromtimestamp(state.since // 1_000_000, UTC).isoformat(" ")
    waiting = f"At least {_roughly(state.waiting)} are queued" if state.waiting else "The queue is empty"
    text = (
        f"{STORM.text} {waiting}; the first was queued at {began_at}. The most severe open first. "
        "`incident-router incidents show` shows whether an incident is queued."
    )
    return Finding(replace(STORM, text=text), state.since > 0, state.since, f"{state.waiting} incidents wait")


SOURCE_KIND = "source"
"""The kind of the reports about a source whose deliveries can't be read."""


@dataclass(frozen=True)
class UnreadableReportSettings:
    """When and for how long unreadable deliveries are reported (microseconds), and with which severity."""

    after: int = 0
    resolve_after: Duration = Duration(30 * times.MINUTE)
    severity: severities.Severity = severities.Severity.MAJOR


def unreadable(
    counted: Iterable[unreadable_deliveries.UnreadableCount], counts: UnreadableReportSettings, now: Timestamp
) -> Iterator[Finding]:
    """Report each source whose deliveries can't be read, until none has been unreadable for ``resolve_after``."""
    for unreadable_count in counted:
        began_at = datetime.fromtimestamp(unreadable_count.since // 1_000_000, UTC).isoformat(" ")
        many = (
            "A delivery" if unreadable_count.number == 1 else f"At least {_roughly(unreadable_count.number)} deliveries"
        )
        text = (
            f'{many} from source "{unreadable_count.source}" since {began_at} could not be read, '
            "so no incident was opened. "
            f"First problem: {_plain(unreadable_count.problem)}. `incident-router quarantine list` shows "
            "the bodies, and "
            "`incident-router quarantine retry ID` processes it after a fix."
        )
        title = f"incident-router: deliveries from {unreadable_count.source} can't be read"
        report = ReportKind(SOURCE_KIND, unreadable_count.source, "DeliveriesUnreadable", title, text, counts.severity)
        is_over = now - unreadable_count.last_at >= counts.resolve_after
        # Until the problem has lasted for ``after``, a report is neither opened nor ended.
        fires = False if is_over else True if now - unreadable_count.since >= counts.after else None
        yield Finding(report, fires, unreadable_count.since, _plain(unreadable_count.problem))


def _plain(problem: str) -> str:
    """Return an error text without control characters, and shortened, because it may quote the body."""
    return "".join(letter if letter.isprintable() else "·" for letter in problem[:200]).rstrip(".")


def _roughly(count: int) -> int:
    """Round a number to 1, 2, or 5 times a power of ten, so that a report changes only if the number changes a lot."""
    power: int = 10 ** (len(str(count)) - 1)
    return max(step for step in (power, 2 * power, 5 * power) if step <= count)
