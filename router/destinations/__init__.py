"""Destinations: one package per vendor, one registry."""
