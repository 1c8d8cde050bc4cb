"""Simulates the vendors by independent implementations of their APIs, for a first try, demonstrations, and tests."""
