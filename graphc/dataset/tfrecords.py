"""TFRecord files of `tf.train.Example`s: `TFRecordDataset`.

A file is records, one after the other: the length (8 bytes, little-endian), its checksum (4 bytes), the data, their
checksum (4 bytes). An Example is a message of Protocol Buffers: features by name, each a list of bytes, of floats or of
ints (TensorFlow's `example.proto` and `feature.proto`). Checksums are not looked at: that would take longer than all
else; lengths and messages are, as far as they prove themselves.
"""

import gzip
import mmap
import struct
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from graphc.dataset.blocks import Block, Workers, stack
from graphc.dataset.check import check_unset
from graphc.dataset.columns import names_list
from graphc.dataset.config import check_workers
from graphc.dataset.core import Dataset
from graphc.dataset.files import DataFileError, find_files
from graphc.dataset.samplers import Shuffle, select_sampler
from graphc.dataset.schema import Column, Schema
from graphc.dataset.tables import TableSource
from graphc.protobuf import Bytes, fields, varints

__all__ = ["TFRecordDataset"]

_DECOMPRESS: dict[str, Callable[[bytes], bytes]] = {"GZIP": gzip.decompress, "ZLIB": zlib.decompress}


Feature = list[bytes] | np.ndarray


def _feature(data: Bytes) -> Feature:
    """The values of a feature: bytes, float32 or int64; of an empty feature none."""
    for kind, _, values in fields(data):
        parts = [bytes(part) for number, _, part in fields(values) if number == 1]
        if kind == 1:
            return parts
        if kind in (2, 3):  # what is packed and what is not is written alike
            joined = b"".join(parts)
            return np.frombuffer(joined, "<f4") if kind == 2 else varints(joined)
    return np.zeros(0, np.int64)


def _example(data: Bytes) -> dict[str, Bytes]:
    """The features of an Example by name, not yet read."""
    found: dict[str, Bytes] = {}
    for features in (part for number, _, part in fields(data) if number == 1):
        for entry in (part for number, _, part in fields(features) if number == 1):
            pair = {number: part for number, _, part in fields(entry)}
            found[str(pair.get(1, b""), "utf-8")] = pair.get(2, b"")
    return found


# Files


class _File:
    """One file: where its records lie."""

    def __init__(self, path: str, compression: str) -> None:
        self.path = path
        if compression:
            self._data: Any = memoryview(_DECOMPRESS[compression](Path(path).read_bytes()))
        elif Path(path).stat().st_size:
            with open(path, "rb") as file:
                self._data = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        else:
            self._data = memoryview(b"")
        self.places: list[tuple[int, int]] = []
        at = 0
        while at < len(self._data):
            size = struct.unpack_from("<Q", self._data, at)[0] if at + 12 <= len(self._data) else len(self._data)
            if at + 16 + size > len(self._data):
                raise DataFileError(f"{path}: record {len(self.places)} ends after the file, which is no TFRecord file")
            self.places.append((at + 12, at + 12 + size))
            at += 16 + size

    def example(self, number: int) -> dict[str, Bytes]:
        begin, end = self.places[number]
        try:
            return _example(self._data[begin:end])
        except (IndexError, UnicodeDecodeError) as error:
            raise DataFileError(f"{self.path}, record {number}, is no tf.train.Example: {error}") from None


class _RecordTable:
    """The Examples of several files, read when they are asked for."""

    workers = 1
    costly = False

    def __init__(self, files: Sequence[_File], columns: dict[str, Column | None]) -> None:
        self._files, self._columns = files, columns
        self._ends = np.cumsum([len(file.places) for file in files])

    def __len__(self) -> int:
        return int(self._ends[-1])

    def sample(self, number: int) -> list[np.ndarray]:
        at = int(np.searchsorted(self._ends, number, side="right"))
        file, within = self._files[at], number - (int(self._ends[at - 1]) if at else 0)
        found = file.example(within)
        try:
            missing = [name for name in self._columns if name not in found]
            if missing:
                raise DataFileError(f"it has no {', '.join(missing)}, but {', '.join(sorted(found))}")
            return [_array(name, column, _feature(found[name])) for name, column in self._columns.items()]
        except (IndexError, ValueError) as error:
            raise DataFileError(f"TFRecordDataset: {file.path}, record {within}: {error}") from None

    def take(self, indices: np.ndarray, workers: Workers) -> list[Block]:
        """The columns of the samples at `indices`."""
        samples = [self.sample(int(i)) for i in indices]
        return [stack(list(column)) for column in zip(*samples, strict=True)]

    def column(self, position: int) -> np.ndarray:
        """One column of all samples."""
        return np.stack([self.sample(i)[position] for i in range(len(self))])


def _array(name: str, column: Column | None, values: Feature) -> np.ndarray:
    """A feature as the column says; without a column bytes are uint8, and all are vectors."""
    array = _typed(name, column.type if column else None, values)
    if column is None or column.shape is None:
        return array
    try:
        return array.reshape(column.shape)
    except ValueError:
        raise ValueError(f"column {name!r} has {array.size} values, schema says shape {list(column.shape)}") from None


_ALLOWED = {
    "bytes": ("uint8", "int8"),
    "floats": ("float16", "float32", "float64"),
    "ints": ("bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"),
}


def _typed(name: str, type_: str | None, values: Feature) -> np.ndarray:
    if isinstance(values, list):
        if type_ == "string":
            return np.array([value.decode() for value in values], np.str_)
        array, kind = np.frombuffer(b"".join(values), np.uint8), "bytes"
    else:
        array, kind = values, "floats" if values.dtype.kind == "f" else "ints"
    if type_ is None:
        return array.copy()
    if type_ not in _ALLOWED[kind]:
        raise ValueError(f"column {name!r} holds {kind}, schema says {type_}")
    found = array.astype(type_)
    if array.dtype.kind == "i" and type_ not in ("bool", "uint64") and not np.array_equal(found, array):
        raise ValueError(f"column {name!r} has numbers that {type_} does not hold, {array.min()} to {array.max()}")
    return found


class TFRecordDataset(Dataset):
    """The Examples of TFRecord files: a column for each feature.

    Args:
        dataset_files: a file, a pattern of files, or a list of these; read in the order of their names.
        schema: a `Schema`, or its file: the columns, their types and shapes. None: those of the first Example, by
            name, as vectors of int64, float32 and (of bytes) uint8.
        columns_list: the columns, in order; None for all.
        num_samples: the most samples of an epoch; None for as many as the schema says, or all.
        num_parallel_workers: an upper bound for threads; the files are read by one.
        shuffle: random order (None, True, Shuffle.GLOBAL), of the files (Shuffle.FILES), or none (False).
        num_shards, shard_id: into how many parts the samples are divided, and which of them to read.
        shard_equal_rows: accepted: parts are equally long.
        cache: not available, leave it unset.
        compression_type: "GZIP" or "ZLIB" for files that are compressed as a whole, None or "" for those that are not.
    Raises:
        ValueError: a file is not there, options contradict each other, or a column is not there.
        DataFileError: a file is damaged, or an Example (when it is read) is not what the schema says.
    """

    def __init__(
        self, dataset_files: str | Sequence[str], schema: Schema | str | None = None,
        columns_list: Sequence[str] | None = None, num_samples: int | None = None,
        num_parallel_workers: int | None = None, shuffle: bool | Shuffle | None = Shuffle.GLOBAL,
        num_shards: int | None = None, shard_id: int | None = None, shard_equal_rows: bool = False,
        cache: None = None, compression_type: str | None = None,
    ) -> None:  # fmt: skip
        name = "TFRecordDataset"
        check_unset(name, cache=cache)
        check_workers(name, num_parallel_workers)
        if compression_type not in (None, "", *_DECOMPRESS):
            raise ValueError(f"{name}: got compression_type {compression_type!r}, expected '', 'GZIP' or 'ZLIB'")
        if schema is not None and not isinstance(schema, Schema):
            schema = Schema(schema)
        files = [_File(path, compression_type or "") for path in sorted(find_files(name, dataset_files))]
        columns = self._columns_of(schema, files, None if columns_list is None else names_list(name, columns_list))
        if not num_samples and schema is not None:
            num_samples = schema.num_rows or None
        sizes = [len(file.places) for file in files]
        sampler = select_sampler(name, num_samples, None, shuffle, num_shards, shard_id, sizes)
        super().__init__(TableSource(_RecordTable(files, columns), list(columns), sampler))

    @staticmethod
    def _columns_of(
        schema: Schema | None, files: Sequence[_File], wanted: list[str] | None
    ) -> dict[str, Column | None]:
        """The columns in order, and what the schema says of each."""
        if schema is not None and schema.columns:
            known: dict[str, Column | None] = dict(schema.columns)
        else:
            first = next((file for file in files if file.places), None)
            known = dict.fromkeys(sorted(first.example(0)) if first else wanted or [])
        absent = [column for column in wanted or [] if column not in known]
        if absent:
            raise ValueError(f"TFRecordDataset: there is no column {', '.join(absent)}, but {', '.join(known)}")
        return known if wanted is None else {column: known[column] for column in wanted}
