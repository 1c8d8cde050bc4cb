"""Runs the router's own decisions without a store and without vendors, by a clock that the caller advances."""
