"""Arrays of numbers in MATLAB's files of version 5, which hold the labels of several datasets.

"MAT-File Format" (The MathWorks): a header of 128 bytes, then elements, each with a type and a length; one of type 15
is another that is compressed, one of type 14 an array: flags, dimensions, a name, and the numbers column by column.
"""

import struct
import zlib
from pathlib import Path

import numpy as np

from graphc.dataset.files import DataFileError

_NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
"""The types of stored numbers. Small whole numbers of a wide class are stored in a narrow type."""

_CLASSES = {6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4", 14: "i8", 15: "u8"}
"""The classes of arrays of numbers; others (cells, structures, text) are left out."""


def read_matlab(path: Path) -> dict[str, np.ndarray]:
    """The arrays of numbers in a file, by name, each with at least two dimensions.

    Raises:
        DataFileError: the file is none of version 5, or damaged.
    """
    data = path.read_bytes()
    mark = data[126:128]
    if len(data) < 128 or mark not in (b"IM", b"MI"):
        raise DataFileError(f"{path}: not a MATLAB file of version 5")
    order = "<" if mark == b"IM" else ">"
    try:
        found = [_array(kind, body, order) for kind, body in _elements(data[128:], order)]
    except (struct.error, zlib.error, ValueError, KeyError, IndexError) as error:
        raise DataFileError(f"{path}: damaged ({error})") from error
    return dict(pair for pair in found if pair is not None)


def _elements(data: bytes, order: str) -> list[tuple[int, bytes]]:
    """The type and the bytes of each element; compressed ones as they are without that."""
    found: list[tuple[int, bytes]] = []
    place = 0
    while place < len(data):
        kind, size = struct.unpack_from(f"{order}II", data, place)
        if kind >> 16:  # up to four bytes, in the place of the length
            kind, size, begin, end = kind & 0xFFFF, kind >> 16, place + 4, place + 8
        else:
            begin = place + 8
            end = begin + size if kind == 15 else begin + (size + 7) // 8 * 8
        if begin + size > len(data):
            raise ValueError(f"an element of {size} bytes at {place} goes beyond the end")
        body = data[begin : begin + size]
        found += _elements(zlib.decompress(body), order) if kind == 15 else [(kind, body)]
        place = end
    return found


def _array(kind: int, body: bytes, order: str) -> tuple[str, np.ndarray] | None:
    if kind != 14:
        return None
    (_, flags), (_, extents), (_, name), *parts = _elements(body, order)
    kind = struct.unpack_from(f"{order}I", flags)[0]
    dtype = _CLASSES.get(kind & 0xFF)
    if dtype is None:
        return None
    shape = struct.unpack(f"{order}{len(extents) // 4}i", extents)
    values, *imaginary = (
        np.frombuffer(numbers, f"{order}{_NUMBERS[stored]}").astype(dtype) for stored, numbers in parts
    )
    if kind & 0x800:
        values = values + 1j * imaginary[0]
    return name.decode("ascii"), np.ascontiguousarray(values.reshape(shape, order="F"))
