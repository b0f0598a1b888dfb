"""Planted bugs in what is archived, and in the state that whoever checks the rest begins with."""

from __future__ import annotations

from typing import Final

from mutants.bug import Bug, Change

__all__ = ["BUGS"]

_ARCHIVE = "engine/archive.py"
_FILES = "store/archive.py"
_NEEDED = "store/sqlite/queries/select_oldest_needed.sql"
_STATE = "kernel/fold_state.py"
_UPKEEP = "gateway/archiving.py"

BUGS: Final = (
    Bug(
        "segment-not-synced",
        "pages leave the journal before their file is on the disk",
        "safety",
        "R2",
        (Change(_FILES, "        folder.sync(partial)\n", ""),),
    ),
    Bug(
        "segment-without-a-name",
        "pages leave the journal before it is durable that there is their file",
        "safety",
        "R2",
        (Change(_FILES, "        folder.sync_names()\n", ""),),
    ),
    Bug(
        "needed-entries-archived",
        "as much is archived as was asked for, whatever is open",
        "safety",
        "R2",
        (Change(_ARCHIVE, "min(_ends(reader, request)), limits", "_ends(reader, request)[0], limits"),),
    ),
    Bug(
        "archived-up-to-what-is-needed",
        "the page goes, too, with which what is open begins",
        "safety",
        "R2",
        (Change(_ARCHIVE, "if start + count > end or", "if start > end or"),),
    ),
    Bug(
        "parents-that-ended-are-forgotten",
        "the first entry is archived of a job that an open one descends from",
        "safety",
        "R2",
        (Change(_NEEDED, "WHERE one.submitted_by IS NOT NULL", "WHERE 0"),),
    ),
    Bug(
        "head-of-the-segment-not-carried",
        "the journal that is left goes on from another hash than that of the last entry archived",
        "safety",
        "J2",
        (Change(_ARCHIVE, "trail.head.hash, name,", "decode_entry(lines[-1]).prev, name,"),),
    ),
    Bug(
        "state-lacks-dead-letters",
        "whoever begins with the state knows of no dead letters",
        "safety",
        "R2",
        (
            Change(
                _STATE, "        for name in _AS_THEY_ARE:", '        for name in _AS_THEY_ARE - {"dead"}:'
            ),
        ),
    ),
    Bug(
        "state-lacks-facts-told",
        "rows of which archived entries tell are not counted",
        "safety",
        "R2",
        (Change(_ARCHIVE, "        told = told.plus(fold.take_facts())\n", "        fold.take_facts()\n"),),
    ),
    Bug(
        "entry-names-another-state",
        "an entry names a state by something else than its bytes",
        "safety",
        "R2",
        (Change(_ARCHIVE, "digest(state), -1", "digest(name.encode()), -1"),),
    ),
    Bug(
        "archived-before-it-is-due",
        "what the engine archives by itself ends with the newest entry, not with the last that is due",
        "safety",
        "R2",
        (Change(_ARCHIVE, "ArchiveJournal(before_entry=end), limits)", "ArchiveJournal(), limits)"),),
    ),
    Bug(
        "due-by-its-first-entry",
        "what is due is taken to be as old as the first of it",
        "safety",
        "R2",
        (Change(_ARCHIVE, "read_entry(reader, end - 1).at", "read_entry(reader, last.end).at"),),
    ),
    Bug(
        "archived-while-paused",
        "the engine archives by itself whatever the system's state says",
        "safety",
        "H1",
        (
            Change(_ARCHIVE, 'if batch.state.allowed.upkeep != "allow":', "if False:"),
            Change(_UPKEEP, 'engine.state.allowed.upkeep == "allow" and', "True and"),
        ),
    ),
    Bug(
        "archived-in-crumbs",
        "the engine archives by itself what is due, however little that is",
        "safety",
        "R2",
        (
            Change(
                "kernel/archiving.py",
                'if until_us - given["since_us"] < least_us(keep_us):',
                "if least_us(keep_us) < 0:",
            ),
        ),
    ),
    Bug(
        "time-to-keep-forgotten",
        "the engine goes on by what was set before, until it starts again",
        "safety",
        "R2",
        (
            Change(
                _ARCHIVE,
                "batch.state.journal_kept = batch.unit.journal_kept = ",
                "batch.unit.journal_kept = ",
            ),
        ),
    ),
    Bug(
        "told-beside-its-story",
        "an entry about the journal does not name the one before it",
        "explanation",
        "previous",
        (
            Change(
                "kernel/fold_archive.py",
                "archived = None if last is None else last.entry",
                "archived = None",
            ),
        ),
    ),
)
