"""Files that checkpoints are: safetensors, with the order of names and strings in the metadata.

A file appears whole or not at all: it is written beside its place, flushed to the disk and then renamed over it.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc import mindspore_file

SUFFIXES = {"ckpt": ".ckpt", "safetensors": ".safetensors"}
METADATA_KEY = "graphc"  # of the file's string-to-string metadata; holds JSON: order, strings, checksum
WIDE_KEY = "complex128"  # holds a JSON list: what is complex128, which the format lacks; its parts are kept, [..., 2]


def write_checkpoint(
    path: str, names: Sequence[str], arrays: dict[str, np.ndarray], strings: dict[str, str], checksum: bool
) -> None:
    """Writes arrays and strings.

    Args:
        names: of all of them, in their order.
        checksum: store one.
    Raises:
        OSError: the file cannot be written; one that was there before is as it was.
    """
    notes: dict[str, Any] = {"names": list(names), "strings": strings}
    if checksum:
        notes["crc32"] = _checksum(arrays)
    write_file("save_checkpoint", path, arrays, {METADATA_KEY: json.dumps(notes)})


def read_checkpoint(path: str, wanted: Callable[[str], bool], checksum: bool) -> dict[str, Any]:
    """The arrays and strings with wanted names, in the order in which they were saved.

    Args:
        checksum: verify it.
    Raises:
        ValueError: it is no checkpoint, or is damaged.
    """
    from safetensors import SafetensorError, safe_open

    if mindspore_file.is_mindspores(path):
        return mindspore_file.read(path, wanted, checksum)
    try:
        with safe_open(path, framework="numpy") as file:
            stored = list(file.keys())
            notes = json.loads((file.metadata() or {}).get(METADATA_KEY, "{}"))
            strings: dict[str, str] = notes.get("strings", {})
            if checksum:
                _verify({name: _held(file, name) for name in sorted(stored)}, notes, path)
            found: dict[str, Any] = {name: _held(file, name) for name in stored if wanted(name)}
    except (SafetensorError, OSError, json.JSONDecodeError, AttributeError, TypeError) as error:
        raise ValueError(f"load_checkpoint: {path} is not a checkpoint, or is damaged: {error}") from error
    found |= {name: text for name, text in strings.items() if wanted(name)}
    order = {name: place for place, name in enumerate(notes.get("names", []))}
    return dict(sorted(found.items(), key=lambda item: order.get(item[0], len(order))))


def _checksum(arrays: dict[str, np.ndarray]) -> int:
    """The CRC-32 of all names, types and numbers."""
    crc = 0
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        crc = zlib.crc32(f"{name} {array.dtype} {arrays[name].shape}".encode(), crc)
        crc = zlib.crc32(array.reshape(-1).view(np.uint8).data, crc)
    return crc


def _verify(arrays: dict[str, np.ndarray], notes: dict[str, Any], path: str) -> None:
    if "crc32" not in notes:
        raise ValueError(f"load_checkpoint: {path} has no checksum to verify; save it with crc_check=True")
    found = _checksum(arrays)
    if found != notes["crc32"]:
        raise ValueError(f"load_checkpoint: {path} is damaged: its checksum is {notes['crc32']}, its content's {found}")


# Any safetensors file


def write_file(where: str, path: str, arrays: dict[str, np.ndarray], metadata: dict[str, str]) -> None:
    """Writes a safetensors file, whole or not at all.

    Args:
        where: what errors call the function that asks for it.
    Raises:
        OSError: it cannot be written; a file that was there before is as it was.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    folder, base = os.path.split(path)
    if not os.path.isdir(folder or "."):
        raise FileNotFoundError(f"{where}: there is no folder {folder!r} to write {base!r} into")
    unfinished = os.path.join(folder, f".{base}.{os.getpid()}.tmp")
    try:
        wide = [name for name, array in arrays.items() if array.dtype == np.complex128]
        parts = {name: np.stack([arrays[name].real, arrays[name].imag], -1) for name in wide}
        notes = {WIDE_KEY: json.dumps(wide)} if wide else {}
        save_file(arrays | parts, unfinished, metadata | notes)
        with open(unfinished, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(unfinished, path)
    except (OSError, SafetensorError) as error:
        code = getattr(error, "errno", None)
        message = f"{where}: could not write {path}: {error}; a file that was there before is as it was"
        raise OSError(code, message) if code else OSError(message) from error
    finally:
        if os.path.exists(unfinished):
            os.unlink(unfinished)


def read_file(path: str) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """The arrays and the metadata of a safetensors file.

    Raises:
        ValueError: it is none, or is damaged.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            return {name: _held(file, name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118 (no dict)
    except SafetensorError as error:
        raise ValueError(str(error)) from error


def _held(file: Any, name: str) -> np.ndarray:
    """An array of an open file."""
    array: np.ndarray = file.get_tensor(name)
    if name not in json.loads((file.metadata() or {}).get(WIDE_KEY, "[]")):
        return array
    return np.ascontiguousarray(array).view(np.complex128).reshape(array.shape[:-1])


# Names


def with_suffix(file: str | os.PathLike[str], format: str) -> str:
    """The name that a checkpoint is saved under."""
    path = _path("save_checkpoint", file)
    if not isinstance(path, str) or not os.path.basename(path):
        raise ValueError(f"save_checkpoint: expected a file name, got {file!r}")
    return path if path.endswith((format, *SUFFIXES.values())) else path + _suffix("save_checkpoint", format)


def _path(where: str, file: Any) -> Any:
    if not isinstance(file, (str, bytes, os.PathLike)):
        raise TypeError(f"{where}: ckpt_file_name must be a str or a path, got {file!r:.80}")
    return os.fspath(file)


def existing(file: str | os.PathLike[str], format: str) -> str:
    """The file that a checkpoint is loaded from: of that name, or with a suffix.

    Raises:
        ValueError: there is none.
    """
    path: str = _path("load_checkpoint", file)
    for candidate in (path, path + _suffix("load_checkpoint", format), *(path + s for s in SUFFIXES.values())):
        if os.path.isfile(candidate):
            return candidate
    raise ValueError(f"load_checkpoint: there is no file {path!r}")


def _suffix(where: str, format: str) -> str:
    if format not in SUFFIXES:
        raise ValueError(f"{where}: format must be one of {sorted(SUFFIXES)}, got {format!r}")
    return SUFFIXES[format]
