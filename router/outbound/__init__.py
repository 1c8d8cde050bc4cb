"""The only package that opens HTTP connections: one client per account, one mapping of failures."""
