"""Senders' tags as labels, in the formats of ``pairs``."""

from router.sources import pairs

labels = pairs.labels
