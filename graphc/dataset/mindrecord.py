"""MindSpore's MindRecord files: `MindDataset` and `FileReader` read them, `FileWriter` writes them for both frameworks.

    writer = FileWriter("digits.mindrecord", shard_num=2)
    writer.add_schema({"image": {"type": "bytes"}, "label": {"type": "int32"}})
    writer.write_raw_data([{"image": b"...", "label": 3}])
    writer.commit()
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from graphc.dataset.blocks import Block, Workers, stack
from graphc.dataset.check import check_unset
from graphc.dataset.columns import names_list
from graphc.dataset.config import check_workers
from graphc.dataset.core import Dataset
from graphc.dataset.mindrecord_file import RecordFile, Schema, as_field, files_of
from graphc.dataset.mindrecord_writer import FileWriter
from graphc.dataset.samplers import Shuffle, select_sampler
from graphc.dataset.tables import TableSource

__all__ = ["FileReader", "FileWriter", "MindDataset"]


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
        self, files: Sequence[RecordFile], columns: Sequence[str], padding: Sequence[np.ndarray], pads: int
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
        files = files_of(name, dataset_files)
        columns = _chosen(name, columns_list, files[0].schema)
        padding = []
        if padded_sample is not None:
            if set(padded_sample) != set(columns):
                raise ValueError(f"{name}: padded_sample has {sorted(padded_sample)}, columns are {sorted(columns)}")
            padding = [as_field(name, c, files[0].schema[c], padded_sample[c]) for c in columns]
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
        self._files = files_of("FileReader", file_name)
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
