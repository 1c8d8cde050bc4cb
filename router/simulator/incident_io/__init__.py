"""incident.io, simulated: incidents, status pages, idempotency keys."""
