"""Runs the router's own decisions without a store and without vendors, on a clock that the caller advances."""
