"""What MindRecord files hold, and where: the schema, the pages, and each sample's place in them.

A file is a header, and pages of one size. The header is JSON: the schema, and which pages there are. The fields of a
sample that are bytes or arrays lie one after the other in a page of blobs, the others as a map of MessagePack in a page
of raw data. Where each sample lies is in a table of SQLite beside the file, `NAME.db`. A dataset may be several files.
"""

from __future__ import annotations

import json
import os
import sqlite3
import struct
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from graphc.dataset.encoding import lengthened, unpacked
from graphc.dataset.files import DataFileError

Schema = dict[str, dict[str, Any]]

TYPES = ("int32", "int64", "float32", "float64", "string", "bytes")

PLACE = (
    "ROW_ID", "PAGE_ID_RAW", "PAGE_OFFSET_RAW", "PAGE_OFFSET_RAW_END", "ROW_GROUP_ID", "PAGE_ID_BLOB",
    "PAGE_OFFSET_BLOB", "PAGE_OFFSET_BLOB_END",
)  # fmt: skip
"""The columns of the table that say where a sample lies."""


def in_blob(field: Mapping[str, Any]) -> bool:
    """Whether a field lies in a page of blobs."""
    return field["type"] == "bytes" or "shape" in field


def as_field(where: str, name: str, field: Mapping[str, Any], value: Any) -> np.ndarray:
    """A value as an array of the field's type and shape; of bytes the uint8 array.

    Raises:
        TypeError, ValueError: it is not what the schema says.
    """
    kind, shape = field["type"], field.get("shape")
    if kind == "bytes":
        if not isinstance(value, (bytes, bytearray, np.ndarray)):
            raise TypeError(f"{where}: field {name!r} must be bytes, got {type(value).__name__}")
        return np.frombuffer(bytes(value), np.uint8)
    if kind == "string":
        if not isinstance(value, str):
            raise TypeError(f"{where}: field {name!r} must be a str, got {type(value).__name__}")
        return np.array(value)
    array = np.asarray(value)
    if array.dtype.kind not in ("iub" if kind.startswith("int") else "iuf"):
        raise TypeError(f"{where}: field {name!r} must be {kind}, got {array.dtype}")
    found = array.astype(kind)
    if kind.startswith("int") and not np.array_equal(found, array):
        raise ValueError(f"{where}: field {name!r} has numbers that {kind} does not hold")
    if shape is None and found.ndim:
        raise ValueError(f"{where}: field {name!r} must be one number, got shape {found.shape}")
    return found if shape is None else found.reshape(shape)


class RecordFile:
    """One file of a dataset.

    Raises:
        DataFileError: it is not whole, or its table is not there.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._file: BinaryIO = path.open("rb")
        except OSError as error:
            raise DataFileError(f"mindrecord: {path} cannot be read: {error.strerror}") from None
        self._lock = threading.Lock()
        head = self._file.read(8)
        length = int.from_bytes(head, "little")
        text = self._file.read(length) if len(head) == 8 and length < path.stat().st_size else b""
        try:
            self.header: dict[str, Any] = json.loads(text)
            (described,) = self.header["schema"]
            self.schema: Schema = described["schema"]
            self._blobs: list[str] = described["blob_fields"]
            self._begin, self._page = int(self.header["header_size"]), int(self.header["page_size"])
        except (ValueError, KeyError, TypeError):
            raise DataFileError(f"mindrecord: {path} is no MindRecord file") from None
        self.places = self._read_places()

    def _read_places(self) -> np.ndarray:
        """For each sample where its raw data and its blobs begin and end."""
        table = Path(f"{self.path}.db")
        if not table.is_file():
            raise DataFileError(f"mindrecord: there is no {table}, which says where samples lie in {self.path}")
        connection = sqlite3.connect(f"file:{table}?mode=ro", uri=True)
        try:
            rows = connection.execute(f"SELECT {', '.join(PLACE)} FROM INDEXES ORDER BY ROW_ID").fetchall()
        except sqlite3.DatabaseError as error:
            raise DataFileError(f"mindrecord: {table} cannot be read: {error}") from None
        finally:
            connection.close()
        _, raw, raw_begin, raw_end, _, blob, blob_begin, blob_end = np.array(rows, np.int64).reshape(-1, 8).T
        raw_page, blob_page = self._begin + raw * self._page, self._begin + blob * self._page
        return np.stack([raw_page + raw_begin, raw_page + raw_end, blob_page + blob_begin, blob_page + blob_end], 1)

    def _read(self, begin: int, end: int) -> bytes:
        with self._lock:
            self._file.seek(begin)
            data = self._file.read(end - begin)
        if len(data) != end - begin or len(data) < 8 or int.from_bytes(data[:8], "little") > len(data) - 8:
            raise DataFileError(f"mindrecord: {self.path} ends, or is damaged, at byte {begin}")
        return data[8:]

    def parts(self, number: int) -> tuple[bytes, bytes]:
        """The raw data and the blobs of a sample, as they lie in the file."""
        raw_begin, raw_end, blob_begin, blob_end = map(int, self.places[number])
        return self._read(raw_begin, raw_end), self._read(blob_begin, blob_end)

    def sample(self, number: int, columns: Sequence[str]) -> list[Any]:
        """The fields of a sample: numbers, strings, and arrays; those of bytes are uint8.

        Raises:
            DataFileError: the sample is damaged.
        """
        raw, blob = self.parts(number)
        try:
            values, _ = unpacked(raw)
            blobs = self._blobs_in(blob)
            return [self._field(name, values, blobs) for name in columns]
        except (ValueError, LookupError, TypeError, OverflowError, struct.error) as error:
            raise DataFileError(f"mindrecord: sample {number} of {self.path} is damaged: {error}") from None

    def _blobs_in(self, blob: bytes) -> dict[str, bytes]:
        """The data of each blob field; several have their sizes before them."""
        if len(self._blobs) == 1:
            return {self._blobs[0]: blob}
        found, at = {}, 0
        for name in self._blobs:
            size = int.from_bytes(blob[at : at + 8], "big")
            found[name] = blob[at + 8 : at + 8 + size]
            at += 8 + size
        return found

    def _field(self, name: str, values: Mapping[str, Any], blobs: Mapping[str, bytes]) -> np.ndarray:
        field = self.schema[name]
        kind = field["type"]
        if not in_blob(field):
            return np.array(values[name], np.str_ if kind == "string" else kind)
        data = blobs[name]
        if kind in ("int32", "int64"):
            array = lengthened(data, kind)
        else:
            array = np.frombuffer(data, np.uint8 if kind == "bytes" else kind).copy()
        return array.reshape(field.get("shape", -1))


def files_of(name: str, given: Any) -> list[RecordFile]:
    """The files of a dataset: of one that is named all, of a list just these."""
    if not isinstance(given, (str, os.PathLike)):
        files = [RecordFile(Path(path)) for path in given]
    else:
        path = Path(given)
        first = path if path.is_file() else Path(f"{path}0")
        if not first.is_file():
            raise DataFileError(f"{name}: there is no file {os.fspath(path)!r}")
        opened = RecordFile(first)
        addresses = [first.parent / Path(address).name for address in opened.header["shard_addresses"]]
        files = [opened if address == first else RecordFile(address) for address in addresses]
    if not files:
        raise ValueError(f"{name}: got no files")
    if any(file.schema != files[0].schema for file in files):
        raise DataFileError(f"{name}: the files have different schemas")
    return files
