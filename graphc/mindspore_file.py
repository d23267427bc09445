"""Checkpoint files that MindSpore itself has written.

Such a file is a message of Protocol Buffers (`Checkpoint` in MindSpore's `checkpoint.proto`): values, each a name and a
tensor, and that is its shape, the name of its type, and its bytes. A large tensor is several values of one name, one
after the other. A checksum of all this may follow.
"""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from graphc.dtype import dtype_of
from graphc.protobuf import Bytes, fields, varints

_MARK, _DIGITS = b"crc_num", 10
_NUMBERS = {"UInt64": np.dtype(np.uint64)}  # types that NumPy has and graphc lacks: what asks for such a value says so


class Part(NamedTuple):
    """A value of the file: a tensor, or the next part of one."""

    name: str
    shape: tuple[int, ...]
    type_name: str
    content: Bytes


def is_mindspores(path: str) -> bool:
    """Whether a file begins as a checkpoint of MindSpore's does, and not as a safetensors file, with its length."""
    with open(path, "rb") as file:
        begin = file.read(8)
        size = file.seek(0, 2)
    return begin[:1] == b"\x0a" and int.from_bytes(begin, "little") > size


def read(path: str, wanted: Callable[[str], bool], checksum: bool) -> dict[str, np.ndarray | str]:
    """The values by name, in the file's order; those of strings are strings.

    Args:
        wanted: says of a name whether its value is read.
        checksum: whether there must be one that agrees.
    Raises:
        ValueError: the file is damaged, holds what graphc has no type for, or does not agree with its checksum.
    """
    with open(path, "rb") as file:
        content = memoryview(file.read())
    end = len(content) - len(_MARK) - _DIGITS
    if end >= 0 and content[end : end + len(_MARK)] == _MARK:
        stored, content = int.from_bytes(content[-_DIGITS:], "big"), content[:end]
        if checksum and stored != zlib.crc32(content):
            raise ValueError(f"load_checkpoint: {path} is damaged: its content does not agree with its checksum")
    elif checksum:
        raise ValueError(f"load_checkpoint: {path} has no checksum to verify; save it with crc_check=True")
    try:
        parts = list(_parts(content))
        grouped = itertools.groupby(parts, lambda part: part.name)
        return {name: _value(list(group)) for name, group in grouped if wanted(name)}
    except (IndexError, UnicodeDecodeError, ValueError, TypeError) as error:
        raise ValueError(f"load_checkpoint: {path} is not a checkpoint, or is damaged: {error}") from error


def _parts(content: memoryview) -> Iterator[Part]:
    for number, _, value in fields(content):
        if number != 1:
            raise IndexError(f"field {number} of a Checkpoint")
        found = {number: data for number, _, data in fields(value)}
        name = str(found.get(1, b""), "utf-8")
        if 2 not in found:
            raise TypeError(f"{name!r} is no tensor; maps from keys to values are not supported")
        yield _part(name, found[2])


def _part(name: str, tensor: Bytes) -> Part:
    shape: list[int] = []
    kind, content = "", tensor[:0]
    for number, _, data in fields(tensor):
        if number == 1:
            shape += varints(data).tolist()  # packed, or one by one: written alike
        elif number == 2:
            kind = str(data, "ascii")
        elif number == 3:
            content = data
    return Part(name, tuple(shape), kind, content)


def _value(parts: list[Part]) -> np.ndarray | str:
    """The tensor that the parts are of. A shape of (0,) with content is MindSpore's for a number of rank 0."""
    shape, kind = parts[0].shape, parts[0].type_name
    content = bytearray().join(part.content for part in parts)
    if kind == "str":
        return content.decode("utf-32-le").rstrip("\0")
    array = np.frombuffer(content, _NUMBERS.get(kind) or dtype_of(kind.lower()).np)
    return array.reshape(() if shape == (0,) and array.size else shape)
