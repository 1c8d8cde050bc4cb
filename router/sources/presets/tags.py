"""Tags of senders as labels; the forms are those of ``pairs``."""

from router.sources import pairs

labels = pairs.labels
