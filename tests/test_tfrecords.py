"""TFRecord files, and schemas; the files here are written by the formats' own rules."""

from __future__ import annotations

import gzip
import json
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as ms
import graphc.dataset as ds


def varint(number: int) -> bytes:
    number &= 2**64 - 1
    return (bytes([number]) if number < 128 else bytes([number & 127 | 128]) + varint(number >> 7)) if number else b"\0"


def message(field: int, data: bytes) -> bytes:
    return varint(field << 3 | 2) + varint(len(data)) + data


def feature(values: list[Any], packed: bool) -> bytes:
    if isinstance(values[0], bytes):
        return message(1, b"".join(message(1, value) for value in values))
    if isinstance(values[0], float):
        floats = [struct.pack("<f", value) for value in values]
        return message(2, message(1, b"".join(floats)) if packed else b"".join(varint(1 << 3 | 5) + f for f in floats))
    ints = [varint(value) for value in values]
    return message(3, message(1, b"".join(ints)) if packed else b"".join(varint(1 << 3) + i for i in ints))


def example(packed: bool, **features: Any) -> bytes:
    pairs = [
        message(1, message(1, name.encode()) + message(2, feature(values, packed)))
        for name, values in features.items()
    ]  # fmt: skip
    return message(1, b"".join(pairs))


def write(path: Path, *rows: dict[str, Any], packed: bool = True) -> str:
    def record(data: bytes) -> bytes:
        return struct.pack("<QI", len(data), 0) + data + struct.pack("<I", 0)

    path.write_bytes(b"".join(record(example(packed, **row)) for row in rows))
    return str(path)


ROWS: list[dict[str, Any]] = [
    {"ids": [1, -2, 300], "weights": [0.5, -1.5], "name": [b"eins"], "label": [7]},
    {"ids": [4, 2**40, -(2**63)], "weights": [2.5, 3.5], "name": [b"zwei", b"x"], "label": [-8]},
]


def rows(dataset: ds.Dataset) -> list[dict[str, np.ndarray]]:
    return list(dataset.create_dict_iterator(num_epochs=1, output_numpy=True))


@pytest.mark.parametrize("packed", [True, False])
def test_features_by_name(tmp_path: Path, packed: bool) -> None:
    data = ds.TFRecordDataset(write(tmp_path / "a", *ROWS, packed=packed), shuffle=False)
    assert data.get_col_names() == ["ids", "label", "name", "weights"] and data.get_dataset_size() == 2
    first, second = rows(data)
    assert first["ids"].dtype == np.int64 and first["ids"].tolist() == ROWS[0]["ids"] and first["label"].tolist() == [7]
    assert second["ids"].tolist() == ROWS[1]["ids"] and second["weights"].dtype == np.float32
    assert first["weights"].tolist() == [0.5, -1.5] and first["name"].tobytes() == b"eins"
    assert second["name"].tobytes() == b"zweix" and second["name"].dtype == np.uint8


def test_as_a_schema_says(tmp_path: Path) -> None:
    path = write(tmp_path / "a", ROWS[0], {**ROWS[1], "ids": [4, 5, 6], "name": [b"vier"]})
    schema = ds.Schema()
    schema.add_column("label", ms.int32, [])
    schema.add_column("ids", "int16", [-1, 1])
    schema.add_column("weights", ms.float16)
    schema.add_column("name", "string")
    data = ds.TFRecordDataset(path, schema, shuffle=False)
    assert data.get_col_names() == ["label", "ids", "weights", "name"]
    first, second = rows(data)
    assert first["label"].shape == () and first["label"].dtype == np.int32 and second["ids"].tolist() == [[4], [5], [6]]
    assert first["weights"].dtype == np.float16 and second["name"].tolist() == ["vier"]
    assert list(rows(ds.TFRecordDataset(path, schema, ["ids", "label"], shuffle=False))[0]) == ["ids", "label"]
    batch = next(ds.TFRecordDataset(path, schema, ["ids"], shuffle=False).batch(2).create_tuple_iterator())
    assert batch[0].shape == (2, 3, 1) and batch[0].dtype is ms.int16


def test_several_files_and_how_they_are_shuffled(tmp_path: Path) -> None:
    ds.config.set_seed(1)
    for i in range(4):
        write(tmp_path / f"part{i}", *({"n": [10 * i + j]} for j in range(5)))
    (tmp_path / "empty").write_bytes(b"")

    def numbers(**kwargs: Any) -> list[int]:
        files = [str(tmp_path / "part*"), str(tmp_path / "empty")]
        return [int(row["n"][0]) for row in rows(ds.TFRecordDataset(files, **kwargs))]

    in_order = [10 * i + j for i in range(4) for j in range(5)]
    assert numbers(shuffle=False) == in_order and numbers(shuffle=False, num_samples=3) == [0, 1, 2]
    assert sorted(numbers()) == in_order and numbers() != in_order
    by_file = numbers(shuffle=ds.Shuffle.FILES)
    assert by_file != in_order and sorted(by_file) == in_order
    assert all(by_file[i : i + 5] == list(range(by_file[i], by_file[i] + 5)) for i in range(0, 20, 5))
    assert [n // 10 for n in numbers(shuffle=ds.Shuffle.INFILE)] == [n // 10 for n in in_order]
    shards = [numbers(shuffle=ds.Shuffle.FILES, num_shards=2, shard_id=i) for i in range(2)]
    assert sorted(shards[0] + shards[1]) == in_order and len(shards[0]) == 10
    assert numbers(shuffle=ds.Shuffle.FILES, num_samples=4) == by_file[:4]
    assert numbers(shuffle=False, num_shards=2, shard_id=1, shard_equal_rows=True) == in_order[1::2]


def test_files_with_lines_are_shuffled_by_file_too(tmp_path: Path) -> None:
    ds.config.set_seed(1)
    for i in range(5):
        (tmp_path / f"{i}.txt").write_text(f"{i}a\n{i}b\n")
        (tmp_path / f"{i}.csv").write_text(f"{i},0\n{i},1\n")
    texts = [str(row["text"]) for row in rows(ds.TextFileDataset(str(tmp_path / "*.txt"), shuffle=ds.Shuffle.FILES))]
    assert texts[0::2] == [f"{t[0]}a" for t in texts[1::2]] and texts != sorted(texts) and len(set(texts)) == 10
    table = ds.CSVDataset(str(tmp_path / "*.csv"), ",", [0, 0], ["f", "n"], shuffle=ds.Shuffle.FILES)
    assert [int(row["n"]) for row in rows(table)] == [0, 1] * 5
    with pytest.raises(TypeError, match=r"True, False or Shuffle\.GLOBAL"):
        ds.ImageFolderDataset(str(tmp_path), shuffle=ds.Shuffle.FILES)


@pytest.mark.parametrize(("kind", "compress"), [("GZIP", gzip.compress), ("ZLIB", zlib.compress)])
def test_compressed_files(tmp_path: Path, kind: str, compress: Any) -> None:
    path = write(tmp_path / "a", *ROWS)
    (tmp_path / "b").write_bytes(compress(Path(path).read_bytes()))
    data = ds.TFRecordDataset(str(tmp_path / "b"), columns_list=["label"], shuffle=False, compression_type=kind)
    assert [row["label"].tolist() for row in rows(data)] == [[7], [-8]]


def test_schema_files(tmp_path: Path) -> None:
    said = {"datasetType": "TF", "numRows": 1, "columns": {"label": {"type": "int32", "rank": 0}}}
    (tmp_path / "schema.json").write_text(json.dumps(said))
    data = ds.TFRecordDataset(write(tmp_path / "a", *ROWS), str(tmp_path / "schema.json"), shuffle=False)
    assert [int(row["label"]) for row in rows(data)] == [7]
    schema = ds.Schema(str(tmp_path / "schema.json"))
    schema.parse_columns([{"name": "ids", "type": "int64", "shape": [-1, 2]}])
    assert json.loads(schema.to_json()) == {
        "columns": [
            {"name": "label", "rank": 0, "shape": [], "type": "int32"},
            {"name": "ids", "rank": 2, "shape": [-1, 2], "type": "int64"},
        ],
        "datasetType": "TF", "numRows": 1,
    } and str(schema) == schema.to_json()  # fmt: skip


def test_schemas_that_say_nothing(tmp_path: Path) -> None:
    schema = ds.Schema()
    with pytest.raises(TypeError, match="column 'a' has type 'quux', expected one of bool, int8"):
        schema.add_column("a", "quux")
    with pytest.raises(RuntimeError, match="has no 'type'"):
        schema.parse_columns([{"name": "a"}])
    with pytest.raises(RuntimeError, match="has no datasetType"):
        schema.from_json({"columns": {}})
    with pytest.raises(RuntimeError, match="has rows"):
        schema.from_json({"datasetType": "TF", "columns": {}, "rows": 1})
    with pytest.raises(ValueError, match="there is no file"):
        ds.Schema(str(tmp_path / "none.json"))


def test_what_is_not_as_it_should_be(tmp_path: Path) -> None:
    path = write(tmp_path / "a", *ROWS)

    def columns(*wanted: tuple[Any, ...]) -> ds.Schema:
        schema = ds.Schema()
        for column in wanted:
            schema.add_column(*column)
        return schema

    for schema, message_ in [
        (columns(("ids", "int32", [4])), r"a, record \d: column 'ids' has 3 values, schema says shape \[4\]"),
        (columns(("ids", "int32")), "column 'ids' has numbers that int32 does not hold"),
        (columns(("weights", "int32")), "column 'weights' holds floats, schema says int32"),
        (columns(("other", "int32")), "it has no other, but ids, label, name, weights"),
    ]:
        with pytest.raises(ds.DataFileError, match=message_):
            rows(ds.TFRecordDataset(path, schema, shuffle=False))
    with pytest.raises(ValueError, match="there is no column x, but ids"):
        ds.TFRecordDataset(path, columns_list=["x"])
    with pytest.raises(ValueError, match="compression_type 'zip'"):
        ds.TFRecordDataset(path, compression_type="zip")
    data = Path(path).read_bytes()
    (tmp_path / "short").write_bytes(data[:-5])
    with pytest.raises(ds.DataFileError, match="record 1 ends after the file"):
        ds.TFRecordDataset(str(tmp_path / "short"))
    (tmp_path / "damaged").write_bytes(data[:14] + b"\xff" * 20 + data[34:])
    with pytest.raises(ds.DataFileError, match=r"record 0, is no tf\.train\.Example"):
        ds.TFRecordDataset(str(tmp_path / "damaged"))
