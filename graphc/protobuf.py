"""Messages of Protocol Buffers, as files of other programs hold them: their fields, one after the other.

See https://protobuf.dev/programming-guides/encoding.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

Bytes = bytes | memoryview
_VARINT, _EIGHT, _MESSAGE, _FOUR = 0, 1, 2, 5  # how a field of a message is written


def _varint(data: Bytes, at: int) -> tuple[int, int]:
    """The number at a place, seven bits a byte, and the place after it."""
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def varints(data: Bytes) -> np.ndarray:
    """The int64 numbers that are written one after the other.

    Raises:
        IndexError: the last one has no end.
    """
    bytes_ = np.frombuffer(data, np.uint8)
    ends = np.flatnonzero(bytes_ < 128)
    if not bytes_.size:
        return np.zeros(0, np.int64)
    if not ends.size or ends[-1] != bytes_.size - 1:
        raise IndexError("the last number has no end")
    starts = np.concatenate([[0], ends[:-1] + 1])
    within = np.arange(bytes_.size) - np.repeat(starts, ends - starts + 1)
    parts = (bytes_ & 127).astype(np.uint64) << (7 * within).astype(np.uint64)
    return np.bitwise_or.reduceat(parts, starts).view(np.int64)


def fields(data: Bytes) -> Iterator[tuple[int, int, Bytes]]:
    """The fields of a message: number, how it is written, bytes.

    Raises:
        IndexError: these bytes are no message.
    """
    at, end = 0, len(data)
    while at < end:
        tag, at = _varint(data, at)
        wire, begin = tag & 7, at
        if wire == _MESSAGE:
            size, begin = _varint(data, at)
            at = begin + size
        elif wire == _VARINT:
            at = _varint(data, at)[1]
        elif wire in (_EIGHT, _FOUR):
            at += 8 if wire == _EIGHT else 4
        else:
            raise IndexError(f"field {tag >> 3} is written in way {wire}")
        if at > end:
            raise IndexError(f"field {tag >> 3} ends {at - end} bytes after its message")
        yield tag >> 3, wire, data[begin:at]
