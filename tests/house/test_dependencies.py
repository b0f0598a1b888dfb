"""The check of the locks and of the reasons, on a tiny project with one fault at a time."""

from __future__ import annotations

from pathlib import Path

from tools.check_dependencies import INSTALLED_MAX, check

HASH = "sha256:" + "0" * 64

PYPROJECT = """\
[project]
dependencies = ["alpha>=1.0"]
[dependency-groups]
build = ["beta>=2.0"]
"""


def pin(name: str, version: str) -> str:
    return f"{name}=={version} \\\n    --hash={HASH} \\\n    --hash={HASH}\n"


def project(scratch: Path, **changed: str) -> Path:
    """Write a sound project; keywords replace a lock, `reasons` or `pyproject`."""
    alpha, beta = pin("alpha", "1.2"), pin("beta", "2.0") + pin("gamma", "0.1")
    locks = {"run": alpha, "build": beta, "dev": alpha + beta, "bench": "", "lock": ""}
    (scratch / "requirements").mkdir()
    for name, text in locks.items():
        (scratch / "requirements" / f"{name}.txt").write_text(changed.get(name, text), "utf-8")
    (scratch / "docs").mkdir()
    reasons = changed.get("reasons", "- **alpha**: does a.\n- **Beta**: builds b.\n")
    (scratch / "docs" / "dependencies.md").write_text(reasons, "utf-8")
    (scratch / "pyproject.toml").write_text(changed.get("pyproject", PYPROJECT), "utf-8")
    return scratch


def test_a_sound_project_passes(tmp_path: Path) -> None:
    assert list(check(project(tmp_path))) == []


def test_too_many_packages_fail(tmp_path: Path) -> None:
    run = pin("alpha", "1.2") + "".join(pin(f"p{number}", "1") for number in range(INSTALLED_MAX))
    (found,) = check(project(tmp_path, run=run))
    assert f"{INSTALLED_MAX + 1} packages" in found


def test_a_pin_without_a_hash_fails(tmp_path: Path) -> None:
    (found,) = check(project(tmp_path, run="alpha==1.2\n"))
    assert "alpha has no sha256 hash" in found


def test_an_address_or_a_path_in_a_lock_fails(tmp_path: Path) -> None:
    strange = "--index-url https://example.org/simple\n-e .\ndelta @ file:///x\n"
    assert len(check(project(tmp_path, bench=strange))) == 3


def test_a_requirement_that_no_lock_meets_fails(tmp_path: Path) -> None:
    (found,) = check(project(tmp_path, build=pin("gamma", "0.1")))
    assert "beta>=2.0 is not met by nothing" in found


def test_a_lock_below_the_requirement_fails(tmp_path: Path) -> None:
    newer = PYPROJECT.replace("alpha>=1.0", "alpha>=1.3")
    found = check(project(tmp_path, pyproject=newer))
    assert [line.partition(":")[0] for line in found] == ["requirements/run.txt", "requirements/dev.txt"]


def test_two_versions_of_one_package_fail(tmp_path: Path) -> None:
    (found,) = check(project(tmp_path, bench=pin("gamma", "0.2")))
    assert "gamma is 0.2 in bench.txt and 0.1 in build.txt" in found


def test_a_dependency_without_a_reason_fails(tmp_path: Path) -> None:
    (found,) = check(project(tmp_path, reasons="- **alpha**: does a.\n"))
    assert "no reason given for beta" in found


def test_a_reason_for_nothing_fails(tmp_path: Path) -> None:
    reasons = "- **alpha**: does a.\n- **beta**: builds b.\n- **omega**: once did o.\n"
    (found,) = check(project(tmp_path, reasons=reasons))
    assert "omega is no direct dependency any more" in found
