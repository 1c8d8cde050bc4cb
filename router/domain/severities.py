"""The one severity ladder; sources are mapped onto it by rules, vendors' words are mapped from it."""

import enum


class Severity(enum.IntEnum):
    """How bad it is, comparable: ``info < minor < major < critical``."""

    INFO = 1
    MINOR = 2
    MAJOR = 3
    CRITICAL = 4

    @property
    def word(self) -> str:
        """The name as written in rule files, for example ``critical``."""
        return self.name.lower()


WORDS = {severity.word: severity for severity in Severity}


def parse(word: str) -> Severity:
    """Turn a word of the ladder into a severity; ``KeyError`` where it is none of the ladder's."""
    return WORDS[word]
