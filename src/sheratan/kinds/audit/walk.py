"""Listing and reading the files of a tree, without ever leaving it."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Collection
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from sheratan.kinds.audit.errors import AuditInputError
from sheratan.kinds.audit.model import AuditModel, Count, RelativePath, SkipReason

MAX_FILE_BYTES = 1_048_576
"""Files above this size (1 MiB) are reported as skipped."""

BINARY_PROBE_BYTES = 8_192
"""A NUL byte within this many bytes marks a file as binary."""

SKIPPED_FOLDERS = frozenset(
    {
        ".git",
        ".hg",
        ".svn",
        ".bzr",
        "CVS",
        "_darcs",
        ".jj",
        "__pycache__",
        ".mypy_cache",
        ".pytest_cache",
        ".ruff_cache",
        ".hypothesis",
        ".cache",
        ".tox",
        ".nox",
        ".eggs",
        ".ipynb_checkpoints",
        ".venv",
        "venv",
        "virtualenv",
        "node_modules",
        "bower_components",
        "jspm_packages",
        ".next",
        ".nuxt",
        ".svelte-kit",
        ".turbo",
        ".parcel-cache",
        ".gradle",
        ".terraform",
        "htmlcov",
        ".nyc_output",
    }
)
"""Folders that are never listed: version control, caches, dependencies, and build output."""

BUILD_FOLDERS = frozenset({"build", "dist", "out", "target", "env", "coverage"})
"""Folders that are left out unless they are Python packages, since the names are ambiguous."""


class SourceFile(AuditModel):
    """A file of the tree. `skipped` says why it will not be analysed, `note` gives details."""

    path: RelativePath
    bytes: Count
    skipped: SkipReason | None = None
    note: str | None = None


class Loaded(NamedTuple):
    """The outcome of reading one file: its data, or the reason why there is none."""

    data: bytes
    size: int
    skipped: SkipReason | None
    note: str | None


def walk_tree(
    root: Path | str,
    *,
    max_bytes: int = MAX_FILE_BYTES,
    skip_folders: Collection[str] = SKIPPED_FOLDERS,
) -> list[SourceFile]:
    """All files below `root`, sorted by path.

    Folders named in `skip_folders`, virtual environments, and build output are left out.
    Symbolic links are not followed; like every file that cannot be analysed they are listed
    with the reason. Raises `AuditInputError` when `root` is not a readable folder.
    """
    base = checked_root(root)
    found: list[SourceFile] = []
    pending = [base]
    while pending:
        folder = pending.pop()
        try:
            with os.scandir(folder) as entries:
                listing = list(entries)
        except OSError as error:
            if folder == base:
                raise AuditInputError("root", f"cannot be listed ({_code(error)})") from error
            found.append(_unlisted(base, folder, error))
            continue
        for entry in listing:
            if not entry.is_dir(follow_symlinks=False):
                found.append(_describe(base, Path(entry.path), max_bytes))
            elif not _is_skipped_folder(Path(entry.path), skip_folders):
                pending.append(Path(entry.path))
    return sorted(found, key=lambda file: file.path)


def load_file(root: Path | str, relative_path: str, *, max_bytes: int = MAX_FILE_BYTES) -> Loaded:
    """Read one file of the tree, never more than `max_bytes` of it.

    Raises `AuditInputError` when the path leads out of the root or there is no such file.
    """
    base = checked_root(root)
    pure = PurePosixPath(relative_path)
    if not relative_path or pure.is_absolute() or ".." in pure.parts or "\0" in relative_path:
        raise AuditInputError("relative_path", "must stay below the root")
    target = base / pure
    try:
        parent = target.parent.resolve(strict=True)
        target.lstat()
    except (OSError, RuntimeError) as error:
        if isinstance(error, PermissionError):
            return _failed(error)
        raise AuditInputError("relative_path", "no such file") from error
    if parent != target.parent:
        raise AuditInputError("relative_path", "must not lead through a symbolic link")
    return _load(target, max_bytes, max_bytes)


def checked_root(root: Path | str) -> Path:
    """The root as a resolved path, or an `AuditInputError` that names the field."""
    try:
        base = Path(root).resolve(strict=True)
        is_folder = base.is_dir()
    except FileNotFoundError as error:
        raise AuditInputError("root", "does not exist") from error
    except (OSError, RuntimeError, ValueError) as error:
        raise AuditInputError("root", "cannot be read") from error
    if not is_folder:
        raise AuditInputError("root", "is not a folder")
    return base


def decode(data: bytes) -> tuple[str, str | None]:
    """The text of a file, and a note when it had to be read as Latin-1."""
    try:
        return data.decode("utf-8-sig"), None
    except UnicodeDecodeError:
        return data.decode("latin-1"), "not valid UTF-8, read as Latin-1"


def is_binary(data: bytes) -> bool:
    """Whether the data has a NUL byte near its start."""
    return b"\0" in data[:BINARY_PROBE_BYTES]


def _is_skipped_folder(folder: Path, skip_folders: Collection[str]) -> bool:
    name = folder.name
    if name in skip_folders or name.endswith(".egg-info"):
        return True
    if name in BUILD_FOLDERS:
        return not _exists(folder / "__init__.py")
    return _exists(folder / "pyvenv.cfg")


def _exists(path: Path) -> bool:
    try:
        path.lstat()
    except OSError:
        return False
    return True


def _describe(base: Path, path: Path, max_bytes: int) -> SourceFile:
    name, is_valid = _relative(base, path)
    loaded = _load(path, max_bytes, BINARY_PROBE_BYTES)
    if not is_valid:
        return SourceFile(path=name, bytes=loaded.size, skipped="bad-name", note="name is not valid UTF-8")
    return SourceFile(path=name, bytes=loaded.size, skipped=loaded.skipped, note=loaded.note)


def _unlisted(base: Path, folder: Path, error: OSError) -> SourceFile:
    note = f"folder cannot be listed ({_code(error)})"
    return SourceFile(path=_relative(base, folder)[0], bytes=0, skipped="unreadable", note=note)


def _relative(base: Path, path: Path) -> tuple[str, bool]:
    """The posix path below the base; undecodable names are escaped, since JSON cannot hold them."""
    name = path.relative_to(base).as_posix()
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return name.encode("utf-8", "backslashreplace").decode("utf-8"), False
    return name, True


def _load(path: Path, max_bytes: int, probe: int) -> Loaded:
    """Read up to `probe` bytes of a regular file that is within the size limit."""
    try:
        status = path.lstat()
        if stat.S_ISLNK(status.st_mode):
            return Loaded(b"", 0, "symlink", "symbolic links are not followed")
        if not stat.S_ISREG(status.st_mode):
            return Loaded(b"", 0, "not-regular", "not a regular file")
        if status.st_size > max_bytes:
            return _too_large(status.st_size, max_bytes)
        data = _read(path, probe + 1)
    except OSError as error:
        return _failed(error)
    if is_binary(data):
        return Loaded(b"", status.st_size, "binary", "has NUL bytes")
    if len(data) > max_bytes:
        return _too_large(len(data), max_bytes)
    return Loaded(data, status.st_size, None, None)


def _read(path: Path, limit: int) -> bytes:
    # The file may be replaced after lstat: do not follow a link then, nor wait at a named pipe.
    flags = os.O_RDONLY
    for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_BINARY"):
        flags |= getattr(os, name, 0)
    with os.fdopen(os.open(path, flags), "rb") as stream:
        return stream.read(limit)


def _too_large(size: int, max_bytes: int) -> Loaded:
    return Loaded(b"", size, "too-large", f"larger than {max_bytes} bytes")


def _failed(error: OSError) -> Loaded:
    return Loaded(b"", 0, "unreadable", f"cannot be read ({_code(error)})")


def _code(error: OSError) -> str:
    """The symbolic error name, which unlike the message does not depend on the locale."""
    return errno.errorcode.get(error.errno or 0, "unknown error")
