"""Invalid texts, made from valid ones: mistakes and attacks of persons and programs."""

import random

ODD = (
    "\x00",
    "\x1b]0;x\x07",
    "\u202e",
    "\ud83d",
    "\N{COMBINING ACUTE ACCENT}" * 40,
    "9" * 400,
    "-" * 30,
    "{{ alert.title }}",
    "{% for a in (1..999999999) %}x{% endfor %}",
    "&a [*a, *a]",
    "(a+)+$",
    "..",
    "9999-12-31T23:59:59Z",
    "0000-00-00",
    "1e999",
    "null",
    "~",
    "!!python/object:os.system",
    "\\",
    '"',
    "'",
    ": ",
    "\n",
    "\t",
    "[",
    "}",
)
_MOST_REPEATED = 20_000  # Characters: what takes the square of the time is seen at this length.


def mutate(chance: random.Random, text: str) -> str:
    """One text that is a little, or altogether, wrong."""
    for _ in range(chance.randint(1, 4)):
        text = _changed(chance, text)
    return text


def _changed(chance: random.Random, text: str) -> str:
    start = chance.randrange(len(text) + 1)
    end = min(len(text), start + chance.randint(0, 12))
    fate = chance.random()
    if fate < 0.35:
        return text[:start] + chance.choice(ODD) + text[end:]
    if fate < 0.55:
        return text[:start] + text[end:]
    if fate < 0.7:
        return text[:start] + chr(chance.choice((chance.randrange(128), chance.randrange(0xD800)))) + text[end:]
    if fate < 0.85:
        other = chance.randrange(len(text) + 1)
        return text[:start] + text[other : other + chance.randint(0, 200)] + text[start:]
    piece = text[start:end] or chance.choice(ODD)
    return text[:start] + piece * chance.randint(2, max(2, _MOST_REPEATED // len(piece))) + text[end:]
