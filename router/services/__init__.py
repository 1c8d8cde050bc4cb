"""Queries, actions, and models that the management API, the console, and the commands share."""
