"""Publications at destinations that this worker doesn't know.

Another worker may know the destination: during a rolling update, workers have different configurations. So the incident
stays due. Otherwise a post would stay public after its alerts have resolved, because the worker that can resolve it
would never see the incident again.
"""

from router.domain import incidents, publications, times
from router.domain.reasons import Cause, Reason
from router.domain.steps import Wait, WaitingOn
from router.domain.times import Duration, Timestamp
from router.telemetry import log

MIN_INTERVAL = Duration(5 * times.SECOND)
MAX_INTERVAL = Duration(10 * times.MINUTE)
_AGE_PARTS = 10

_log = log.get("worker")


def wait(incident: incidents.Incident, publication: publications.Publication, now: Timestamp) -> Wait:
    """Return when this or another worker looks at the publication again.

    The interval is a tenth of the time since the incident changed, within limits: a destination that was removed for
    good costs little, and a worker with a newer configuration takes over soon.
    """
    is_over = publication.settled or (incident.status == "closed" and not publication.is_begun)
    # Nothing is left to do there.
    if is_over:
        return Wait(Cause(Reason.DESTINATION_REMOVED), waiting_on=WaitingOn.OPERATOR)
    if publication.is_begun:
        _log.warning(
            "destination_unknown",
            destination=publication.destination,
            incident=incident.key,
            state=publication.state,
            url=publication.url,
        )
    interval = min(max(Duration((now - incident.changed_at) // _AGE_PARTS), MIN_INTERVAL), MAX_INTERVAL)
    return Wait(Cause(Reason.DESTINATION_REMOVED), Timestamp(now + interval), WaitingOn.OPERATOR)
