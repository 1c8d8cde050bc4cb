"""Presets: senders whose bodies the mapping of the kind `json` can read, one file of data each, and their reader."""
