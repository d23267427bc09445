"""Object code and programs kept on disk, addressed by content.

An entry is one file, named by its key: a header (magic, version, length, checksum) and the payload. Whatever is wrong
with an entry, a folder or a disk, the answer is "not here" and never an error: the caller compiles again.

The folder is $GRAPHC_CACHE_DIR, else $XDG_CACHE_HOME/graphc, else ~/.cache/graphc. Entries are code that will be run,
so a folder that another user owns or may write to is not used.
"""

import contextlib
import hashlib
import os
import re
import stat
import struct
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from graphc.place import warn

VERSION = 1  # of the entry's format and of how its code was generated
LIMIT_BYTES = 512 << 20

_MAGIC = b"graphc\0o"
_HEADER = struct.Struct("<8sIQ32s")  # magic, version, payload bytes, SHA-256 of key and payload
_KEY = re.compile(r"[0-9a-f]{64}")
_SUFFIX = ".o"
_TRIM_EVERY = 256  # of so many stores one looks how full the folder is
_SLICES = 16  # it looks at the entries whose keys begin with one digit: to look at all of a full folder takes a second
_REFRESH_SECONDS = 3600.0  # a use is recorded at most this often; also the age of an abandoned temporary file

_lock = threading.Lock()
_hits = 0
_misses = 0
_warned: set[Path] = set()


@dataclass(frozen=True)
class Stats:
    """Loads answered and not answered by this process; the folder's entries, and the bytes that they take there."""

    hits: int
    misses: int
    entries: int
    bytes: int


def directory() -> Path | None:
    """The cache folder, which need not exist yet; None where no home folder is known."""
    explicit = os.environ.get("GRAPHC_CACHE_DIR")
    if explicit:
        return Path(explicit)
    base = os.environ.get("XDG_CACHE_HOME")
    if base and os.path.isabs(base):
        return Path(base) / "graphc"
    try:
        return Path.home() / ".cache" / "graphc"
    except RuntimeError:
        return None


def load(key: str) -> bytes | None:
    """The payload stored under `key` (64 hexadecimal digits); None when it is not there or damaged.

    Raises:
        ValueError: `key` is not 64 hexadecimal digits.
    """
    global _hits, _misses
    folder = _trusted(key, create=False)
    payload = _read(folder / (key + _SUFFIX), key) if folder else None
    with _lock:
        _hits += payload is not None
        _misses += payload is None
    return payload


def store(key: str, payload: bytes) -> None:
    """Keep `payload` under `key` (64 hexadecimal digits), or do nothing where that cannot be done.

    Raises:
        ValueError: `key` is not 64 hexadecimal digits.
    """
    folder = _trusted(key, create=True)
    if folder is None or not _write(folder / (key + _SUFFIX), _pack(key, payload)):
        return
    if int(key[-2:], 16) % _TRIM_EVERY == 0:
        _trim(folder, key[0])


def stats() -> Stats:
    """Hits and misses of this process; entries and bytes in the folder now."""
    folder = directory()
    sizes = [size for _, size, path in _files(folder) if path.endswith(_SUFFIX)] if folder else []
    return Stats(_hits, _misses, len(sizes), sum(sizes))


def clear() -> None:
    """Delete every entry and set hits and misses to zero."""
    global _hits, _misses
    folder = directory()
    for _, _, path in _files(folder) if folder else []:
        _delete(path)
    with _lock:
        _hits = _misses = 0


def _trusted(key: str, create: bool) -> Path | None:
    """The folder if it may be used for `key`: it exists (or could be created), and only this user can write to it."""
    if not _KEY.fullmatch(key):
        raise ValueError(f"cache: expected a key of 64 hexadecimal digits, got {key!r}")
    folder = directory()
    if folder is None:
        return None
    try:
        if create:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.stat()
    except OSError:
        return None
    if not stat.S_ISDIR(status.st_mode):
        return None
    if hasattr(os, "geteuid") and (status.st_uid != os.geteuid() or status.st_mode & 0o022):
        _warn_once(folder, status)
        return None
    return folder


def _warn_once(folder: Path, status: os.stat_result) -> None:
    with _lock:
        first = folder not in _warned
        _warned.add(folder)
    if first:
        warn(
            f"graphc: compiled code is not cached: {folder} has owner {status.st_uid} and mode "
            f"{stat.S_IMODE(status.st_mode):o}, expected owner {os.geteuid()} and no write access for others",
            RuntimeWarning,
        )


def _pack(key: str, payload: bytes) -> bytes:
    return _HEADER.pack(_MAGIC, VERSION, len(payload), _checksum(key, payload)) + payload


def _unpack(key: str, blob: bytes) -> bytes | None:
    """The payload of a whole and unchanged entry that was written for `key`; None for any other bytes."""
    if len(blob) < _HEADER.size:
        return None
    magic, version, length, checksum = _HEADER.unpack_from(blob)
    payload = blob[_HEADER.size :]
    whole = magic == _MAGIC and version == VERSION and length == len(payload)
    return payload if whole and checksum == _checksum(key, payload) else None


def _checksum(key: str, payload: bytes) -> bytes:
    # With the key, so that an entry renamed to another key is refused.
    return hashlib.sha256(key.encode() + payload).digest()


def _read(path: Path, key: str) -> bytes | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0))
        with open(descriptor, "rb") as file:
            used = os.fstat(descriptor).st_mtime
            payload = _unpack(key, file.read())
    except OSError:
        return None
    if payload is None:
        _delete(path)
    elif time.time() - used > _REFRESH_SECONDS:
        with contextlib.suppress(OSError):
            os.utime(path)
    return payload


def _write(path: Path, blob: bytes) -> bool:
    """Write a file in one step: readers see the old one, the new one or none. False when the disk refuses.

    Nothing waits for the disk, which took longer than generating what is written. What a power failure tears does not
    match its checksum.
    """
    try:
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".tmp")
    except OSError:
        return False
    try:
        with open(descriptor, "wb") as file:
            file.write(blob)
        os.replace(temporary, path)
        return True
    except OSError:
        return False
    finally:
        _delete(temporary)  # still there only when something failed


def _files(folder: Path, begin: tuple[str, ...] = ("",)) -> list[tuple[float, int, str]]:
    """(last use, bytes on the disk, path) of the entries and temporary files of a folder whose names begin so."""
    found = []
    with contextlib.suppress(OSError), os.scandir(folder) as listing:
        for entry in listing:
            if entry.name.startswith(begin) and entry.name.endswith((_SUFFIX, ".tmp")):
                with contextlib.suppress(OSError):
                    status = entry.stat(follow_symlinks=False)
                    found.append((status.st_mtime, _on_disk(status), entry.path))
    return found


def _on_disk(status: os.stat_result) -> int:
    """The bytes that a file takes: whole blocks, which for most entries are several times what they hold."""
    blocks: int | None = getattr(status, "st_blocks", None)
    return status.st_size if blocks is None else blocks * 512


def _trim(folder: Path, digit: str) -> None:
    """Delete abandoned temporary files, and entries unused for longest while there are too many.

    Keys are digests, so the entries whose keys begin with one digit are a sixteenth of all, and may take a sixteenth of
    LIMIT_BYTES.
    """
    now, limit = time.time(), LIMIT_BYTES // _SLICES
    entries = []
    for used, size, path in _files(folder, (digit, ".")):
        if path.endswith(_SUFFIX):
            entries.append((used, size, path))
        elif now - used > _REFRESH_SECONDS:
            _delete(path)
    total = sum(size for _, size, _ in entries)
    if total <= limit:
        return
    for _, size, path in sorted(entries):
        if total <= limit * 3 // 4:  # leaves room, so that the next store need not trim again
            break
        _delete(path)
        total -= size


def _delete(path: str | Path) -> None:
    with contextlib.suppress(OSError):
        os.unlink(path)


def _renew_lock() -> None:
    global _lock
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)  # another thread may have held it when the process forked
