"""Keep the dependency tree small, locked and explained: `python -m tools.check_dependencies`.

- a default install stays at or below INSTALLED_MAX packages;
- every lock entry is pinned and hashed, and no lock names an index, an address or a path;
- the locks hold everything pyproject.toml asks for, at a version it accepts, and never two versions of
  one package;
- each peer of the benchmarks (group `peer-NAME`) has its own lock, peers/NAME.txt, and no lock is left without
  its group; peers live in environments of their own, so they may hold other versions than the rest;
- docs/dependencies.md gives each direct dependency its reason, and names none that is gone.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tools.source_tree import ROOT, report

# A reviewer can still read twenty names; a few more and nobody does. Extras do not count: they are chosen.
INSTALLED_MAX = 20

REASONS = "docs/dependencies.md"

# lock -> the dependency groups it must hold ("" is the project's own dependencies)
CONTENT: Mapping[str, tuple[str, ...]] = {
    "run": ("",),
    "build": ("build",),
    "dev": ("", "build", "dev"),
    "lock": ("lock",),
}

PEER = "peer-"
"""How the group of a peer begins."""


@dataclass(frozen=True)
class Lock:
    """A lock file: its pins, and its lines that are neither a pin nor a hash."""

    name: str
    pins: Mapping[str, str]
    unhashed: tuple[str, ...]
    strange: tuple[str, ...]


def main() -> int:
    installed = len(read_lock(ROOT, "run").pins)
    return report(
        "dependencies", check(ROOT), f"a default install is {installed} packages of {INSTALLED_MAX} at most"
    )


def check(root: Path) -> list[str]:
    """Return everything wrong with the locks and the reasons."""
    others = sorted({path.stem for path in (root / "requirements").glob("*.txt")} - CONTENT.keys())
    locks = {name: read_lock(root, name) for name in [*CONTENT, *others]}
    wanted = read_wanted(root)
    peers = {f"peers/{name}": read_lock(root, f"peers/{name}") for name in locked_peers(root)}
    return [
        *too_many(locks["run"]),
        *(fault for lock in [*locks.values(), *peers.values()] for fault in malformed(lock)),
        *(fault for name, groups in CONTENT.items() for fault in unmet(locks[name], groups, wanted)),
        *disagreements(locks),
        *unlocked_peers(peers, wanted),
        *unexplained(root, wanted),
    ]


def read_lock(root: Path, name: str) -> Lock:
    pins: dict[str, str] = {}
    unhashed: list[str] = []
    strange: list[str] = []
    logical_lines = (
        (root / "requirements" / f"{name}.txt").read_text("utf-8").replace("\\\n", " ").splitlines()
    )
    for line in filter(None, map(str.strip, logical_lines)):
        specification, *hashes = re.split(r"\s+--hash=", line)
        pin = re.fullmatch(r"([\w.-]+)==([\w.!+-]+)(\s*;[^@/]*)?", specification)
        if pin is None:
            strange.append(line)
            continue
        pins[canonicalize_name(pin[1])] = pin[2]
        if not hashes or not all(re.fullmatch(r"sha256:[0-9a-f]{64}", value) for value in hashes):
            unhashed.append(pin[1])
    return Lock(name, pins, tuple(unhashed), tuple(strange))


def read_wanted(root: Path) -> dict[str, list[Requirement]]:
    """Return group -> requirements, the project's own under the empty name."""
    content = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))
    project = content["project"]
    groups = {"": project["dependencies"], **project.get("optional-dependencies", {})}
    groups |= content.get("dependency-groups", {})
    return {group: [Requirement(line) for line in lines] for group, lines in groups.items()}


def too_many(run: Lock) -> Iterator[str]:
    if len(run.pins) > INSTALLED_MAX:
        yield f"requirements/run.txt: {len(run.pins)} packages, {INSTALLED_MAX} at most"


def malformed(lock: Lock) -> Iterator[str]:
    for name in lock.unhashed:
        yield f"requirements/{lock.name}.txt: {name} has no sha256 hash"
    for line in lock.strange:
        yield f"requirements/{lock.name}.txt: neither a pin nor a hash: {line}"


def locked_peers(root: Path) -> list[str]:
    """Return the names of the peers that have a lock."""
    return sorted(path.stem for path in (root / "requirements" / "peers").glob("*.txt"))


def unlocked_peers(peers: Mapping[str, Lock], wanted: Mapping[str, list[Requirement]]) -> Iterator[str]:
    groups = {f"peers/{group.removeprefix(PEER)}": group for group in wanted if group.startswith(PEER)}
    for name in sorted(groups.keys() - peers.keys()):
        yield f"requirements/{name}.txt: there is no such lock: run make lock"
    for name, lock in peers.items():
        if name in groups:
            yield from unmet(lock, (groups[name],), wanted)
        else:
            yield f"requirements/{name}.txt: pyproject.toml has no group for it"


def unmet(lock: Lock, groups: Sequence[str], wanted: Mapping[str, list[Requirement]]) -> Iterator[str]:
    for group in groups:
        for requirement in wanted.get(group, []):
            version = lock.pins.get(canonicalize_name(requirement.name))
            if version is None or not requirement.specifier.contains(version, prereleases=True):
                have = version or "nothing"
                yield f"requirements/{lock.name}.txt: {requirement} is not met by {have}: run make lock"


def disagreements(locks: Mapping[str, Lock]) -> Iterator[str]:
    seen: dict[str, tuple[str, str]] = {}
    for lock in locks.values():
        for name, version in lock.pins.items():
            first_lock, first_version = seen.setdefault(name, (lock.name, version))
            if version != first_version:
                here, there = f"{version} in {lock.name}.txt", f"{first_version} in {first_lock}.txt"
                yield f"requirements: {name} is {here} and {there}: run make lock"


def unexplained(root: Path, wanted: Mapping[str, list[Requirement]]) -> Iterator[str]:
    text = (root / REASONS).read_text("utf-8")
    explained = {
        canonicalize_name(name) for name in re.findall(r"^- \*\*([\w.-]+)\*\*: \S", text, re.MULTILINE)
    }
    direct = {
        canonicalize_name(requirement.name)
        for requirements in wanted.values()
        for requirement in requirements
    }
    yield from (f"{REASONS}: no reason given for {name}" for name in sorted(direct - explained))
    yield from (f"{REASONS}: {name} is no direct dependency any more" for name in sorted(explained - direct))


if __name__ == "__main__":
    sys.exit(main())
