"""The exceptions that msgspec raises for bytes that it can't decode."""

import msgspec

Undecodable = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""Malformed or of the wrong shape, text that isn't UTF-8, nested too deeply. For ``except`` clauses.

``msgspec.DecodeError`` covers only the first: text that isn't UTF-8 is a ``UnicodeDecodeError``, a ``ValueError``.
"""
