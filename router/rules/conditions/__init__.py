"""Conditions on one field of an alert: one module per group of conditions, and a registry with one line for each."""
