"""MindSpore's MindRecord files: `MindDataset` and `FileReader` read them, `FileWriter` writes them for both frameworks.

A file is a header, and pages of one size. The header is JSON: the schema, and which pages there are. The fields of a
sample that are bytes or arrays lie one after the other in a page of blobs, the others as a map of MessagePack in a page
of raw data. Where each sample lies is in a table of SQLite beside the file, `NAME.db`. A dataset may be several files.

    writer = FileWriter("digits.mindrecord", shard_num=2)
    writer.add_schema({"image": {"type": "bytes"}, "label": {"type": "int32"}})
    writer.write_raw_data([{"image": b"...", "label": 3}])
    writer.commit()
"""

import json
import os
import sqlite3
import struct
import threading
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from graphc.dataset.blocks import Block, Workers, stack
from graphc.dataset.check import check_unset
from graphc.dataset.columns import names_list
from graphc.dataset.config import check_workers
from graphc.dataset.core import Dataset
from graphc.dataset.encoding import lengthened, packed, shortened, unpacked
from graphc.dataset.files import DataFileError
from graphc.dataset.samplers import Shuffle, select_sampler
from graphc.dataset.tables import TableSource

__all__ = ["FileReader", "FileWriter", "MindDataset"]

Schema = dict[str, dict[str, Any]]

TYPES = ("int32", "int64", "float32", "float64", "string", "bytes")
_COLUMNS = {"string": "TEXT", "float32": "REAL", "float64": "REAL"}  # of the table; integers for the other types
_PLACE = (
    "ROW_ID", "PAGE_ID_RAW", "PAGE_OFFSET_RAW", "PAGE_OFFSET_RAW_END", "ROW_GROUP_ID", "PAGE_ID_BLOB",
    "PAGE_OFFSET_BLOB", "PAGE_OFFSET_BLOB_END",
)  # fmt: skip
HEADER_SIZE, PAGE_SIZE = 1 << 24, 1 << 25

PORTION = 1024
"""How many rows of a dataset are written at once."""


def _in_blob(field: Mapping[str, Any]) -> bool:
    return field["type"] == "bytes" or "shape" in field


# Reading


class _File:
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
            rows = connection.execute(f"SELECT {', '.join(_PLACE)} FROM INDEXES ORDER BY ROW_ID").fetchall()
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
        if not _in_blob(field):
            return np.array(values[name], np.str_ if kind == "string" else kind)
        data = blobs[name]
        if kind in ("int32", "int64"):
            array = lengthened(data, kind)
        else:
            array = np.frombuffer(data, np.uint8 if kind == "bytes" else kind).copy()
        return array.reshape(field.get("shape", -1))


def _files_of(name: str, given: Any) -> list[_File]:
    """The files of a dataset: of one that is named all, of a list just these."""
    if not isinstance(given, (str, os.PathLike)):
        files = [_File(Path(path)) for path in given]
    else:
        path = Path(given)
        first = path if path.is_file() else Path(f"{path}0")
        if not first.is_file():
            raise DataFileError(f"{name}: there is no file {os.fspath(path)!r}")
        opened = _File(first)
        addresses = [first.parent / Path(address).name for address in opened.header["shard_addresses"]]
        files = [opened if address == first else _File(address) for address in addresses]
    if not files:
        raise ValueError(f"{name}: got no files")
    if any(file.schema != files[0].schema for file in files):
        raise DataFileError(f"{name}: the files have different schemas")
    return files


def _chosen(name: str, columns: Any, schema: Schema) -> list[str]:
    chosen = sorted(schema) if columns is None else names_list(name, columns)
    unknown = [c for c in chosen if c not in schema]
    if unknown:
        raise ValueError(f"{name}: there is no column {unknown[0]!r}, there are {sorted(schema)}")
    return chosen


class _RecordTable:
    """The samples of MindRecord files, read when they are asked for; then those that fill up."""

    workers = 1
    costly = False

    def __init__(
        self, files: Sequence[_File], columns: Sequence[str], padding: Sequence[np.ndarray], pads: int
    ) -> None:
        self._files, self._columns, self._padding, self._pads = files, columns, list(padding), pads
        self._ends = np.cumsum([len(file.places) for file in files])

    def __len__(self) -> int:
        return int(self._ends[-1]) + self._pads

    def sample(self, number: int) -> list[np.ndarray]:
        at = int(np.searchsorted(self._ends, number, side="right"))
        if at == len(self._files):
            return self._padding
        begin = int(self._ends[at - 1]) if at else 0
        return self._files[at].sample(number - begin, self._columns)

    def take(self, indices: np.ndarray, workers: Workers) -> list[Block]:
        """The columns of the samples at `indices`."""
        samples = [self.sample(int(i)) for i in indices]
        return [stack(list(column)) for column in zip(*samples, strict=True)]

    def column(self, position: int) -> np.ndarray:
        """One column of all samples."""
        return np.stack([self.sample(i)[position] for i in range(len(self))])


class MindDataset(Dataset):
    """The samples of MindRecord files: a column for each field, of bytes as uint8 arrays.

    Args:
        dataset_files: one file of a dataset, which stands for all of them; or a list of files.
        columns_list: the columns, in order; None for all, by name.
        num_parallel_workers: an upper bound for threads; the files are read by one.
        shuffle: random order (None, True, Shuffle.GLOBAL), of the files (Shuffle.FILES), within each of them
            (Shuffle.INFILE), or none (False).
        num_shards, shard_id: into how many parts the samples are divided, and which of them to read.
        sampler: what chooses the samples, instead of `num_samples`, `shuffle` and shards.
        padded_sample: a sample, by column, with which the dataset is filled up; with `columns_list`.
        num_padded: how often.
        num_samples: the most samples of an epoch; None for all.
        cache: not available, leave it unset.
    Raises:
        DataFileError: a file is not there, or damaged.
        ValueError: options that contradict each other, or a column that is not there.
    """

    def __init__(
        self, dataset_files: Any, columns_list: Sequence[str] | None = None, num_parallel_workers: int | None = None,
        shuffle: bool | Shuffle | None = None, num_shards: int | None = None, shard_id: int | None = None,
        sampler: Any = None, padded_sample: Mapping[str, Any] | None = None, num_padded: int | None = None,
        num_samples: int | None = None, cache: None = None,
    ) -> None:
        name = "MindDataset"
        check_unset(name, cache=cache)
        check_workers(name, num_parallel_workers)
        if (padded_sample is None) != (num_padded is None) or (padded_sample is not None and columns_list is None):
            raise ValueError(f"{name}: padded_sample, num_padded and columns_list go together")
        files = _files_of(name, dataset_files)
        columns = _chosen(name, columns_list, files[0].schema)
        padding = []
        if padded_sample is not None:
            if set(padded_sample) != set(columns):
                raise ValueError(f"{name}: padded_sample has {sorted(padded_sample)}, columns are {sorted(columns)}")
            padding = [_field(name, c, files[0].schema[c], padded_sample[c]) for c in columns]
        sizes = [*(len(file.places) for file in files), num_padded or 0]
        sampler = select_sampler(name, num_samples, sampler, shuffle, num_shards, shard_id, sizes)
        super().__init__(TableSource(_RecordTable(files, columns, padding, num_padded or 0), columns, sampler))


class FileReader:
    """Reads MindRecord files one sample after the other.

    Args:
        file_name: one file of a dataset, which stands for all of them; or a list of files.
        num_consumer: an upper bound for threads; one reads.
        columns: those that are read; None for all.
    """

    def __init__(self, file_name: Any, num_consumer: int = 4, columns: Sequence[str] | None = None) -> None:
        check_workers("FileReader", num_consumer)
        self._files = _files_of("FileReader", file_name)
        self._columns = _chosen("FileReader", columns, self._files[0].schema)

    def get_next(self) -> Iterator[dict[str, Any]]:
        """The samples: dicts of numbers, strings, bytes and arrays by column."""
        schema = self.schema()
        for file in self._files:
            for number in range(len(file.places)):
                fields = file.sample(number, self._columns)
                yield {
                    name: value.tobytes() if schema[name]["type"] == "bytes" else value if value.ndim else value.item()
                    for name, value in zip(self._columns, fields, strict=True)
                }

    def len(self) -> int:
        """The number of samples."""
        return sum(len(file.places) for file in self._files)

    def schema(self) -> Schema:
        """The type, and of arrays the shape, of each field."""
        return self._files[0].schema

    def close(self) -> None:
        """Forgets the files."""
        self._files = []


# Writing


def _field(where: str, name: str, field: Mapping[str, Any], value: Any) -> np.ndarray:
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


class _Shard:
    """One file that is being written, beside its name until it is whole."""

    def __init__(self, path: Path, header_size: int, page_size: int) -> None:
        self.path, self._header_size, self._page_size = path, header_size, page_size
        self._part = Path(f"{path}.part")
        self._file = self._part.open("wb")
        self._pages: list[dict[str, Any]] = []
        self._now: dict[str, dict[str, Any]] = {}
        self.rows: list[tuple[Any, ...]] = []

    def _put(self, kind: str, data: bytes) -> tuple[dict[str, Any], int]:
        """Writes data into the page of its kind, a new one if it is full; returns the page, and where in it."""
        data = struct.pack("<Q", len(data)) + data
        if len(data) > self._page_size:
            raise ValueError(f"FileWriter: a sample takes {len(data)} bytes, set_page_size is {self._page_size}")
        page = self._now.get(kind)
        if page is None or page["page_size"] + len(data) > self._page_size:
            number = sum(p["page_type"] == kind for p in self._pages)
            page = self._now[kind] = {
                "page_id": len(self._pages), "page_type": kind, "page_type_id": number, "page_size": 0, "shard_id": 0,
                "start_row_id": len(self.rows) if kind == "BLOB_DATA" else 0, "end_row_id": 0, "row_group_ids": [],
            }  # fmt: skip
            self._pages.append(page)
        at = page["page_size"]
        self._file.seek(self._header_size + page["page_id"] * self._page_size + at)
        self._file.write(data)
        page["page_size"] = at + len(data)
        return page, at

    def add(self, raw: bytes, blob: bytes, indexed: Sequence[Any]) -> None:
        blobs, blob_at = self._put("BLOB_DATA", blob)
        raws, raw_at = self._put("RAW_DATA", raw)
        group = blobs["page_type_id"]
        blobs["end_row_id"] = len(self.rows) + 1
        blobs["row_group_ids"] = [{"id": 0, "offset": 0}]
        if not raws["row_group_ids"] or raws["row_group_ids"][-1]["id"] != group:
            raws["row_group_ids"].append({"id": group, "offset": raw_at})
        place = (len(self.rows), raws["page_id"], raw_at, raws["page_size"], group, blobs["page_id"], blob_at,
                 blobs["page_size"])  # fmt: skip
        self.rows.append(place + tuple(x for value in indexed for x in (0, value)))

    def finish(self, header: dict[str, Any], columns: Sequence[tuple[str, str]], shard_id: int) -> None:
        pages = [page | {"shard_id": shard_id} for page in self._pages]
        text = json.dumps(header | {"page": pages, "shard_id": shard_id}).encode()
        if len(text) + 8 > self._header_size:
            room = self._header_size
            raise ValueError(f"FileWriter: the header takes {len(text) + 8} bytes, set_header_size is {room}")
        self._file.seek(0)
        self._file.write(struct.pack("<Q", len(text)) + text)
        self._file.close()
        table = Path(f"{self.path}.db")
        table.unlink(missing_ok=True)
        connection = sqlite3.connect(table)
        try:
            own = "".join(f", INC_{i} INT, {name}_0 {kind}" for i, (name, kind) in enumerate(columns))
            keys = ", ".join(["ROW_ID", *(f"INC_{i}" for i in range(len(columns)))])
            places = ", ".join(f"{name} INT NOT NULL" for name in _PLACE)
            connection.execute(f"CREATE TABLE INDEXES({places}{own}, PRIMARY KEY({keys}))")
            marks = ", ".join("?" * (len(_PLACE) + 2 * len(columns)))
            connection.executemany(f"INSERT INTO INDEXES VALUES({marks})", self.rows)
            connection.execute("CREATE TABLE SHARD_NAME(NAME TEXT NOT NULL)")
            connection.execute("INSERT INTO SHARD_NAME VALUES(?)", (self.path.name,))
            connection.commit()
        finally:
            connection.close()
        self._part.replace(self.path)

    def abandon(self) -> None:
        self._file.close()
        self._part.unlink(missing_ok=True)


class FileWriter:
    """Writes MindRecord files, which MindSpore reads too. They are there when `commit` returns.

    Args:
        file_name: the file; of several, what their number is added to.
        shard_num: how many files the samples are divided among.
        overwrite: whether files of these names may be replaced.
    Raises:
        ValueError: there is such a file.
    """

    def __init__(self, file_name: str | os.PathLike[str], shard_num: int = 1, overwrite: bool = False) -> None:
        if isinstance(shard_num, bool) or not isinstance(shard_num, int) or not 1 <= shard_num <= 1000:
            raise ValueError(f"FileWriter: shard_num must be an int from 1 to 1000, got {shard_num!r}")
        name = os.fspath(file_name)
        self._paths = [Path(name)] if shard_num == 1 else [Path(f"{name}{i}") for i in range(shard_num)]
        for path in self._paths:
            if path.exists() and not overwrite:
                raise ValueError(f"FileWriter: there is a file {path} already; use overwrite=True, or another name")
        self._header_size, self._page_size = HEADER_SIZE, PAGE_SIZE
        self._schema: Schema = {}
        self._desc = ""
        self._index: list[str] | None = None
        self._shards: list[_Shard] = []
        self._count = 0

    @classmethod
    def open_for_append(cls, file_name: str | os.PathLike[str]) -> "FileWriter":
        """A writer that goes on where the files of a dataset end."""
        files = _files_of("FileWriter", os.fspath(file_name))
        writer = cls(files[0].path, overwrite=True)
        writer._paths = [file.path for file in files]
        header = files[0].header
        writer._header_size, writer._page_size = int(header["header_size"]), int(header["page_size"])
        writer.add_schema(files[0].schema, header["schema"][0]["desc"])
        writer._index = [field["index_field"] for field in header["index_fields"] or ()]
        writer._open()
        for shard, file in zip(writer._shards, files, strict=True):
            for number in range(len(file.places)):
                raw, blob = file.parts(number)
                shard.add(raw, blob, [unpacked(raw)[0][name] for name in writer._index])
        return writer

    def set_header_size(self, header_size: int) -> None:
        """How many bytes the header may take: a power of two from 16 KiB to 128 MiB."""
        self._header_size = _power("set_header_size", header_size, 1 << 14, 1 << 27)

    def set_page_size(self, page_size: int) -> None:
        """How many bytes a page has: a power of two from 32 KiB to 256 MiB. A sample must fit into one."""
        self._page_size = _power("set_page_size", page_size, 1 << 15, 1 << 28)

    def add_schema(self, content: Mapping[str, Mapping[str, Any]], desc: str | None = None) -> int:
        """Says what fields a sample has.

        Args:
            content: of each field the `type`, one of int32, int64, float32, float64, string and bytes; of arrays of
                numbers the `shape`, in which one extent may be -1.
            desc: what the dataset is.
        Returns:
            0, the number of the schema.
        Raises:
            ValueError: a name, type or shape that cannot be; there is a schema already.
        """
        if self._schema:
            raise ValueError("FileWriter: there is a schema already")
        for name, field in content.items():
            if not isinstance(name, str) or not name.replace("_", "a").isalnum():
                raise ValueError(f"FileWriter: a field is named by letters, digits and _, got {name!r}")
            if not isinstance(field, Mapping) or field.get("type") not in TYPES or set(field) - {"type", "shape"}:
                wanted = f"a type of {TYPES}, and perhaps a shape"
                raise ValueError(f"FileWriter: field {name!r} is {field!r}, expected {wanted}")
            if "shape" in field and field["type"] in ("string", "bytes"):
                raise ValueError(f"FileWriter: field {name!r} is {field['type']}, which has no shape")
        if not content:
            raise ValueError("FileWriter: a schema has at least one field")
        self._schema = {name: dict(field) for name, field in content.items()}
        self._desc = desc or ""
        return 0

    def add_index(self, index_fields: Sequence[str]) -> None:
        """Says which fields, numbers or strings, the table beside the file has; by default all of these."""
        for name in index_fields:
            if name not in self._schema or _in_blob(self._schema[name]):
                raise ValueError(f"FileWriter: {name!r} is no field of numbers or strings of the schema")
        self._index = list(index_fields)

    def open_and_set_header(self) -> None:
        """Makes the files; `write_raw_data` does so if need be."""
        self._open()

    def _open(self) -> None:
        if not self._schema:
            raise ValueError("FileWriter: there is no schema yet, add_schema says what fields a sample has")
        if not self._shards:
            self._shards = [_Shard(path, self._header_size, self._page_size) for path in self._paths]

    def write_raw_data(self, raw_data: Sequence[Mapping[str, Any]], parallel_writer: bool = False) -> None:
        """Writes samples.

        Args:
            raw_data: dicts with a value for each field.
            parallel_writer: only False.
        Raises:
            TypeError, ValueError: a sample is not what the schema says. None of `raw_data` is written then.
        """
        if parallel_writer:
            raise ValueError("FileWriter: parallel_writer must be False")
        self._open()
        indexed = self._indexed()
        records = iter([self._record(sample, indexed) for sample in raw_data])
        each, more = divmod(len(raw_data), len(self._shards))
        for number, shard in enumerate(self._shards):  # those of a call that follow one another lie so
            for record in islice(records, each + ((number - self._count) % len(self._shards) < more)):
                shard.add(*record)
        self._count += len(raw_data)

    def _indexed(self) -> list[str]:
        plain = sorted(name for name, field in self._schema.items() if not _in_blob(field))
        return plain if self._index is None else self._index

    def _record(self, sample: Mapping[str, Any], indexed: Sequence[str]) -> tuple[bytes, bytes, list[Any]]:
        missing = [name for name in self._schema if name not in sample]
        if missing:
            raise ValueError(f"FileWriter: a sample has no {missing[0]!r}, the schema has {sorted(self._schema)}")
        values, blobs = {}, []
        for name in sorted(self._schema):
            field = self._schema[name]
            array = _field("FileWriter", name, field, sample[name])
            if not _in_blob(field):
                values[name] = array.item()
            else:
                blobs.append(shortened(array) if field["type"].startswith("int") else array.tobytes())
        blob = b"".join(struct.pack(">Q", len(b)) + b for b in blobs) if len(blobs) > 1 else (blobs or [bytes(4)])[0]
        return packed(values or {"id": 0}), blob, [values[name] for name in indexed]

    def commit(self) -> None:
        """Makes the files whole, and gives them their names.

        Raises:
            ValueError: the header is too small for what it has to say.
        """
        self._open()
        indexed = self._indexed()
        blobs = sorted(name for name, field in self._schema.items() if _in_blob(field))
        header = {
            "header_size": self._header_size, "page_size": self._page_size, "compression_size": 0, "statistics": None,
            "index_fields": [{"index_field": name, "schema_id": 0} for name in indexed] or None, "version": "3.0",
            "schema": [{"blob_fields": blobs, "desc": self._desc, "schema": self._schema}],
            "shard_addresses": [path.name for path in self._paths],
        }  # fmt: skip
        columns = [(name, _COLUMNS.get(self._schema[name]["type"], "INTEGER")) for name in indexed]
        try:
            for number, shard in enumerate(self._shards):
                shard.finish(header, columns, number)
        except BaseException:
            self.abandon()
            raise
        self._shards = []

    def abandon(self) -> None:
        """Removes what was written and not committed."""
        for shard in self._shards:
            shard.abandon()
        self._shards = []


def _power(name: str, value: int, least: int, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most or value & (value - 1):
        raise ValueError(f"FileWriter.{name}: expected a power of two from {least} to {most}, got {value!r}")
    return value


# Datasets


def save_dataset(dataset: Dataset, file_name: str | os.PathLike[str], num_files: int) -> None:
    """Writes the rows of one epoch of a dataset; see `Dataset.save`."""
    rows = dataset.create_dict_iterator(num_epochs=1, output_numpy=True)
    writer = FileWriter(file_name, num_files)
    first = next(rows, None)
    if first is None:
        raise ValueError("Dataset.save: there are no rows")
    writer.add_schema({name: _saved_as(name, value) for name, value in first.items()})
    left = chain([first], rows)
    try:
        while some := list(islice(left, PORTION)):
            writer.write_raw_data([{name: _plain(value) for name, value in row.items()} for row in some])
    except BaseException:
        writer.abandon()
        raise
    writer.commit()


def _saved_as(name: str, value: np.ndarray) -> dict[str, Any]:
    """The field that holds a column whose first value this is."""
    kind, wide = value.dtype.kind, value.dtype.itemsize > (2 if value.dtype.kind == "u" else 4)
    if kind in "US" and value.ndim == 0:
        return {"type": "string" if kind == "U" else "bytes"}
    if kind not in "biuf":
        raise ValueError(f"Dataset.save: column {name!r} is {value.dtype} of shape {value.shape}, which no field holds")
    numbers = {"f": "float"}.get(kind, "int") + ("64" if wide else "32")
    return {"type": numbers, "shape": [-1, *value.shape[1:]]} if value.ndim else {"type": numbers}


def _plain(value: np.ndarray) -> Any:
    return value.item() if value.dtype.kind in "US" else value
