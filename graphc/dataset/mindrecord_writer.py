"""Writing MindRecord files, which MindSpore reads too: `FileWriter`, and whole datasets."""

from __future__ import annotations

import json
import os
import sqlite3
import struct
from collections.abc import Mapping, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np

from graphc.dataset.core import Dataset
from graphc.dataset.encoding import packed, shortened, unpacked
from graphc.dataset.mindrecord_file import PLACE, TYPES, Schema, as_field, files_of, in_blob

_COLUMNS = {"string": "TEXT", "float32": "REAL", "float64": "REAL"}  # of the table; integers for the other types

HEADER_SIZE, PAGE_SIZE = 1 << 24, 1 << 25

PORTION = 1024
"""How many rows of a dataset are written at once."""


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
            places = ", ".join(f"{name} INT NOT NULL" for name in PLACE)
            connection.execute(f"CREATE TABLE INDEXES({places}{own}, PRIMARY KEY({keys}))")
            marks = ", ".join("?" * (len(PLACE) + 2 * len(columns)))
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
    def open_for_append(cls, file_name: str | os.PathLike[str]) -> FileWriter:
        """A writer that goes on where the files of a dataset end."""
        files = files_of("FileWriter", os.fspath(file_name))
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
            if name not in self._schema or in_blob(self._schema[name]):
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
        plain = sorted(name for name, field in self._schema.items() if not in_blob(field))
        return plain if self._index is None else self._index

    def _record(self, sample: Mapping[str, Any], indexed: Sequence[str]) -> tuple[bytes, bytes, list[Any]]:
        missing = [name for name in self._schema if name not in sample]
        if missing:
            raise ValueError(f"FileWriter: a sample has no {missing[0]!r}, the schema has {sorted(self._schema)}")
        values, blobs = {}, []
        for name in sorted(self._schema):
            field = self._schema[name]
            array = as_field("FileWriter", name, field, sample[name])
            if not in_blob(field):
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
        blobs = sorted(name for name, field in self._schema.items() if in_blob(field))
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
