"""Shannon entropy in whole thousandths of a bit, and a judgement of quoted tokens by it."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache
from itertools import pairwise

MIN_TOKEN_CHARS = 20
MAX_TOKEN_CHARS = 200

MIN_ENTROPY = 3_700
"""Thousandths of a bit per character; 20 random letters and digits have about 4,000."""

MIN_UNBROKEN_CHARS = 16
"""A token must have a part of this length without the separators that join words."""

MIN_CLASS_CHANGES = 300
"""Changes between lower case, upper case, and digits per thousand steps; words have few."""

MAX_WORD_CHARS = 450
"""Letters in runs as words have them, per thousand characters; random text has about 200."""

_WORD_RUN = re.compile(r"[A-Z]?[a-z]{3,}")
_UUID = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
_HEX = re.compile(r"(?:0x)?[0-9a-fA-F]+")
_DIGEST_PREFIX = re.compile(r"(?:md5|sha1|sha224|sha256|sha384|sha512|blake2b)[-:=]", re.IGNORECASE)
_ALPHABET_RUNS = ("abcdefgh", "bcdfghjk", "01234567", "12345678", "qwertyui")


@cache
def _log2_thousandths(number: int) -> int:
    # Exact integer arithmetic gives the same result on every platform.
    return int((number**1000).bit_length() - 1)


def entropy_thousandths(text: str) -> int:
    """Shannon entropy of the characters of a text, in thousandths of a bit per character."""
    if not text:
        return 0
    length = len(text)
    spent = sum(count * _log2_thousandths(count) for count in Counter(text).values())
    return (length * _log2_thousandths(length) - spent) // length


def is_uuid(text: str) -> bool:
    """Whether the whole text is a UUID."""
    return _UUID.fullmatch(text) is not None


def is_hexadecimal(text: str) -> bool:
    """Whether the whole text is a hexadecimal number."""
    return _HEX.fullmatch(text) is not None


def is_digest_or_uuid(text: str) -> bool:
    """Whether the text looks like a checksum or a UUID, which are public identifiers."""
    return is_uuid(text) or is_hexadecimal(text) or _DIGEST_PREFIX.match(text) is not None


def is_random_token(text: str) -> bool:
    """Whether a token looks generated rather than written.

    It must mix cases and digits often, as words do not, and have a high entropy.
    """
    if not MIN_TOKEN_CHARS <= len(text) <= MAX_TOKEN_CHARS or is_digest_or_uuid(text):
        return False
    if text.startswith(("/", "./", "../")):
        return False
    lowered = text.lower()
    if any(run in lowered for run in _ALPHABET_RUNS):
        return False
    longest = max(re.split(r"[_.~-]", text), key=len)
    if len(longest) < MIN_UNBROKEN_CHARS or _class_changes(longest) < MIN_CLASS_CHANGES:
        return False
    if sum(map(len, _WORD_RUN.findall(longest))) * 1000 >= MAX_WORD_CHARS * len(longest):
        return False
    return entropy_thousandths(text) >= MIN_ENTROPY


def _class_changes(text: str) -> int:
    """Changes of character class per thousand steps, or 0 when a class is missing."""
    classes = [_class(char) for char in text]
    if not {"lower", "upper", "digit"} <= set(classes):
        return 0
    changes = sum(1 for left, right in pairwise(classes) if left != right)
    return changes * 1000 // (len(text) - 1)


def _class(char: str) -> str:
    if char.isdigit():
        return "digit"
    if char.isalpha():
        return "lower" if char.islower() else "upper"
    return "other"
