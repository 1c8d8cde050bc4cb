"""Every key in the store: its pattern, its type, what it holds and how long it lives.

| key                              | type   | holds                                             | life            |
| -------------------------------- | ------ | ------------------------------------------------- | --------------- |
| ``ir:{inbox}:stream``            | stream | accepted deliveries, ``h`` packed, ``b`` the body | until processed |
| ``ir:{inbox}:archive``           | stream | deliveries that were processed, as in the inbox   | as configured   |
| ``ir:{inbox}:dead``              | stream | deliveries that cannot be processed, with why     | until a person  |
| ``ir:{inbox}:large``              | stream | when the latest large delivery was accepted       | for ever        |
| ``ir:{inbox}:mark``              | string | nothing: written for replicas to confirm it       | for ever        |
| ``ir:{inbox}:suspects``          | hash   | entry → the lives of workers that began it again  | a week          |
| ``ir:{inbox}:quarantine``        | stream | authentic bodies that could not be parsed         | until a person  |
| ``ir:{inbox}:unreadable``         | hash   | source → deliveries that could not be read        | while reported  |
| ``ir:{inbox}:seen:DIGEST``       | string | our id of a delivery that its sender gave a name  | a day           |
| ``ir:{inbox}:workers``           | zset   | worker name → time of its last heartbeat          | an hour at most |
| ``ir:{dataset}:marker``          | hash   | ``id`` of the data set, when and how it was lost  | for ever        |
| ``ir:{dataset}:marks``           | hash   | process → when it last wrote here                 | a day           |
| ``ir:{dataset}:orphans``         | hash   | open at a vendor, without an incident here        | until settled   |
| ``ir:{dataset}:claims``          | hash   | orphan → the incident key that adopts it          | 30 days         |
| ``ir:{dataset}:turn:NAME``       | string | a worker reads a destination's open items         | a minute        |
| ``ir:{schema}:version``          | string | the version of all that is kept here              | for ever        |
| ``ir:{schema}:restoring``        | string | when a restore of a backup began                  | until it ends   |
| ``ir:{pages}:gate``              | hash   | ``freeze``, ``breaker``: who shut it, when, why   | while shut      |
| ``ir:{pages}:posts``             | zset   | post made automatically → when                    | a while         |
| ``ir:{pages}:touched``           | zset   | component touched automatically → when            | a while         |
| ``ir:{rules}:counts:RULE``       | hash   | how its reviews ended → how often                 | for ever        |
| ``ir:{rules}:good``              | hash   | ``v``, ``at``, ``d``: the rule files accepted last | for ever        |
| ``ir:{pages}:components:PAGE``   | hash   | episode and component → its status                | while open      |
| ``ir:{pages}:updates:PAGE``      | zset   | update of a page → when                           | an hour         |
| ``ir:{storm}:admitted``          | zset   | episode and incident key → when it was let in     | a minute or so  |
| ``ir:{storm}:waiting``           | zset   | episode and incident key → its turn               | while it waits  |
| ``ir:{storm}:now``               | hash   | ``since``, ``last``: when an alert storm was      | while there is  |
| ``ir:{quotas}:ACCOUNT``          | hash   | ``left``, ``at``, pauses: calls to a vendor       | two minutes     |
| ``ir:{accounts}:waiting:NAME``   | set    | incident keys that wait for a destination         | a week at most  |
| ``ir:{accounts}:resumed``        | hash   | destination → when it last worked again, circuits | for ever        |
| ``ir:{accounts}:accounts``       | hash   | destination → the account it is called with       | for ever        |
| ``ir:{vendors}:id:DIGEST``       | string | the incident key of what has this ID at a vendor  | 30 days, or end |
| ``ir:{silences}:all``            | hash   | silence id → packed silence                       | 5 days after    |
| ``ir:{polls}:turn:SOURCE``       | string | somebody has asked this source's monitoring       | until next time |
| ``ir:{polls}:memory:SOURCE``     | string | packed, what is remembered from answer to answer  | ten polls       |
| ``ir:{access}:tokens``           | hash   | token id → packed token, its secret hashed        | until revoked   |
| ``ir:{access}:session:DIGEST``   | string | packed session, by the hash of its cookie         | 12 h at most    |
| ``ir:{access}:sign-in:DIGEST``   | string | a sign-in under way at a provider, by its state   | 10 minutes      |
| ``ir:{access}:sign-ins:ADDRESS`` | string | how often somebody tried to sign in from there    | a minute        |
| ``ir:{access}:refusals:DIGEST``  | string | how often somebody asked for what they may not    | an hour         |
| ``ir:{access}:audit``            | stream | ``a`` packed, what somebody did                   | 100,000 lines   |
| ``ir:{sN}:timeline:KEY``         | stream | ``e``: packed, one thing that happened            | 30 days         |
| ``ir:{sN}:incident:KEY``         | hash   | ``v`` version, ``d`` the packed incident          | a day if closed |
| ``ir:{sN}:publications:KEY``     | hash   | ``d`` packed, ``fence``, ``until``, ``wake``, ... | a day if done   |
| ``ir:{sN}:incidents``            | zset   | incident key → when it expires, ms; inf for never | for ever        |
| ``ir:{sN}:names``                | zset   | incident keys and references, all of score 0      | as the incident |
| ``ir:{sN}:published``            | zset   | incident key → when its publications expire, ms   | for ever        |
| ``ir:{sN}:homes:NUMBER``         | hash   | alert → the incident key that holds it            | 30 to 60 days   |
| ``ir:{sN}:claims:HOUR``          | hash   | alert → when it got its home                      | 1 to 2 hours    |
| ``ir:{sN}:moves``                | hash   | alert → the move to another home under way        | an hour         |
| ``ir:{sN}:timers``               | zset   | incident key → when it wants attention next       | while wanted    |
| ``ir:{sN}:mark``                 | string | nothing: written for replicas to confirm it       | for ever        |

A key of a wrong type is moved to ``ir:{TAG}:damaged:REST`` (see ``damage``), until an operator deletes it.

The hash of publications also has ``recheck:DESTINATION``: when a vendor's webhook last told of a change there.

Times are microseconds since the epoch.

All keys of one shard share the hash tag ``{sN}``, so one script may touch them under Redis Cluster too.
"""

import zlib
from collections.abc import Iterable

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
    """The shard that an incident key or an alert's identity belongs to, 0 to ``SHARDS - 1``."""
    return zlib.crc32(name.encode()) % SHARDS


def by_shard(names: Iterable[str]) -> dict[int, list[str]]:
    """Incident keys or alerts' identities by their shard, in the order in which they come."""
    shards: dict[int, list[str]] = {}
    for name in names:
        shards.setdefault(shard(name), []).append(name)
    return shards


def incident(key: str) -> str:
    """The key of an incident's document."""
    return f"ir:{{s{shard(key)}}}:incident:{key}"


def publications(key: str) -> str:
    """The key of the document of an incident's publications."""
    return f"ir:{{s{shard(key)}}}:publications:{key}"


def seen(digest: str) -> str:
    """The key of a delivery's own name."""
    return f"ir:{{inbox}}:seen:{digest}"


def sign_in(digest: str) -> str:
    """The key of a sign-in that is under way elsewhere, by the hash of its state."""
    return f"ir:{{access}}:sign-in:{digest}"


def refusals(digest: str) -> str:
    """The key of how often somebody, by the hash of what they are known by, asked for what they may not."""
    return f"ir:{{access}}:refusals:{digest}"


def session(digest: str) -> str:
    """The key of a session, by the hash of its cookie."""
    return f"ir:{{access}}:session:{digest}"


def sign_ins(address: str) -> str:
    """The key of how often somebody tried to sign in from an address."""
    return f"ir:{{access}}:sign-ins:{address}"


def documents(number: int) -> str:
    """What the keys of a shard's incidents' documents begin with."""
    return f"ir:{{s{number}}}:incident:"


def incidents(number: int) -> str:
    """The key of the list of a shard's incidents."""
    return f"ir:{{s{number}}}:incidents"


def names(number: int) -> str:
    """The key of the names by which a shard's incidents are found: their keys and references."""
    return f"ir:{{s{number}}}:names"


def published(number: int) -> str:
    """The key of the list of a shard's incidents that have publications."""
    return f"ir:{{s{number}}}:published"


def incident_key(name: str) -> str:
    """The incident key in the name of an incident's or its publications' document, or the alert in that of a home."""
    return name.split(":", 3)[3]


def timeline(key: str) -> str:
    """The key of an incident's timeline."""
    return f"ir:{{s{shard(key)}}}:timeline:{key}"


def components(page: str) -> str:
    """The key of what open incidents say of a page's components."""
    return f"ir:{{pages}}:components:{page}"


def updates(page: str) -> str:
    """The key of the updates of a page in the last hour."""
    return f"ir:{{pages}}:updates:{page}"


def quota(account: str) -> str:
    """The key of how often an account at a vendor may be called."""
    return f"ir:{{quotas}}:{account}"


def waiting(destination: str) -> str:
    """The key of the incidents that wait for a destination to work again."""
    return f"ir:{{accounts}}:waiting:{destination}"


def vendor_id(digest: str) -> str:
    """The key of the incident whose publication has an ID at a vendor, by the hash of destination and ID."""
    return f"ir:{{vendors}}:id:{digest}"


def counts(rule: str) -> str:
    """The key of how a rule's reviews ended."""
    return f"ir:{{rules}}:counts:{rule}"


def counts_of_all() -> str:
    """The pattern of all rules' counts, for a scan."""
    return "ir:{rules}:counts:*"


def turn(source: str) -> str:
    """The key of whoever asks a source's monitoring now."""
    return f"ir:{{polls}}:turn:{source}"


def reading(destination: str) -> str:
    """The key of the worker that reads the open items of a destination now."""
    return f"ir:{{dataset}}:turn:{destination}"


def memory(source: str) -> str:
    """The key of what is remembered of a source's monitoring from one answer to the next."""
    return f"ir:{{polls}}:memory:{source}"


def homes(number: int) -> str:
    """What the keys begin with that tell which incidents hold the alerts of a shard."""
    return f"ir:{{s{number}}}:homes"


def claims(number: int) -> str:
    """What the keys begin with that tell since when the alerts of a shard have had their homes."""
    return f"ir:{{s{number}}}:claims"


def moves(number: int) -> str:
    """The key of the moves of a shard's alerts to other homes."""
    return f"ir:{{s{number}}}:moves"


def timers(number: int) -> str:
    """The key of a shard's timers."""
    return f"ir:{{s{number}}}:timers"


def mark(number: int) -> str:
    """The key of a shard that is written where all stays as it is, for replicas to have something to confirm."""
    return f"ir:{{s{number}}}:mark"


def prefix(number: int) -> str:
    """What every key of a shard begins with."""
    return f"ir:{{s{number}}}:"
