"""The only wiring: from settings to a running webhook server, a running worker, or both in one process."""
