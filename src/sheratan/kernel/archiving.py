"""When does the engine archive entries by itself?"""

from __future__ import annotations

from typing import Any, Final

from sheratan.kernel.rules import Verdict, rule
from sheratan.kernel.words import seconds

__all__ = ["ARCHIVE", "decide_archive", "least_us"]

ARCHIVE: Final = "journal.archive@1"

_PARTS: Final = 10


def least_us(keep_us: int) -> int:
    """The span of time of which entries must have come together: a tenth of the time that they are kept.

    Each segment reads and writes the state of the fold, so there are ten of them in that time, not one for each page;
    and the journal holds a tenth more than it has to.
    """
    return keep_us // _PARTS


@rule("journal.archive", 1)
def decide_archive(given: dict[str, Any]) -> Verdict:
    """Choose `archive` or `keep`.

    Input: keep_us (how long entries are kept), until_us (the instant of the last entry that may go), since_us (that of
    the last one archived before, 0 when none was), now_us.
    """
    keep_us, until_us = given["keep_us"], given["until_us"]
    kept = seconds(keep_us)
    if given["now_us"] - until_us < keep_us:
        return Verdict("keep", f"Kept: the last of them is less than {kept} old.")
    least = seconds(least_us(keep_us))
    if until_us - given["since_us"] < least_us(keep_us):
        return Verdict("keep", f"Kept until entries of {least} have come together.")
    return Verdict("archive", f"Archived what is {kept} old or older, and nothing open needs.")
