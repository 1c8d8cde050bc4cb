"""The exceptions that msgspec raises for bytes that it can't decode."""

import msgspec

Undecodable = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""Exceptions for malformed data, text that isn't UTF-8, and data nested too deeply. For ``except`` clauses.

``msgspec.DecodeError`` covers only malformed data and data of the wrong shape. Text that isn't UTF-8 raises
``UnicodeDecodeError``, a ``ValueError``.
"""
