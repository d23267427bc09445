"""Datasets of lines of files, and batches of rows that are about equally long."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as ms
import graphc.dataset as ds


def rows(dataset: ds.Dataset) -> list[list[Any]]:
    return [[value.tolist() for value in row] for row in dataset.create_tuple_iterator(num_epochs=1, output_numpy=True)]


def test_lines_of_files(tmp_path: Path) -> None:
    (tmp_path / "b.txt").write_text("drei\n", encoding="utf-8")
    (tmp_path / "a.txt").write_text("eins\n\nzwei é\r\n", encoding="utf-8")
    lines = ds.TextFileDataset(str(tmp_path / "*.txt"), shuffle=False)
    assert rows(lines) == [["eins"], ["zwei é"], ["drei"]] and lines.get_col_names() == ["text"]
    assert rows(ds.TextFileDataset([str(tmp_path / "b.txt")], num_samples=1)) == [["drei"]]
    assert rows(ds.TextFileDataset(str(tmp_path / "*.txt"), shuffle=False, num_shards=2, shard_id=1)) == [
        ["zwei é"], ["eins"]
    ]  # fmt: skip
    assert sorted(rows(ds.TextFileDataset(str(tmp_path / "*.txt")))) == [["drei"], ["eins"], ["zwei é"]]
    (tmp_path / "c.txt").write_text("a\x0cb\nc\u2028d", encoding="utf-8")  # these end no line
    assert rows(ds.TextFileDataset(str(tmp_path / "c.txt"), shuffle=False)) == [["a\x0cb"], ["c\u2028d"]]


def test_separated_fields(tmp_path: Path) -> None:
    path = str(tmp_path / "t.csv")
    Path(path).write_text('x,y,z\n1,2.5,"a, b"\n,,\n')
    named = ds.CSVDataset(path, column_defaults=[7, 0.5, "none"], shuffle=False)
    assert named.get_col_names() == ["x", "y", "z"] and rows(named) == [[1, 2.5, "a, b"], [7, 0.5, "none"]]
    assert [str(t) for t in named.output_types()[:2]] == ["int32", "float32"]
    assert rows(ds.CSVDataset(path, shuffle=False))[0] == ["1", "2.5", "a, b"]
    Path(path).write_text("1;2\n3;4\n")
    numbers = ds.CSVDataset(path, ";", [0, 0], ["a", "b"], shuffle=False).batch(2)
    ((a, b),) = numbers.create_tuple_iterator()
    assert a.dtype is ms.int32 and a.tolist() == [1, 3] and b.tolist() == [2, 4]


def sequences(lengths: list[int]) -> ds.Dataset:
    class Source:
        def __getitem__(self, i: int) -> tuple[np.ndarray, int]:
            return np.full(lengths[i], i + 1), i

        def __len__(self) -> int:
            return len(lengths)

    return ds.GeneratorDataset(Source(), ["s", "i"], shuffle=False)


def test_batches_of_equally_long_rows() -> None:
    data = sequences([1, 5, 2, 3, 9, 1, 4])
    batches = data.bucket_batch_by_length("s", [3, 6], [2, 2, 1])
    assert rows(batches) == [
        [[[1, 0], [3, 3]], [0, 2]], [[[2] * 5, [4, 4, 4, 0, 0]], [1, 3]], [[[5] * 9], [4]], [[[6]], [5]],
        [[[7] * 4], [6]],
    ]  # fmt: skip
    assert batches.get_dataset_size() == 5 and batches.get_batch_size() == -1
    assert [r[1] for r in rows(data.bucket_batch_by_length("s", [3, 6], [2, 2, 1], drop_remainder=True))] == [
        [0, 2], [1, 3], [4]
    ]  # fmt: skip
    by_number = data.bucket_batch_by_length(["i"], [4], [4, 9], lambda i: int(i), {"s": ([None], -1)})
    assert [r[1] for r in rows(by_number)] == [[0, 1, 2, 3], [4, 5, 6]] and rows(by_number)[0][0][0] == [1] + [-1] * 4
    bounded = sequences([1, 4]).bucket_batch_by_length("s", [3, 6], [2, 2, 1], None, {"s": ([None], 0)}, True)
    assert [np.shape(r[0]) for r in rows(bounded)] == [(1, 2), (1, 5)]


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: ds.TextFileDataset("no such file"), "there is no file"),
        (lambda: ds.TextFileDataset([]), "no dataset_files"),
        (lambda: ds.CSVDataset(__file__, "ab"), "one character"),
        (lambda: ds.CSVDataset(__file__, column_names=["a"]), "has . fields, expected 1"),
        (lambda: sequences([1]).bucket_batch_by_length("s", [3, 3], [1, 1, 1]), "must increase"),
        (lambda: sequences([1]).bucket_batch_by_length("s", [3], [1]), "expected 2"),
        (lambda: sequences([1]).bucket_batch_by_length(["s", "i"], [3], [1, 1]), "expected one column"),
        (lambda: rows(sequences([9]).bucket_batch_by_length("s", [3], [1, 1], pad_to_bucket_boundary=True)),
         "beyond the last boundary"),
    ],
)  # fmt: skip
def test_errors(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_fields_that_do_not_fit(tmp_path: Path) -> None:
    path = str(tmp_path / "t.csv")
    Path(path).write_text("a,b\n1,x\n")
    for options, message in (
        ({"column_defaults": [0, 0]}, "column 'b': invalid literal"), ({"column_defaults": [0]}, "1 column_defaults"),
        ({"column_defaults": [0, None]}, "expected a str, int or float"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=message):
            ds.CSVDataset(path, **options)


def test_samples_that_fill_up() -> None:
    data = ds.NumpySlicesDataset({"x": np.ones((2, 3), np.float32), "n": np.arange(2)}, shuffle=False)
    fill = ds.PaddedDataset([{"x": np.zeros(3, np.float32), "n": 7}, {"x": np.full(3, 2, np.float32), "n": 8}])
    assert fill.get_dataset_size() == 2 and fill.get_col_names() == ["x", "n"]
    rows = list((data + fill).create_tuple_iterator(num_epochs=1, output_numpy=True))
    assert [r[1].item() for r in rows] == [0, 1, 7, 8] and [r[0].sum() for r in rows] == [3, 3, 0, 6]
    with pytest.raises(ValueError, match="all with the same columns"):
        ds.PaddedDataset([{"x": 1}, {"y": 1}])
    with pytest.raises(TypeError, match="must be a list of dicts"):
        ds.PaddedDataset({"x": 1})  # type: ignore[arg-type]
