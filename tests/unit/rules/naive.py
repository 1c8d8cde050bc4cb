"""A reference implementation of rules, in the simplest form and without the router's own code."""

import ipaddress
import re

from router.domain import severities


def get_field(one, field):
    part, _, key = field.partition(".")
    return getattr(one, part).get(key, "") if key else getattr(one, part)


def number(value):
    return float(value) if re.fullmatch(r"-?[0-9.]+", str(value)) and str(value).count(".") < 2 else None


def compare(wanted, value, ordered):
    return number(value) is not None and ordered(number(value), float(wanted))


def is_within(wanted, value):
    try:
        address = ipaddress.ip_address(value)
    except ValueError:
        return False
    return any(address in ipaddress.ip_network(network) for network in as_list(wanted))


def as_list(wanted):
    return wanted if isinstance(wanted, list) else [wanted]


def holds(wanted, value):
    """Return whether a condition, in a rule's format, holds for a text."""
    if isinstance(wanted, str):
        return value == wanted
    if isinstance(wanted, list):
        return value in wanted
    results = {
        "equal": lambda inner: value == inner,
        "one_of": lambda inner: value in inner,
        "matches": lambda inner: re.search(inner, value) is not None,
        "not": lambda inner: not holds(inner, value),
        "starts_with": lambda inner: any(value[: len(one)] == one for one in as_list(inner)),
        "ends_with": lambda inner: any(value[-len(one) :] == one for one in as_list(inner)),
        "contains": lambda inner: any(value.find(one) >= 0 for one in as_list(inner)),
        "exists": lambda inner: bool(value) == inner,
        "gt": lambda inner: compare(inner, value, lambda found, limit: found > limit),
        "gte": lambda inner: compare(inner, value, lambda found, limit: not found < limit),
        "lt": lambda inner: compare(inner, value, lambda found, limit: found < limit),
        "lte": lambda inner: compare(inner, value, lambda found, limit: not found > limit),
        "in": lambda inner: value in inner,
        "cidr": lambda inner: is_within(inner, value),
    }
    return all(results[name](inner) for name, inner in wanted.items())


GROUPS = {
    "any": any,
    "all": all,
    "none": lambda results: not any(results),
}


def matches(when, one):
    """Return whether everything under a `when`, including groups, holds for an alert."""
    return all(
        GROUPS[name]([matches(member, one) for member in wanted])
        if name in GROUPS
        else holds(wanted, get_field(one, name))
        for name, wanted in when.items()
    )


def decide(rules, one):
    """Evaluate the rules in order.

    Return the deciding rules' names, the severity, and each destination with its rule.
    """
    chain = []
    for entry in rules:
        left_out = entry["unless"] is not None and matches(entry["unless"], one)
        if matches(entry["when"], one) and not left_out:
            chain.append(entry)
            if not entry["continue"]:
                break
    targets = {}
    for entry in chain:
        for name in entry["open"]:
            targets.setdefault(name, entry["name"])
    words = [entry["severity"] or "minor" for entry in chain]
    return chain, max((severities.parse(word) for word in words), default=None), targets
