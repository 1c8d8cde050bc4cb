"""Where alerts come from: one file a monitoring system, one registry."""
