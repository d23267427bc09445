"""The object cache: what was stored comes back whole or not at all, and trouble with the disk is never an error."""

import builtins
import errno
import io
import os
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import pytest

from graphc.runtime import cache

KEY = "0f" * 32
OTHER = "a5" * 32


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("GRAPHC_CACHE_DIR", str(tmp_path / "cache"))
    cache.clear()
    return tmp_path / "cache"


def entry(folder: Path, key: str = KEY) -> Path:
    return folder / f"{key}.o"


def test_stored_payload_comes_back(folder):
    assert cache.load(KEY) is None
    cache.store(KEY, b"code")
    assert cache.load(KEY) == b"code"
    assert cache.load(OTHER) is None
    stats = cache.stats()
    assert (stats.hits, stats.misses, stats.entries, stats.bytes) == (1, 2, 1, entry(folder).stat().st_blocks * 512)


def test_empty_payload_is_a_payload():
    cache.store(KEY, b"")
    assert cache.load(KEY) == b""


def test_later_store_replaces():
    cache.store(KEY, b"one")
    cache.store(KEY, b"another")
    assert cache.load(KEY) == b"another"


def test_folder_and_entries_are_private(folder):
    cache.store(KEY, b"code")
    assert folder.stat().st_mode & 0o777 == 0o700
    assert entry(folder).stat().st_mode & 0o777 == 0o600
    assert os.listdir(folder) == [entry(folder).name]


def test_clear_deletes_entries_and_counts(folder):
    cache.store(KEY, b"code")
    (folder / "notes.txt").write_text("not ours")
    cache.load(KEY)
    cache.clear()
    assert cache.stats() == cache.Stats(0, 0, 0, 0)
    assert os.listdir(folder) == ["notes.txt"]


DAMAGES = {
    "empty": lambda blob: b"",
    "torn header": lambda blob: blob[:20],
    "torn payload": lambda blob: blob[:-1],
    "longer": lambda blob: blob + b"\0",
    "magic": lambda blob: b"X" + blob[1:],
    "version": lambda blob: blob[:8] + b"\xff" + blob[9:],
    "length": lambda blob: blob[:12] + b"\xff" * 8 + blob[20:],
    "checksum": lambda blob: blob[:25] + bytes([blob[25] ^ 1]) + blob[26:],
    "payload": lambda blob: blob[:-1] + bytes([blob[-1] ^ 1]),
    "zeros": lambda blob: bytes(len(blob)),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_damaged_entry_is_dropped_and_can_be_rebuilt(folder, damage):
    cache.store(KEY, b"some object code")
    entry(folder).write_bytes(damage(entry(folder).read_bytes()))
    assert cache.load(KEY) is None
    assert not entry(folder).exists()
    cache.store(KEY, b"some object code")
    assert cache.load(KEY) == b"some object code"


def test_entry_under_another_key_is_refused(folder):
    cache.store(KEY, b"code of another module")
    entry(folder).rename(entry(folder, OTHER))
    assert cache.load(OTHER) is None


@pytest.mark.parametrize("key", ["", "../" + "0" * 61, "0" * 63, "0F" * 32, "0" * 65])
def test_key_must_be_a_digest(key):
    with pytest.raises(ValueError, match="64 hexadecimal digits"):
        cache.load(key)
    with pytest.raises(ValueError, match="64 hexadecimal digits"):
        cache.store(key, b"")


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o702])
def test_folder_that_others_may_write_is_not_used(folder, mode):
    cache.store(KEY, b"code")
    folder.chmod(mode)
    with pytest.warns(RuntimeWarning, match="not cached.*mode") as caught:
        assert cache.load(KEY) is None
        cache.store(OTHER, b"code")
    assert len(caught) == 1
    assert not entry(folder, OTHER).exists()


def test_folder_of_another_user_is_not_used(folder, monkeypatch):
    cache.store(KEY, b"code")
    owner = folder.stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    with pytest.warns(RuntimeWarning, match=f"owner {owner} .*expected owner {owner + 1}"):
        assert cache.load(KEY) is None


def test_symbolic_link_is_not_an_entry(folder, tmp_path):
    cache.store(KEY, b"code")
    moved = entry(folder).rename(tmp_path / "elsewhere")
    entry(folder).symlink_to(moved)
    assert cache.load(KEY) is None


def fail(*_, **__):
    raise OSError(errno.ENOSPC, "No space left on device")


class FullFile(io.BytesIO):
    """A file whose last bytes find no room: the system says so when it is closed."""

    def close(self):
        super().close()
        fail()


FULL_DISKS = {
    "create": (tempfile, "mkstemp", fail),
    "write": (builtins, "open", lambda descriptor, mode: os.close(descriptor) or FullFile()),
    "replace": (os, "replace", fail),
}


@pytest.mark.parametrize("where", FULL_DISKS.values(), ids=FULL_DISKS.keys())
def test_full_disk_means_no_caching(folder, monkeypatch, where):
    with monkeypatch.context() as patched, warnings.catch_warnings():
        warnings.simplefilter("error")
        patched.setattr(*where)
        cache.store(KEY, b"code")
    assert cache.load(KEY) is None
    assert os.listdir(folder) == []


def test_folder_that_cannot_be_made_means_no_caching(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        monkeypatch.setenv("GRAPHC_CACHE_DIR", str(path))
        cache.store(KEY, b"code")
        assert cache.load(KEY) is None
        assert cache.stats().entries == 0
        cache.clear()


def test_where_the_folder_is(monkeypatch, tmp_path):
    monkeypatch.setenv("GRAPHC_CACHE_DIR", "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache.directory() == tmp_path / "graphc"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")  # to be ignored, says the XDG specification
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache.directory() == tmp_path / ".cache" / "graphc"


def test_longest_unused_entries_make_room(folder, monkeypatch):
    monkeypatch.setattr(cache, "_TRIM_EVERY", 1)
    cache.store(OTHER, bytes(900))
    os.utime(entry(folder, OTHER), (0, 1.0))
    one = entry(folder, OTHER).stat().st_blocks * 512  # the disk gives whole blocks
    monkeypatch.setattr(cache, "LIMIT_BYTES", 16 * 10 * one)
    keys = [f"{i:064x}" for i in range(10)]
    for age, key in enumerate(keys):
        cache.store(key, bytes(900))
        os.utime(entry(folder, key), (0, 100_000.0 + age))
    assert cache.load(keys[0]) is not None  # a use makes it young again
    cache.store(KEY, bytes(900))
    left = {key for key in keys if entry(folder, key).exists()}
    assert len(left) + 1 <= 10
    assert keys[0] in left
    assert left - {keys[0]} == set(keys[-len(left) + 1 :])
    assert entry(folder, KEY).exists()
    assert entry(folder, OTHER).exists()  # of the entries whose keys begin with another digit


def test_few_stores_look_at_few_entries(folder, monkeypatch):
    seen = []
    monkeypatch.setattr(cache, "_files", lambda folder, begin: seen.append(begin) or [])
    for i in range(1, 513):
        cache.store(f"a{i:063x}", b"code")
    assert seen == [("a", "."), ("a", ".")]


def test_abandoned_temporary_files_go(folder, monkeypatch):
    monkeypatch.setattr(cache, "_TRIM_EVERY", 1)
    cache.store(KEY, b"code")
    (folder / ".old.tmp").write_bytes(b"half")
    (folder / ".new.tmp").write_bytes(b"half")
    os.utime(folder / ".old.tmp", (0, time.time() - 2 * 3600))
    cache.store(OTHER, b"code")
    assert not (folder / ".old.tmp").exists()
    assert (folder / ".new.tmp").exists()


# Payloads say what they must be: a letter, its count, the letters.
WRITER = """
import random, sys
from graphc.runtime import cache
cache._TRIM_EVERY, cache.LIMIT_BYTES = 3, cache._SLICES * 60_000  # of which these keys, that begin alike, have one
random.seed(int(sys.argv[1]))
for _ in range(int(sys.argv[2])):
    key = f"{random.randrange(8):064x}"
    count = random.randrange(20_000)
    cache.store(key, f"{count} ".encode() + b"x" * count)
    payload = cache.load(f"{random.randrange(8):064x}")
    assert payload is None or (lambda n, xs: len(xs) == int(n))(*payload.split(b" ")), "torn"
"""


def writer(seed: int, rounds: int) -> subprocess.Popen:
    return subprocess.Popen([sys.executable, "-c", WRITER, str(seed), str(rounds)])


def test_many_processes_share_the_folder():
    processes = [writer(seed, 60) for seed in range(4)]
    for process in processes:
        process.communicate(timeout=60)
    assert [process.returncode for process in processes] == [0] * 4


def test_killed_writer_leaves_whole_entries(folder):
    process = writer(0, 1_000_000)
    deadline = time.time() + 30
    while not list(folder.glob("*.o")) and time.time() < deadline:
        time.sleep(0.01)
    time.sleep(0.1)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    present = [path.stem for path in folder.glob("*.o")]
    assert present
    for key in present:
        count, _, letters = cache.load(key).partition(b" ")
        assert len(letters) == int(count)
