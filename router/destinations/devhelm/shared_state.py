"""The state that all operations at an account share."""

from typing import NamedTuple, Self

from router.destinations import name_lookup
from router.destinations.devhelm import recent_posts


class SharedState(NamedTuple):
    """The cached names of the account, and the readings of posts under way."""

    caches: name_lookup.Caches
    recent: recent_posts.RecentPosts

    @classmethod
    def create(cls) -> Self:
        """Return the state of an account that nothing is known of."""
        return cls(name_lookup.Caches(), recent_posts.RecentPosts())
