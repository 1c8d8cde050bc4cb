"""Labels from pairs with repeated names, as monitoring systems send their tags."""

from collections.abc import Iterable


def join_values(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return the values by name. The values of a repeated name are joined by commas. Pairs without a name are omitted.

    Time is linear in the length of all texts: the values are collected first, and joined once.
    """
    values: dict[str, list[str]] = {}
    for name, value in pairs:
        if name:
            values.setdefault(name, []).append(value)
    return {name: ",".join(several) for name, several in values.items()}
