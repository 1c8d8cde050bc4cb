"""YAML with positions: the parser of rule files and of the configuration file."""
