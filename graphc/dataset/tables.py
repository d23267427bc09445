"""The first steps of pipelines: samples by index (arrays, Python objects, image files), or one after the other.

A table gives the samples of any indices at once; `TableSource` reads those that a sampler chooses. `IterableSource`
reads what only comes in its own order.
"""

import inspect
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from typing import Any, Protocol

import numpy as np

from graphc.dataset.blocks import Block, Workers, as_array, stack
from graphc.dataset.columns import positions_of
from graphc.dataset.epochs import Epoch
from graphc.dataset.rng import single
from graphc.dataset.rows import PORTION, Rows, SourceRows, StoredRows, Table
from graphc.dataset.samplers import BuiltinSampler
from graphc.dataset.steps import Step
from graphc.dataset.transforms import numpy_dtype


class ArrayTable:
    """Columns that are arrays, or lists of arrays that differ in shape.

    Args:
        columns: of the same length.
    """

    workers = 1
    costly = False

    def __init__(self, columns: Sequence[Block]) -> None:
        self._columns = columns

    def __len__(self) -> int:
        return len(self._columns[0])

    def take(self, indices: np.ndarray, workers: Workers) -> list[Block]:
        """The columns of the samples at `indices`, as copies."""
        return [
            column.take(indices, 0) if isinstance(column, np.ndarray) else stack([column[i].copy() for i in indices])
            for column in self._columns
        ]

    def column(self, position: int) -> np.ndarray:
        """One column of all samples."""
        column = self._columns[position]
        if not isinstance(column, np.ndarray):
            raise TypeError("NumpySlicesDataset: a column whose items differ in shape holds no labels")
        return column


Sample = tuple[np.ndarray, ...]


class SampleCheck:
    """Makes a sample of what a Python source gives.

    Args:
        columns: names of the columns.
        column_types: dtype that each must have; None for no check.
    """

    def __init__(self, columns: Sequence[str], column_types: Sequence[Any] | None) -> None:
        self._columns = columns
        self._types = None if column_types is None else [numpy_dtype(t) for t in column_types]
        if self._types is not None and len(self._types) != len(columns):
            raise ValueError(f"GeneratorDataset: got {len(self._types)} column_types for {len(columns)} columns")

    def __call__(self, given: Any) -> Sample:
        values = given if isinstance(given, (tuple, list)) else (given,)
        if len(values) != len(self._columns):
            raise ValueError(
                f"GeneratorDataset: the source gave {len(values)} values, expected {len(self._columns)} for columns "
                f"{list(self._columns)}"
            )
        sample = tuple(
            as_array(value, f"GeneratorDataset: column {name!r}")
            for value, name in zip(values, self._columns, strict=True)
        )
        for array, name, dtype in zip(sample, self._columns, self._types or (), strict=False):
            if array.dtype != dtype:
                raise TypeError(
                    f"GeneratorDataset: column {name!r} has dtype {array.dtype}, but column_types says {dtype}"
                )
        return sample


class ObjectTable:
    """Samples of a Python object with `__getitem__` and `__len__`.

    Args:
        source: the object.
        check: makes a sample of what it gives.
        workers: threads that call it.
    """

    costly = True

    def __init__(self, source: Any, check: SampleCheck, workers: int) -> None:
        self._source = source
        self._check = check
        self.workers = workers

    def __len__(self) -> int:
        return len(self._source)

    def take(self, indices: np.ndarray, workers: Workers) -> list[Block]:
        """The columns of the samples at `indices`."""

        def portion(part: slice) -> list[Block]:
            return [stack(column) for column in zip(*map(self._sample, indices[part].tolist()), strict=True)]

        return workers.map_parts(portion, len(indices), self.workers)

    def column(self, position: int) -> np.ndarray:
        """One column of all samples, which are all read for it."""
        return np.array([self._sample(i)[position] for i in range(len(self))])

    def _sample(self, index: int) -> Sample:
        try:
            return self._check(self._source[index])
        except Exception as error:
            error.add_note(f"in GeneratorDataset, sample {index} of the source")
            raise


class FileTable:
    """Samples in files of their own, read when asked for, and columns that are known before.

    Args:
        files: what `read` takes for each sample, such as a path.
        read: the columns that are read, as a tuple.
        known: the columns that follow these.
        workers: threads that read.
    """

    costly = True

    def __init__(
        self, files: Sequence[Any], read: Callable[[Any], Sample], known: Sequence[Block], workers: int
    ) -> None:
        self._files, self._read, self._known = files, read, ArrayTable(known)
        self._columns = len(known)
        self.workers = workers

    def __len__(self) -> int:
        return len(self._files)

    def take(self, indices: np.ndarray, workers: Workers) -> list[Block]:
        """The columns of the samples at `indices`."""

        def portion(part: slice) -> list[Block]:
            samples = [self._read(self._files[i]) for i in indices[part].tolist()]
            return [stack(column) for column in zip(*samples, strict=True)]

        read = workers.map_parts(portion, len(indices), self.workers)
        return [*read, *self._known.take(indices, workers)] if self._columns else read

    def column(self, position: int) -> np.ndarray:
        """One of the known columns of all samples; of one that is read there is no telling."""
        read = position - len(self._read(self._files[0]))
        if read < 0:
            raise TypeError("PKSampler: class_column must be a column of labels, not one that is read from files")
        return self._known.column(read)


class SampleTable(Table, Protocol):
    """What `TableSource` reads from.

    Attributes:
        workers: threads that make its samples.
        costly: whether making them takes a while.
    """

    workers: int
    costly: bool

    def column(self, position: int) -> np.ndarray: ...


class TableSource(Step):
    """The samples of a table that a sampler chooses.

    Args:
        table: the samples.
        columns: names of the table's columns.
        sampler: what chooses.
    """

    def __init__(self, table: SampleTable, columns: Sequence[str], sampler: BuiltinSampler) -> None:
        super().__init__([], columns)
        self._table = table
        self._sampler = sampler
        self.makes_samples = table.costly
        self.workers = table.workers

    def stream(self, epoch: Epoch) -> Iterator[Rows]:
        indices = self._sampler.indices(len(self._table), single(epoch.order), self._labels)
        for start in range(0, len(indices), PORTION):
            yield SourceRows(self._table, indices[start : start + PORTION], epoch.workers)

    def count(self) -> int:
        return self._sampler.count(len(self._table), self._labels)

    @property
    def sampler(self) -> BuiltinSampler:
        """What chooses."""
        return self._sampler

    def chosen_by(self, sampler: BuiltinSampler) -> "TableSource":
        """The samples of the same table that another sampler chooses."""
        return TableSource(self._table, self.columns, sampler)

    def _labels(self, column: str) -> np.ndarray:
        """A whole column, for samplers that choose by label."""
        (position,) = positions_of("PKSampler: class_column", self.columns, column)
        return self._table.column(position)


class IterableSource(Step):
    """The samples of an iterable, or of a function that returns one, in their order.

    Args:
        source: the iterable or function.
        check: makes a sample of what it gives.
        columns: names of the columns.
        limit: the most samples of an epoch; None for all.
    """

    makes_samples = True

    def __init__(
        self,
        source: Iterable[Any] | Callable[[], Iterable[Any]],
        check: SampleCheck,
        columns: Sequence[str],
        limit: int | None,
    ) -> None:
        super().__init__([], columns)
        self._source = source
        self._check = check
        self._limit = limit
        self._spent = False

    def stream(self, epoch: Epoch) -> Iterator[Rows]:
        if inspect.isgenerator(self._source):
            if self._spent:
                raise RuntimeError(
                    "GeneratorDataset: the source is a generator, which serves one epoch and was read already; pass "
                    "the function that makes it"
                )
            self._spent = True
        samples = self._source if isinstance(self._source, Iterable) else self._source()
        for sample in itertools.islice(samples, self._limit):
            yield StoredRows([self._check(sample)])

    def count(self) -> int:
        if inspect.isgenerator(self._source):  # counting would use it up
            raise TypeError("GeneratorDataset: the size of a generator is unknown; pass the function that makes it")
        if isinstance(self._source, Sized):
            return min(len(self._source), self._limit or len(self._source))
        return super().count()
