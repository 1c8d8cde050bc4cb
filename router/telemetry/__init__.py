"""Metrics, the structured log, and traces of the router."""
