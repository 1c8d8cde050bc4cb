"""Labels out of pairs in which a name may stand several times, as monitoring systems send their tags."""

from collections.abc import Iterable


def joined(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return the values by name; several values of one name are joined by commas. Pairs without a name are left out.

    Time is linear in the length of all texts: the values are collected first, and joined once.
    """
    values: dict[str, list[str]] = {}
    for name, value in pairs:
        if name:
            values.setdefault(name, []).append(value)
    return {name: ",".join(several) for name, several in values.items()}
