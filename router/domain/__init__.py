"""Plain data and pure functions for alerts, decisions, incidents, and publications.

Nothing in this package uses a clock, a network, or a store. Time is an argument, in microseconds since the Unix epoch.
"""
