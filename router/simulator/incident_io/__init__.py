"""The simulated incident.io: incidents, status pages, idempotency keys."""
