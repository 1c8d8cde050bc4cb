"""incident.io: incidents and status pages."""
