"""Samples that are lines of text files: `TextFileDataset`, `CSVDataset`.

The files are read when the dataset is made.
"""

import csv
from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.dataset.check import check_unset
from graphc.dataset.columns import names_list
from graphc.dataset.config import check_workers
from graphc.dataset.core import Dataset
from graphc.dataset.files import find_files, lines_of
from graphc.dataset.samplers import Shuffle, select_sampler
from graphc.dataset.tables import ArrayTable, TableSource

__all__ = ["CSVDataset", "TextFileDataset"]


class TextFileDataset(Dataset):
    """Lines of text files that are not empty: a column `text` of strings.

    Args:
        dataset_files: a file, a pattern of files, or a list of these; UTF-8.
        num_samples: the most samples of an epoch; None for all.
        num_parallel_workers: an upper bound for threads; the files are read once, by one.
        shuffle: random order (True, Shuffle.GLOBAL), of the files (Shuffle.FILES), or none (False).
        num_shards: number of shards.
        shard_id: which shard to read.
        cache: not available, leave it unset.
    Raises:
        ValueError: a file is not there, or an option is not available.
    """

    def __init__(
        self,
        dataset_files: str | Sequence[str],
        num_samples: int | None = None,
        num_parallel_workers: int | None = None,
        shuffle: bool | Shuffle | None = Shuffle.GLOBAL,
        num_shards: int | None = None,
        shard_id: int | None = None,
        cache: None = None,
    ) -> None:
        name = "TextFileDataset"
        check_unset(name, cache=cache)
        check_workers(name, num_parallel_workers)
        lines: list[str] = []
        sizes: list[int] = []
        for path in find_files(name, dataset_files):
            lines += [line for _, line in lines_of(path)]
            sizes.append(len(lines) - sum(sizes))
        sampler = select_sampler(name, num_samples, None, shuffle, num_shards, shard_id, sizes)
        super().__init__(TableSource(ArrayTable([np.array(lines, np.str_)]), ["text"], sampler))


class CSVDataset(Dataset):
    """Lines of files whose fields are separated by a character: a column for each field.

    Args:
        dataset_files: a file, a pattern of files, or a list of these; UTF-8.
        field_delim: the character between fields.
        column_defaults: for each column what an empty field stands for, whose type the column has: a str, an int
            (int32) or a float (float32). None: all columns are strings.
        column_names: names of the columns; None: the first line of every file names them.
        num_samples, num_parallel_workers, shuffle, num_shards, shard_id, cache: as in `TextFileDataset`.
    Raises:
        ValueError: a file is not there; a line has another number of fields, or a field that is no number; an option
            is not available.
    """

    def __init__(
        self,
        dataset_files: str | Sequence[str],
        field_delim: str = ",",
        column_defaults: Sequence[str | int | float] | None = None,
        column_names: Sequence[str] | None = None,
        num_samples: int | None = None,
        num_parallel_workers: int | None = None,
        shuffle: bool | Shuffle | None = Shuffle.GLOBAL,
        num_shards: int | None = None,
        shard_id: int | None = None,
        cache: None = None,
    ) -> None:
        name = "CSVDataset"
        check_unset(name, cache=cache)
        if not isinstance(field_delim, str) or len(field_delim) != 1:
            raise ValueError(f"{name}: field_delim must be one character, got {field_delim!r}")
        check_workers(name, num_parallel_workers)
        columns = None if column_names is None else names_list(name, column_names)
        rows: list[list[str]] = []
        sizes: list[int] = []
        for path in find_files(name, dataset_files):
            with open(path, encoding="utf-8", newline="") as file:
                lines = [(number, row) for number, row in enumerate(csv.reader(file, delimiter=field_delim), 1) if row]
            if column_names is None:
                if not lines or (columns is not None and columns != lines[0][1]):
                    raise ValueError(f"{name}: the first line of {path} names no columns, or others than {columns}")
                columns = lines.pop(0)[1]
            for number, row in lines:
                if columns is not None and len(row) != len(columns):
                    raise ValueError(f"{name}: {path}:{number} has {len(row)} fields, expected {len(columns)}")
            rows += [row for _, row in lines]
            sizes.append(len(lines))
        sampler = select_sampler(name, num_samples, None, shuffle, num_shards, shard_id, sizes)
        columns = columns or []
        defaults = list(column_defaults) if column_defaults is not None else [""] * len(columns)
        if len(defaults) != len(columns):
            raise ValueError(f"{name}: got {len(defaults)} column_defaults for {len(columns)} columns")
        fields = zip(*rows, strict=True) if rows else [()] * len(columns)
        arrays = [_column(n, f, default) for n, f, default in zip(columns, fields, defaults, strict=True)]
        super().__init__(TableSource(ArrayTable(arrays), columns, sampler))


def _column(name: str, fields: Sequence[str], default: Any) -> np.ndarray:
    """The fields of one column, in the type of what empty ones stand for."""
    if isinstance(default, str):
        return np.array([field or default for field in fields], np.str_)
    if isinstance(default, bool) or not isinstance(default, (int, float)):
        raise ValueError(f"CSVDataset: the default of column {name!r} is {default!r}, expected a str, int or float")
    try:
        numbers = [type(default)(field) if field else default for field in fields]
        return np.array(numbers, np.int32 if isinstance(default, int) else np.float32)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"CSVDataset: column {name!r}: {error}") from None
