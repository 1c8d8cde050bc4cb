"""YAML that knows its place: what rule files and the configuration file are read with."""
