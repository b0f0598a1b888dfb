"""Listing a tree and reading its files, within the tree and within limits."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sheratan.kinds.audit.analyse import analyse_file
from sheratan.kinds.audit.errors import AuditInputError
from sheratan.kinds.audit.walk import BINARY_PROBE_BYTES, MAX_FILE_BYTES, decode, load_file, walk_tree


def _write(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("x = 1\n", encoding="utf-8")


def _paths(root: Path) -> list[str]:
    return [file.path for file in walk_tree(root)]


def test_files_are_listed_by_relative_path_in_order(tmp_path: Path) -> None:
    _write(tmp_path, "b.py", "a/z.py", "a/b/c.py", "a.py", "A.py")
    assert _paths(tmp_path) == ["A.py", "a.py", "a/b/c.py", "a/z.py", "b.py"]


@pytest.mark.parametrize(
    "folder",
    [".git", ".hg", "__pycache__", ".mypy_cache", ".venv", "node_modules", "dist", "x.egg-info", "target"],
)
def test_folders_without_sources_are_left_out_at_any_depth(tmp_path: Path, folder: str) -> None:
    _write(tmp_path, f"{folder}/a.py", f"sub/{folder}/a.py", "b.py")
    assert _paths(tmp_path) == ["b.py"]


def test_a_virtual_environment_is_recognised_under_any_name(tmp_path: Path) -> None:
    _write(tmp_path, "tools-env/pyvenv.cfg", "tools-env/lib/a.py", "b.py")
    assert _paths(tmp_path) == ["b.py"]


def test_a_python_package_named_like_build_output_is_kept(tmp_path: Path) -> None:
    _write(tmp_path, "src/build/__init__.py", "src/build/a.py", "build/b.py")
    assert _paths(tmp_path) == ["src/build/__init__.py", "src/build/a.py"]


def test_the_folders_to_skip_can_be_chosen(tmp_path: Path) -> None:
    _write(tmp_path, "vendor/a.py", "b.py")
    assert [file.path for file in walk_tree(tmp_path, skip_folders={"vendor"})] == ["b.py"]


def test_binary_and_large_files_are_listed_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(b"x" * (BINARY_PROBE_BYTES - 1) + b"\0")
    (tmp_path / "b.txt").write_bytes(b"x" * BINARY_PROBE_BYTES + b"\0")
    (tmp_path / "c.txt").write_bytes(b"x" * MAX_FILE_BYTES)
    (tmp_path / "d.txt").write_bytes(b"x" * (MAX_FILE_BYTES + 1))
    reasons = {file.path: file.skipped for file in walk_tree(tmp_path)}
    assert reasons == {"a.bin": "binary", "b.txt": None, "c.txt": None, "d.txt": "too-large"}
    for path, reason in reasons.items():
        assert analyse_file(tmp_path, path).skipped == reason


def test_the_walk_and_the_analysis_agree_on_sizes(tmp_path: Path) -> None:
    _write(tmp_path, "a.py")
    (file,) = walk_tree(tmp_path)
    assert file.bytes == analyse_file(tmp_path, file.path).bytes == 6


def test_links_are_listed_but_never_followed(tmp_path: Path) -> None:
    _write(tmp_path, "outside/secret.py", "root/a.py")
    (tmp_path / "root" / "file.py").symlink_to(tmp_path / "outside" / "secret.py")
    (tmp_path / "root" / "folder").symlink_to(tmp_path / "outside", target_is_directory=True)
    (tmp_path / "root" / "loop").symlink_to(tmp_path / "root", target_is_directory=True)
    listed = {file.path: file.skipped for file in walk_tree(tmp_path / "root")}
    assert listed == {"a.py": None, "file.py": "symlink", "folder": "symlink", "loop": "symlink"}
    assert analyse_file(tmp_path / "root", "file.py").skipped == "symlink"
    assert load_file(tmp_path / "root", "file.py").data == b""


@pytest.mark.parametrize("path", ["folder/secret.py", "../outside/secret.py", "/etc/passwd", "", "a\0b"])
def test_a_path_that_leads_out_of_the_root_is_refused(tmp_path: Path, path: str) -> None:
    _write(tmp_path, "outside/secret.py", "root/a.py")
    (tmp_path / "root" / "folder").symlink_to(tmp_path / "outside", target_is_directory=True)
    with pytest.raises(AuditInputError) as caught:
        analyse_file(tmp_path / "root", path)
    assert caught.value.field == "relative_path"


def test_a_root_that_is_itself_a_link_is_accepted(tmp_path: Path) -> None:
    _write(tmp_path, "real/a.py")
    (tmp_path / "link").symlink_to(tmp_path / "real", target_is_directory=True)
    assert _paths(tmp_path / "link") == ["a.py"]
    assert analyse_file(tmp_path / "link", "a.py").lines == 1


def test_an_unusable_root_is_named_in_the_error(tmp_path: Path) -> None:
    _write(tmp_path, "file")
    for root, reason in ((tmp_path / "missing", "does not exist"), (tmp_path / "file", "is not a folder")):
        for call in (lambda root=root: walk_tree(root), lambda root=root: analyse_file(root, "a")):
            with pytest.raises(AuditInputError, match=reason) as caught:
                call()
            assert caught.value.field == "root"


def test_a_missing_file_is_named_in_the_error(tmp_path: Path) -> None:
    with pytest.raises(AuditInputError, match="no such file") as caught:
        analyse_file(tmp_path, "a.py")
    assert caught.value.field == "relative_path"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_named_pipe_is_listed_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.py")
    (file,) = walk_tree(tmp_path)
    assert (file.path, file.skipped) == ("pipe.py", "not-regular")
    assert analyse_file(tmp_path, "pipe.py").skipped == "not-regular"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="needs a user without all rights")
def test_unreadable_files_and_folders_are_listed_with_the_reason(tmp_path: Path) -> None:
    _write(tmp_path, "a.py", "sub/b.py")
    (tmp_path / "a.py").chmod(0)
    (tmp_path / "sub").chmod(0)
    try:
        listed = [(file.path, file.skipped, file.note) for file in walk_tree(tmp_path)]
    finally:
        (tmp_path / "sub").chmod(0o700)
    assert listed == [
        ("a.py", "unreadable", "cannot be read (EACCES)"),
        ("sub", "unreadable", "folder cannot be listed (EACCES)"),
    ]


def test_a_name_that_is_not_utf_8_is_listed_in_an_escaped_form(tmp_path: Path) -> None:
    try:
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.py")).write_bytes(b"x = 1\n")
    except (OSError, UnicodeError):
        pytest.skip("the file system takes no such names")
    (file,) = walk_tree(tmp_path)
    assert file.skipped == "bad-name"
    assert file.path.encode("utf-8") == b"caf\\udce9.py"


def test_text_that_is_not_utf_8_is_read_as_latin_1_with_a_note(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_bytes("# TODO café\n".encode("latin-1"))
    report = analyse_file(tmp_path, "a.py")
    assert report.notes == ("not valid UTF-8, read as Latin-1",)
    assert [finding.evidence for finding in report.findings] == ["TODO café"]


def test_a_byte_order_mark_is_not_part_of_the_text() -> None:
    assert decode(b"\xef\xbb\xbfx") == ("x", None)
