"""The sources of alerts: one file per monitoring system, and one registry."""
