"""How values are written in MindRecord files: maps as MessagePack, arrays of integers in as few bytes as they need."""

import struct
from typing import Any

import numpy as np

from graphc.dataset.files import DataFileError


def packed(value: Any) -> bytes:
    """MessagePack of a dict of names, numbers and texts."""
    if isinstance(value, dict):
        head = bytes([0x80 | len(value)]) if len(value) < 16 else b"\xde" + struct.pack(">H", len(value))
        return head + b"".join(packed(item) for pair in value.items() for item in pair)
    if isinstance(value, str):
        text = value.encode()
        head = bytes([0xA0 | len(text)]) if len(text) < 32 else b"\xdb" + struct.pack(">I", len(text))
        return head + text
    if isinstance(value, float):
        return b"\xcb" + struct.pack(">d", value)
    return bytes([value]) if 0 <= value < 128 else b"\xd3" + struct.pack(">q", value)


_WIDTHS = (np.int8, np.int16, np.int32, np.int64)
_NUMBERS = {
    0xCA: ">f", 0xCB: ">d", 0xCC: ">B", 0xCD: ">H", 0xCE: ">I", 0xCF: ">Q", 0xD0: ">b", 0xD1: ">h", 0xD2: ">i",
    0xD3: ">q",
}  # fmt: skip
_LENGTHS = {0xD9: ">B", 0xDA: ">H", 0xDB: ">I", 0xDE: ">H", 0xDF: ">I"}  # of texts and maps


def unpacked(data: bytes, at: int = 0) -> tuple[Any, int]:
    """The value of MessagePack that begins at a byte, and where it ends.

    Raises:
        DataFileError: it is of another kind than maps, numbers and texts.
        IndexError, struct.error, UnicodeDecodeError: the data is damaged.
    """
    kind, at = data[at], at + 1
    if kind < 0x80 or kind >= 0xE0:
        return kind - (0 if kind < 0x80 else 256), at
    if kind in (0xC0, 0xC2, 0xC3):
        return {0xC0: None, 0xC2: False, 0xC3: True}[kind], at
    if kind in _NUMBERS:
        form = _NUMBERS[kind]
        return struct.unpack_from(form, data, at)[0], at + struct.calcsize(form)
    count = kind & (0x0F if kind < 0x90 else 0x1F)
    if kind in _LENGTHS:
        form = _LENGTHS[kind]
        count, at = struct.unpack_from(form, data, at)[0], at + struct.calcsize(form)
    if kind < 0x90 or kind in (0xDE, 0xDF):
        found = {}
        for _ in range(count):
            key, at = unpacked(data, at)
            found[key], at = unpacked(data, at)
        return found, at
    if 0xA0 <= kind < 0xC0 or kind in _LENGTHS:
        return data[at : at + count].decode(), at + count
    raise DataFileError(f"mindrecord: MessagePack of kind {kind:#x}, expected maps, numbers and texts")


def shortened(array: np.ndarray) -> bytes:
    """Integers in 1, 2, 4 or 8 bytes each, as they need: the count, the width of each in two bits, the bytes."""
    flat = array.reshape(-1).astype("<i8")
    codes = np.sum([(flat < np.iinfo(w).min) | (flat > np.iinfo(w).max) for w in _WIDTHS[:3]], axis=0, dtype=np.uint8)
    quads = np.zeros((-(-len(flat) // 4), 4), np.uint8)
    quads.reshape(-1)[: len(flat)] = codes
    heads: np.ndarray = (quads << np.array([6, 4, 2, 0], np.uint8)).sum(1, dtype=np.uint8)
    each = flat.view(np.uint8).reshape(-1, 8)
    used = np.arange(8) < np.left_shift(1, codes).reshape(-1, 1)
    return struct.pack(">I", len(flat)) + heads.tobytes() + each[used].tobytes()


def lengthened(data: bytes, dtype: str) -> np.ndarray:
    """The integers that `shortened` wrote, as a vector.

    Raises:
        ValueError, struct.error: the data is damaged.
    """
    (count,) = struct.unpack_from(">I", data)
    heads = np.frombuffer(data, np.uint8, -(-count // 4), 4)
    codes = ((heads[:, None] >> np.array([6, 4, 2, 0], np.uint8)) & 3).reshape(-1)[:count]
    each = np.zeros((count, 8), np.uint8)
    used = np.arange(8) < np.left_shift(1, codes).reshape(-1, 1)
    each[used] = np.frombuffer(data, np.uint8, offset=4 + len(heads))
    last = np.left_shift(1, codes) - 1
    negative = each[np.arange(count), last] >= 128
    each[~used & negative[:, None]] = 255
    return each.reshape(-1).view("<i8").astype(dtype)
