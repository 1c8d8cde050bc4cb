"""The router's severities. Rules map sources to them, and destinations map them to the vendors' words."""

import enum


class Severity(enum.IntEnum):
    """A severity. Severities are ordered: ``info < minor < major < critical``."""

    INFO = 1
    MINOR = 2
    MAJOR = 3
    CRITICAL = 4

    @property
    def word(self) -> str:
        """Return the name as written in rule files, for example ``critical``."""
        return self.name.lower()


WORDS = {severity.word: severity for severity in Severity}


def parse(word: str) -> Severity:
    """Return the severity with a name. Raises ``KeyError`` if there is none."""
    return WORDS[word]
