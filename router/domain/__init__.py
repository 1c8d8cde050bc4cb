"""Plain data and pure functions: what an alert, a decision, an incident and a publication are.

Nothing here touches a clock, a network or a store; time is an argument, in microseconds since the Unix epoch.
"""
