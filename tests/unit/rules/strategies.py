"""Hypothesis strategies for rules, conditions, and alerts."""

from hypothesis import strategies as st

from router.domain import alerts
from router.rules import load

TEXTS = ["", "a", "b", "c", "ab", "abc", "5", "-0.5", "10.0.0.1"]
PARTS = ["a", "b", "ab", "bc", "abc", "10.", "5"]
PATTERNS = ["a", "^b", "c$", "^$", "a.c", "b|c"]
FIELDS = ["labels.x", "labels.y", "labels.z", "annotations.n", "title", "severity", "source"]
text = st.sampled_from(TEXTS)
simple = st.one_of(text, st.lists(text, min_size=1, max_size=3), st.fixed_dictionaries({"equal": text}))
pattern = st.fixed_dictionaries({"matches": st.sampled_from(PATTERNS)})
negated = st.fixed_dictionaries({"not": st.one_of(simple, pattern)})
several = st.fixed_dictionaries({"matches": st.sampled_from(PATTERNS), "not": simple})
part = st.one_of(st.sampled_from(PARTS), st.lists(st.sampled_from(PARTS), min_size=1, max_size=3))
prefixed = st.fixed_dictionaries({"starts_with": part})
compared = st.sampled_from(
    [
        {"exists": True}, {"exists": False}, {"gt": -1}, {"gte": 5}, {"lt": 5}, {"lte": "-0.5"},
        {"cidr": "10.0.0.0/8"}, {"cidr": ["10.0.0.0/30", "::1"]}, {"gt": -1, "lt": 7},
    ]
)  # fmt: skip
parted = st.one_of(st.fixed_dictionaries({"ends_with": part}), st.fixed_dictionaries({"contains": part}))
condition = st.one_of(simple, simple, pattern, negated, several, prefixed, prefixed, compared, parted)
whens = st.one_of(
    st.dictionaries(st.sampled_from(FIELDS), condition, max_size=3),
    # Make shared sets frequent, and equalities that match a rule before its set is tested.
    st.fixed_dictionaries({"title": pattern}),
    st.fixed_dictionaries({"labels.x": text}),
    st.fixed_dictionaries({"title": prefixed}),
)
member = st.dictionaries(st.sampled_from(FIELDS), condition, min_size=1, max_size=2)
members = st.lists(member, min_size=1, max_size=3)
grouped = st.one_of(
    whens,
    st.builds(
        lambda when, word, inside: {**when, word: inside}, whens, st.sampled_from(["any", "all", "none"]), members
    ),
    st.builds(lambda inside: {"any": [{"all": inside}, {"none": inside[:1]}]}, members),
)
rule = st.fixed_dictionaries(
    {
        "when": st.one_of(whens, whens, grouped),
        "unless": st.one_of(st.none(), st.none(), member),
        "continue": st.sampled_from([False, False, True]),
        "severity": st.sampled_from([None, "info", "minor", "major", "critical"]),
        "group_by": st.lists(st.sampled_from(FIELDS), max_size=2, unique=True),
        "open": st.lists(st.sampled_from(["on-call", "second"]), max_size=2, unique=True),
    }
)
labels = st.dictionaries(st.sampled_from(["x", "y", "z"]), text)
alert = st.builds(
    alerts.Alert,
    source=text,
    fingerprint=st.just("f"),
    status=st.sampled_from(["firing", "resolved"]),
    starts_at=st.just(1),
    ends_at=st.just(0),
    title=text,
    labels=labels,
    annotations=st.dictionaries(st.just("n"), text),
    severity=text,
)


def build_ruleset(rules, destinations):
    """Build a rule set. Each target's summary is its rule's name, so that tests can identify its source."""
    data = []
    for number, entry in enumerate(rules):
        name = f"r{number}"
        entry["name"] = name
        given = {key: value for key, value in entry.items() if value is not None}
        data.append({**given, "open": [{"at": at, "summary": name} for at in entry["open"]]})
    return load.build(data, destinations)
