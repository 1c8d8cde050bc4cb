"""The only wiring: from settings to a running web, a running worker, or both in one process."""
