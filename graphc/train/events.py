"""Files of events: what `SummaryRecord` writes, scalars, images, tensors and histograms of steps.

A file is records like those of TFRecord files: the length, its checksum, the data, their checksum. Each is an `Event`
of MindSpore's `summary.proto`, a message of Protocol Buffers, as MindInsight reads it.
"""

from __future__ import annotations

import math
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np

_TYPES = (
    "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "float32", "float64"
)  # fmt: skip
"""The element types, numbered from 1."""


# Records


def _crc_table() -> list[int]:
    """CRC-32C of each byte (the Castagnoli polynomial, as in RFC 3720, appendix B.4)."""
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return table


_CRC = _crc_table()


def masked_crc(data: bytes) -> int:
    """The checksum of a record's part: of CRC-32C turned by 15 bits, and a constant added."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _CRC[(crc ^ byte) & 0xFF] ^ crc >> 8
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def record(data: bytes) -> bytes:
    """A record with its length and checksums."""
    length = struct.pack("<Q", len(data))
    return length + struct.pack("<I", masked_crc(length)) + data + struct.pack("<I", masked_crc(data))


# Fields of messages


def _varint(number: int) -> bytes:
    number &= 2**64 - 1
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def _int(field: int, number: int) -> bytes:
    return _varint(field << 3) + _varint(number)


def _double(field: int, number: float) -> bytes:
    return _varint(field << 3 | 1) + struct.pack("<d", number)


def _bytes(field: int, data: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(data)) + data


# Events


def version_event(wall_time: float) -> bytes:
    """The first event of a file."""
    return _double(1, wall_time) + _bytes(3, b"MindSpore.Event:1")


def summary_event(wall_time: float, step: int, values: list[bytes]) -> bytes:
    """What `value_of` made, as an event of a step."""
    summary = b"".join(_bytes(1, value) for value in values)
    return _double(1, wall_time) + _int(2, step) + _bytes(5, summary)


def value_of(kind: str, tag: str, array: np.ndarray) -> bytes:
    """One value of a step.

    Args:
        kind: `scalar`, of which the first element counts, `image` [N, C, H, W], `tensor` or `histogram`.
    Raises:
        ValueError: an array that is no such thing.
    """
    if array.size == 0:
        raise ValueError(f"SummaryRecord: {kind} {tag!r} is empty, of shape {array.shape}")
    name = _bytes(1, tag.encode())
    match kind:
        case "scalar":
            return name + _varint(3 << 3 | 5) + struct.pack("<f", array.flat[0])
        case "image":
            return name + _bytes(4, _image(tag, array))
        case "tensor":
            return name + _bytes(8, _tensor(array))
        case "histogram":
            return name + _bytes(9, _histogram(array))
    raise ValueError(f"SummaryRecord: got {kind!r}, expected 'scalar', 'image', 'tensor' or 'histogram'")


def _tensor(array: np.ndarray) -> bytes:
    dims = b"".join(_int(1, n) for n in array.shape)
    return dims + _int(2, _TYPES.index(array.dtype.name) + 1) + _bytes(3, array.astype("<f4").tobytes())


def _histogram(array: np.ndarray) -> bytes:
    """Buckets of equal width, some ten numbers in each but 90 at most; what is not finite is counted."""
    values = array.ravel().astype(np.float64)
    finite = values[np.isfinite(values)]
    lost = np.isnan(values).sum(), np.isposinf(values).sum(), np.isneginf(values).sum()
    counts = b"".join(_int(field, int(n)) for field, n in enumerate(lost, 2)) + _int(8, values.size)
    if not finite.size:
        return counts
    low, high = finite.min(), finite.max()
    buckets = 2 if finite.size <= 5 else 3 if finite.size <= 10 else min(finite.size // 10 + 1, 90)
    hits, edges = np.histogram(finite, buckets, (low, high) if low < high else (low - 0.5, high + 0.5))
    parts = [
        _bytes(1, _double(1, left) + _double(2, right - left) + _int(3, int(n)))
        for n, left, right in zip(hits, edges, edges[1:])
    ]
    return b"".join(parts) + counts + _double(5, high) + _double(6, low) + _double(7, finite.sum())


_COLUMNS = 8


def _image(tag: str, images: np.ndarray) -> bytes:
    """The images of a batch in rows of eight, as one PNG."""
    if images.ndim != 4 or images.shape[1] not in (1, 3):
        raise ValueError(f"SummaryRecord: image {tag!r} must be [N, 1 or 3, H, W], got shape {images.shape}")
    count, _, height, width = images.shape
    columns = min(count, _COLUMNS)
    canvas = np.zeros((math.ceil(count / columns) * height, columns * width, 3))
    for i, image in enumerate(images):
        top, left = i // columns * height, i % columns * width
        canvas[top : top + height, left : left + width] = image.transpose(1, 2, 0)
    pixels = _as_bytes(canvas, images.dtype == np.uint8)
    return _int(1, len(pixels)) + _int(2, pixels.shape[1]) + _int(3, 3) + _bytes(4, png(pixels))


def _as_bytes(canvas: np.ndarray, are_bytes: bool) -> np.ndarray:
    """What is in [0, 1] times 255, other numbers than bytes from their least to their greatest."""
    low, high = canvas.min(), canvas.max()
    if are_bytes:
        low, scale = 0.0, 1.0
    elif low >= 0 and high <= 1:
        low, scale = 0.0, 255.0
    else:
        scale = 255 / (high - low + 1) if high != low else 1.0
    result: np.ndarray = ((canvas - low) * scale).astype(np.uint8)
    return result


def png(pixels: np.ndarray) -> bytes:
    """A PNG file of bytes [H, W, 3] (W3C: Portable Network Graphics)."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    height, width, _ = pixels.shape
    rows = np.pad(pixels.reshape(height, -1), ((0, 0), (1, 0)))  # each begins with its filter: none
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows.tobytes())) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


class EventFile:
    """A file of events, which is made when there is a first one.

    Args:
        path: the file.
        most: how many bytes it may have; None for no limit.
    """

    def __init__(self, path: Path, most: int | None) -> None:
        self._path, self._most, self._size = path, most, 0
        self._file: Any = None

    def write(self, event: bytes) -> bool:
        """Writes an event, unless the file would become too large."""
        data = record(event)
        if self._most is not None and self._size + len(data) > self._most:
            return False
        if self._file is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._path.open("wb")
        self._file.write(data)
        self._size += len(data)
        return True

    def flush(self) -> None:
        if self._file is not None:
            self._file.flush()

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
