"""The only way out over HTTP: one client an account, one mapping of failures."""
