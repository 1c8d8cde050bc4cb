"""All keys in the store: pattern, type, content, and lifetime.

| key                              | type   | holds                                             | lifetime        |
| -------------------------------- | ------ | ------------------------------------------------- | --------------- |
| ``ir:{inbox}:stream``            | stream | accepted deliveries, ``h`` encoded, ``b`` the body | until processed |
| ``ir:{inbox}:archive``           | stream | deliveries that were processed, as in the inbox   | as configured   |
| ``ir:{inbox}:dead``              | stream | dead deliveries, with the reason                  | until discarded |
| ``ir:{inbox}:large``              | stream | when the latest large delivery was accepted       | permanent       |
| ``ir:{inbox}:mark``              | string | nothing: written for replicas to acknowledge      | permanent       |
| ``ir:{inbox}:suspects``          | hash   | entry → processes that started it again           | a week          |
| ``ir:{inbox}:quarantine``        | stream | authentic bodies that could not be parsed         | until handled   |
| ``ir:{inbox}:unreadable``         | hash   | source → deliveries that could not be read        | while reported  |
| ``ir:{inbox}:seen:DIGEST``       | string | our ID of a delivery, by the sender's ID          | a day           |
| ``ir:{inbox}:workers``           | zset   | worker name → time of its last heartbeat          | an hour at most |
| ``ir:{dataset}:marker``          | hash   | ``id`` of the data set, when and how it was lost  | permanent       |
| ``ir:{dataset}:marks``           | hash   | process → when it last wrote here                 | a day           |
| ``ir:{dataset}:orphans``         | hash   | open items at a vendor without an incident        | until adopted   |
| ``ir:{dataset}:claims``          | hash   | orphan → the incident key that adopts it          | 30 days         |
| ``ir:{dataset}:turn:NAME``       | string | set while a worker lists a destination's items    | a minute        |
| ``ir:{schema}:version``          | string | the schema version of the data                    | permanent       |
| ``ir:{schema}:restoring``        | string | when a restore of a backup began                  | until it ends   |
| ``ir:{pages}:gate``              | hash   | ``freeze``, ``breaker``, and who ended them last  | permanent       |
| ``ir:{pages}:posts``             | zset   | post made automatically → when                    | the window      |
| ``ir:{pages}:touched``           | zset   | component touched automatically → when            | the window      |
| ``ir:{rules}:counts:RULE``       | hash   | review outcome → count                            | permanent       |
| ``ir:{rules}:good``              | hash   | ``v``, ``at``, ``d``: the last good rule files    | permanent       |
| ``ir:{pages}:components:PAGE``   | hash   | episode and component → its status                | while open      |
| ``ir:{pages}:updates:PAGE``      | zset   | update of a page → when                           | an hour         |
| ``ir:{storm}:admitted``          | zset   | episode and incident key → when it was admitted   | the window      |
| ``ir:{storm}:waiting``           | zset   | episode and incident key → its rank               | while it waits  |
| ``ir:{storm}:now``               | hash   | ``since``, ``last``: when an alert storm was      | while it lasts  |
| ``ir:{quotas}:ACCOUNT``          | hash   | ``left``, ``at``, pauses: calls to a vendor       | two minutes     |
| ``ir:{accounts}:waiting:NAME``   | set    | incident keys that wait for a destination         | a week at most  |
| ``ir:{accounts}:resumed``        | hash   | destination → when it last recovered, circuits    | permanent       |
| ``ir:{accounts}:accounts``       | hash   | destination → the account it is called with       | permanent       |
| ``ir:{vendors}:id:DIGEST``       | string | incident key of the vendor's ID                   | 30 days, or end |
| ``ir:{silences}:all``            | hash   | silence ID → encoded silence                      | 5 days after    |
| ``ir:{polls}:turn:SOURCE``       | string | set when a process has polled this source         | until next poll |
| ``ir:{polls}:memory:SOURCE``     | string | encoded, state kept between two polls             | ten polls       |
| ``ir:{access}:tokens``           | hash   | token ID → encoded token, its secret hashed       | until revoked   |
| ``ir:{access}:session:DIGEST``   | string | encoded session, by the hash of its cookie        | 12 h at most    |
| ``ir:{access}:sign-in:DIGEST``   | string | a pending sign-in at a provider, by its state     | 10 minutes      |
| ``ir:{access}:sign-ins:ADDRESS`` | string | number of sign-in attempts from the address       | a minute        |
| ``ir:{access}:refusals:DIGEST``  | string | number of refused requests of one person          | an hour         |
| ``ir:{access}:slack:DIGEST``     | string | the response to an interaction in Slack           | 15 minutes      |
| ``ir:{access}:audit``            | stream | ``a``: an encoded action                          | 100,000 entries |
| ``ir:{sN}:timeline:KEY``         | stream | ``e``: encoded events of one change               | 30 days         |
| ``ir:{sN}:incident:KEY``         | hash   | ``v`` version, ``d`` encoded, ``e`` new events    | a day if closed |
| ``ir:{sN}:publications:KEY``     | hash   | ``d`` encoded, ``fence``, ``until``, ``wake``, …  | a day if done   |
| ``ir:{sN}:incidents``            | zset   | incident key → when it expires, ms; inf for never | permanent       |
| ``ir:{sN}:names``                | zset   | incident key and reference in one, all of score 0 | as the incident |
| ``ir:{sN}:published``            | zset   | incident key → when its publications expire, ms   | permanent       |
| ``ir:{sN}:homes:NUMBER``         | hash   | alert → the incident key that owns it             | 30 to 60 days   |
| ``ir:{sN}:claims:HOUR``          | hash   | alert → when it got its owner                     | 1 to 2 hours    |
| ``ir:{sN}:moves``                | hash   | alert → its pending move to another owner         | an hour         |
| ``ir:{sN}:timers``               | zset   | incident key → when it is due next                | while due       |
| ``ir:{sN}:notifications:KEY``    | hash   | ``s`` announced, ``d`` delivered, ``seq``, lease  | 30 days         |
| ``ir:{sN}:events:KEY``           | stream | ``e`` encoded; the ID is the sequence number      | 30 days         |
| ``ir:{sN}:notify``               | zset   | incident key → when to deliver its events         | until delivered |
| ``ir:{pages}:notifications:``    | hash   | notifications about the router itself             | 30 days         |
| ``ir:{pages}:events:``           | stream | events about the router itself                    | 30 days         |
| ``ir:{pages}:notify``            | zset   | when to deliver the router's own events           | until delivered |
| ``ir:{sN}:mark``                 | string | nothing: written for replicas to acknowledge      | permanent       |

A key of a wrong type is moved to ``ir:{TAG}:damaged:REST`` (see ``damage``), until an operator deletes it.

The newest events of an incident are in its document, until they are many or the document gets a time to live.

The hash of publications also has ``recheck:DESTINATION``: when a vendor's webhook last reported a change there.

Times are microseconds since the epoch.

All keys of one shard share the hash tag ``{sN}``, so that one script can access them in a Redis Cluster.
"""

import zlib
from collections.abc import Iterable

# The number is part of every key of a shard, so it can't be changed for stored data.
SHARDS = 16

INBOX = "ir:{inbox}:stream"
ARCHIVE = "ir:{inbox}:archive"
DEAD = "ir:{inbox}:dead"
LARGE = "ir:{inbox}:large"
SUSPECTS = "ir:{inbox}:suspects"
INBOX_MARK = "ir:{inbox}:mark"
QUARANTINE = "ir:{inbox}:quarantine"
UNREADABLE = "ir:{inbox}:unreadable"
SILENCES = "ir:{silences}:all"
RESUMED = "ir:{accounts}:resumed"
ACCOUNTS = "ir:{accounts}:accounts"
GATE = "ir:{pages}:gate"
POSTS = "ir:{pages}:posts"
TOUCHED = "ir:{pages}:touched"
ADMITTED = "ir:{storm}:admitted"
WAITING = "ir:{storm}:waiting"
STORM = "ir:{storm}:now"
TOKENS = "ir:{access}:tokens"
AUDIT = "ir:{access}:audit"
WORKERS = "ir:{inbox}:workers"
GOOD_RULES = "ir:{rules}:good"
SCHEMA = "ir:{schema}:version"
RESTORING = "ir:{schema}:restoring"
MARKER = "ir:{dataset}:marker"
MARKS = "ir:{dataset}:marks"
ORPHANS = "ir:{dataset}:orphans"
CLAIMS = "ir:{dataset}:claims"
GROUP = "workers"

TYPES = {
    INBOX: "stream",
    ARCHIVE: "stream",
    DEAD: "stream",
    LARGE: "stream",
    SUSPECTS: "hash",
    QUARANTINE: "stream",
    UNREADABLE: "hash",
    SILENCES: "hash",
    RESUMED: "hash",
    ACCOUNTS: "hash",
    GATE: "hash",
    POSTS: "zset",
    TOUCHED: "zset",
    ADMITTED: "zset",
    WAITING: "zset",
    STORM: "hash",
    TOKENS: "hash",
    AUDIT: "stream",
    WORKERS: "zset",
}
"""The types of the keys of which there is one each."""

CLOSED_LIFE_MS = 24 * 60 * 60 * 1000
RETROSPECTIVE_LIFE_MS = 7 * CLOSED_LIFE_MS
HOME_LIFE_MS = 30 * CLOSED_LIFE_MS


def shard(name: str) -> int:
    """Return the shard of an incident key or an alert identity, from 0 to ``SHARDS - 1``."""
    # Unlike `hash`, CRC-32 gives the same result in every process and version.
    return zlib.crc32(name.encode()) % SHARDS


def by_shard(names: Iterable[str]) -> dict[int, list[str]]:
    """Group incident keys or alert identities by shard, in their order."""
    shards: dict[int, list[str]] = {}
    for name in names:
        shards.setdefault(shard(name), []).append(name)
    return shards


def incident(key: str) -> str:
    """Return the key of an incident document."""
    return f"ir:{{s{shard(key)}}}:incident:{key}"


def publications(key: str) -> str:
    """Return the key of the publications of an incident."""
    return f"ir:{{s{shard(key)}}}:publications:{key}"


def delivery_id(digest: str) -> str:
    """Return the key of a sender's delivery ID."""
    return f"ir:{{inbox}}:seen:{digest}"


def sign_in(digest: str) -> str:
    """Return the key of a pending sign-in, by the hash of its state."""
    return f"ir:{{access}}:sign-in:{digest}"


def refusals(digest: str) -> str:
    """Return the key that counts refusals of one person, by the hash of the name."""
    return f"ir:{{access}}:refusals:{digest}"


def session(digest: str) -> str:
    """Return the key of a session, by the hash of its cookie."""
    return f"ir:{{access}}:session:{digest}"


def slack_request(digest: str) -> str:
    """Return the key of the response to an interaction in Slack, by the hash of its payload."""
    return f"ir:{{access}}:slack:{digest}"


def sign_ins(address: str) -> str:
    """Return the key that counts sign-in attempts from an address."""
    return f"ir:{{access}}:sign-ins:{address}"


def documents(number: int) -> str:
    """Return the prefix of the incident documents of a shard."""
    return f"ir:{{s{number}}}:incident:"


def incidents(number: int) -> str:
    """Return the key of the incident index of a shard."""
    return f"ir:{{s{number}}}:incidents"


def names(number: int) -> str:
    """Return the key of the name index of a shard: incident keys and references."""
    return f"ir:{{s{number}}}:names"


def published_incidents(number: int) -> str:
    """Return the key of the index of a shard's incidents that have publications."""
    return f"ir:{{s{number}}}:published"


def incident_key(name: str) -> str:
    """Return the incident key in the name of a document, or the alert identity in the name of an owner key."""
    # An incident key may contain colons.
    return name.split(":", 3)[3]


def timeline(key: str) -> str:
    """Return the key of an incident's timeline."""
    return f"ir:{{s{shard(key)}}}:timeline:{key}"


def components(page: str) -> str:
    """Return the key of the component statuses of a page."""
    return f"ir:{{pages}}:components:{page}"


def updates(page: str) -> str:
    """Return the key of a page's updates within the last hour."""
    return f"ir:{{pages}}:updates:{page}"


def quota(account: str) -> str:
    """Return the key of the quota of an account."""
    return f"ir:{{quotas}}:{account}"


def waiting(destination: str) -> str:
    """Return the key of the incidents that wait for a destination to recover."""
    return f"ir:{{accounts}}:waiting:{destination}"


def vendor_id(digest: str) -> str:
    """Return the key that maps a vendor's ID to an incident, by the hash of destination and ID."""
    return f"ir:{{vendors}}:id:{digest}"


def counts(rule: str) -> str:
    """Return the key of the review outcomes of a rule."""
    return f"ir:{{rules}}:counts:{rule}"


def all_counts_pattern() -> str:
    """Return the SCAN pattern of the review outcomes of all rules."""
    return "ir:{rules}:counts:*"


def poll_turn(source: str) -> str:
    """Return the key that is set while a process polls a source."""
    return f"ir:{{polls}}:turn:{source}"


def reading_turn(destination: str) -> str:
    """Return the key that is set while a worker lists the open items of a destination."""
    return f"ir:{{dataset}}:turn:{destination}"


def poll_memory(source: str) -> str:
    """Return the key of the state kept between two polls of a source."""
    return f"ir:{{polls}}:memory:{source}"


def homes(number: int) -> str:
    """Return the prefix of the alert owner keys of a shard."""
    return f"ir:{{s{number}}}:homes"


def claims(number: int) -> str:
    """Return the prefix of the keys that hold when alerts of a shard got their owners."""
    return f"ir:{{s{number}}}:claims"


def moves(number: int) -> str:
    """Return the key of the pending alert moves of a shard."""
    return f"ir:{{s{number}}}:moves"


def timers(number: int) -> str:
    """Return the key of the timers of a shard."""
    return f"ir:{{s{number}}}:timers"


def mark(number: int) -> str:
    """Return the key that is written if nothing else in a shard changes: replicas need a write to acknowledge."""
    return f"ir:{{s{number}}}:mark"


def prefix(number: int) -> str:
    """Return the prefix of all keys of a shard."""
    return f"ir:{{s{number}}}:"


def notifications(subject: str) -> str:
    """Return the key of the announced state of an incident, or of the router itself if ``subject`` is empty."""
    return f"{_notification_shard(subject)}notifications:{subject}"


def events(subject: str) -> str:
    """Return the key of the events of an incident, or of the router itself if ``subject`` is empty."""
    return f"{_notification_shard(subject)}events:{subject}"


def notify(subject: str) -> str:
    """Return the key of the timers of a subject's shard: when events are to be delivered."""
    return f"{_notification_shard(subject)}notify"


def notification_shards() -> list[tuple[str, str]]:
    """Return the key of the timers and the prefix of the notification keys of each shard."""
    shards = [prefix(number) for number in range(SHARDS)] + [_notification_shard("")]
    return [(f"{first}notify", f"{first}notifications:") for first in shards]


def _notification_shard(subject: str) -> str:
    # The router's own events are in the slot of their subject.
    return prefix(shard(subject)) if subject else "ir:{pages}:"
