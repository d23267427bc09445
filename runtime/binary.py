"""Binaries: what running a program needs, kept on disk under what decides it.

An entry holds names, homes and the keys of the object code, which is in the cache by itself: programs share kernels.
It is found by a digest of the traced graph, of the machine, and of graphc's own source; so a network that was compiled
before runs without a pass.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

from graphc import ops, passes
from graphc.fingerprint import UnknownContentError, graph_fingerprint
from graphc.ir import Graph
from graphc.runtime import cache, jit
from graphc.runtime.target import host
from graphc.schedule import Home


@dataclass(frozen=True)
class Binary:
    """What a run needs.

    Attributes:
        step: the name of the function that runs all kernels.
        sources: of all object code.
        homes: for each call of a kernel, the home of each of its buffers.
        commits: updates that could not be written in place: (input position, home of the value, bytes).
        arena_bytes: the size of the arena.
        brief: whether the step is too short to give up the GIL for.
    """

    step: str
    sources: tuple[jit.Source, ...]
    homes: tuple[tuple[Home, ...], ...]
    commits: tuple[tuple[int, Home, int], ...]
    arena_bytes: int
    brief: bool

    def to_bytes(self) -> bytes:
        """What `from_bytes` reads."""
        sources = [(s.key, s.defines, s.needs) for s in self.sources]
        homes = [[(h.kind, h.at, h.beyond) for h in homes] for homes in self.homes]
        commits = [(position, (home.kind, home.at), size) for position, home, size in self.commits]
        told = [self.step, sources, homes, commits, self.arena_bytes, self.brief]
        return json.dumps(told, separators=(",", ":")).encode()

    @staticmethod
    def from_bytes(payload: bytes) -> Binary:
        """The binary that was written by `to_bytes`.

        Raises:
            ValueError, TypeError: it is anything else.
        """
        step, sources, homes, commits, arena_bytes, brief = json.loads(payload)
        return Binary(
            step,
            tuple(jit.Source(None, key, tuple(defines), tuple(needs)) for key, defines, needs in sources),
            tuple(tuple(Home(*home) for home in one) for one in homes),
            tuple((position, Home(*home), size) for position, home, size in commits),
            arena_bytes,
            brief,
        )


def load(key: str) -> Binary | None:
    """The binary stored under a key; its object code may be gone. None where there is none."""
    payload = cache.load(key)
    if payload is None:
        return None
    try:
        return Binary.from_bytes(payload)
    except (ValueError, TypeError):
        return None


def store(key: str, binary: Binary) -> None:
    """Keeps a binary; not where graphc's source was edited under this process, for who knows which of it ran."""
    if _source_stamps.__wrapped__() == _source_stamps():
        cache.store(key, binary.to_bytes())


def key_of(graph: Graph, *settings: object) -> str | None:
    """A digest of all that decides the binary of a graph, settings included; None where not all of it can be told."""
    try:
        told = (_source_digest(), jit.toolchain(), repr(host()), repr(settings), graph_fingerprint(graph))
    except (UnknownContentError, OSError, KeyError):  # a graph that reads what is not in it has no key, nor a program
        return None
    return hashlib.sha256("\n".join(("program", *told)).encode()).hexdigest()


@functools.cache
def _source_digest() -> str:
    """A digest of the source code that compiles: passes, runtime, ops, and the modules beside them."""
    _source_stamps()  # as they are before anything is read
    digest = hashlib.sha256()
    for path in _sources():
        digest.update(f"{path.name}\n".encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


@functools.cache
def _source_stamps() -> set[tuple[str, int, int]]:
    """When each of these files was written last, and its size: to read them all again takes a tenth of a compile."""
    files = [file for folder in _folders() for file in os.scandir(folder) if file.name.endswith(".py")]
    return {(file.path, status.st_mtime_ns, status.st_size) for file in files for status in [file.stat()]}


def _sources() -> list[Path]:
    return [path for folder in _folders() for path in sorted(folder.glob("*.py"))]


def _folders() -> list[Path]:
    folders = [Path(__file__).parent, *(Path(package.__path__[0]) for package in (ops, passes))]
    return [*folders, folders[1].parent]
