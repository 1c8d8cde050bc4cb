"""DevHelm: incidents and status pages."""
