"""`Dataset`, the pipeline users build, and its steps.

    dataset = NumpySlicesDataset({"data": x, "label": y}).map(normalize, "data").shuffle(1000).batch(32)
    for data, label in dataset.create_tuple_iterator(): ...

Every method returns a new dataset that holds the one it was called on; nothing is read before an iterator asks. A step
is a class with `_stream`, which turns the `Rows` of its children into its own, and `_count`, which says how many there
will be.
"""

import itertools
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from graphc.dataset import config
from graphc.dataset.blocks import Block, Workers, as_array, rows_of
from graphc.dataset.collate import PadAndStack, PerBatch, Stack
from graphc.dataset.columns import ColumnChange, names_list, positions_of
from graphc.dataset.config import check_int
from graphc.dataset.epochs import Epoch, Row, RowIterator, run_ahead
from graphc.dataset.rng import Rng, fold, single
from graphc.dataset.rows import BatchInfo, BatchRows, Collate, Feed, MappedRows, Rows, StoredRows, ZippedRows, shuffled
from graphc.dataset.transforms import Chain, Operation

__all__ = ["BatchInfo", "Dataset", "zip_datasets"]


class Dataset(ABC):
    """A stream of samples in named columns, read epoch by epoch.

    Args:
        children: the datasets this one is made of.
        columns: its column names.
    """

    _makes_samples = False  # whether running it costs more than moving indices: then a thread works ahead

    def __init__(self, children: Sequence["Dataset"], columns: Sequence[str]) -> None:
        twice = {name for name in columns if list(columns).count(name) > 1}
        if twice:
            raise ValueError(f"{self._name}: column names must differ, got {list(columns)}")
        self._children = tuple(children)
        self._columns = tuple(columns)
        self._depth: int = 1 + max((child._depth for child in children), default=-1)
        self._workers = 1
        self._size: int | None = None
        self._generation = config.seed_generation()
        self._epochs_begun = 0
        self._rows_to_skip = 0

    @property
    def _name(self) -> str:
        return type(self).__name__

    @abstractmethod
    def _stream(self, epoch: Epoch) -> Iterator[Rows]:
        """The rows of one epoch, in portions of any size."""

    def _count(self) -> int:
        """The number of rows of an epoch; by running through one where no step knows better."""
        workers = Workers(self._all_workers())
        try:
            return sum(len(rows) for rows in self._stream(Epoch.begin(0, workers)))
        finally:
            workers.close()

    @property
    def _endless(self) -> bool:
        return any(child._endless for child in self._children)

    def _all(self) -> Iterator["Dataset"]:
        yield self
        for child in self._children:
            yield from child._all()

    def _all_workers(self) -> int:
        return max(dataset._workers for dataset in self._all())

    # Building pipelines

    def map(
        self,
        operations: Operation | Sequence[Operation],
        input_columns: str | Sequence[str] | None = None,
        output_columns: str | Sequence[str] | None = None,
        num_parallel_workers: int | None = None,
        **kwargs: Any,
    ) -> "Dataset":
        """Apply operations to every sample.

        Args:
            operations: a callable or a list of them. The first gets the input columns, each other what the one before
                it returned: an array, or a tuple of arrays for several columns.
            input_columns: columns given to the first operation; None for the first column.
            output_columns: names of the results; None for the input columns. As many as inputs take the places of
                these, otherwise they come first and the untouched columns follow.
            num_parallel_workers: threads that share the samples; None for `config.get_num_parallel_workers()`. Order
                and results are those of one thread.
            **kwargs: MindSpore's `python_multiprocessing` and `max_rowsize` are accepted: work is shared by threads,
                which pass rows of any size. `cache`, `callbacks` and `offload` can only be left unset.
        """
        check_options("map", kwargs, {"python_multiprocessing", "max_rowsize", "cache", "callbacks", "offload"})
        return MapDataset(self, operations, input_columns, output_columns, num_parallel_workers)

    def batch(
        self,
        batch_size: int | Callable[[BatchInfo], int],
        drop_remainder: bool = False,
        num_parallel_workers: int | None = None,
        **kwargs: Any,
    ) -> "Dataset":
        """Stack consecutive rows: a column of samples [...] becomes a column of batches [N, ...].

        Args:
            batch_size: rows per batch, or a function of `BatchInfo` that returns it.
            drop_remainder: leave out a last batch that is not full.
            num_parallel_workers: an upper bound for threads; stacking uses one.
            **kwargs: `per_batch_map`, a function of a list of arrays per input column and a `BatchInfo` that returns a
                tuple with a list of arrays (or an array) per output column; its `input_columns` (None for all) and
                `output_columns` (None for the same). `python_multiprocessing` and `max_rowsize` as in `map`.
        Raises:
            ValueError: (when iterated) the rows of a batch differ in shape; `padded_batch` takes such rows.
        """
        own = {"per_batch_map", "input_columns", "output_columns"}
        check_options("batch", kwargs, own | {"python_multiprocessing", "max_rowsize"})
        check_workers("batch", num_parallel_workers)
        function = kwargs.get("per_batch_map")
        inputs, outputs = kwargs.get("input_columns"), kwargs.get("output_columns")
        if function is None:
            if inputs is not None or outputs is not None:
                raise ValueError("batch: input_columns and output_columns belong to per_batch_map, which is not given")
            return BatchDataset(self, batch_size, drop_remainder, self._columns, Stack(self._columns))
        change = ColumnChange("batch", self._columns, self._columns if inputs is None else inputs, outputs)
        dataset = BatchDataset(
            self, batch_size, drop_remainder, change.names, PerBatch(function, change, self._columns)
        )
        dataset._makes_samples = True
        return dataset

    def padded_batch(
        self,
        batch_size: int | Callable[[BatchInfo], int],
        drop_remainder: bool = False,
        num_parallel_workers: int | None = None,
        pad_info: Mapping[str, tuple[Sequence[int | None] | None, Any]] | None = None,
    ) -> "Dataset":
        """Batch rows of different shapes, padded at their ends.

        Args:
            batch_size: rows per batch, or a function of `BatchInfo` that returns it.
            drop_remainder: leave out a last batch that is not full.
            num_parallel_workers: an upper bound for threads; stacking uses one.
            pad_info: per column a pair of shape and value. A size of None, or no shape, stands for the largest in the
                batch; a value of None for 0 or the empty string. Columns not named are stacked as they are. None pads
                all columns so.
        """
        check_workers("padded_batch", num_parallel_workers)
        return BatchDataset(self, batch_size, drop_remainder, self._columns, PadAndStack(self._columns, pad_info))

    def shuffle(self, buffer_size: int) -> "Dataset":
        """Shuffle through a buffer of rows, anew each epoch. A buffer as large as the dataset gives every order the
        same chance.

        Args:
            buffer_size: rows in the buffer, at least 1.
        """
        return ShuffleDataset(self, buffer_size)

    def repeat(self, count: int | None = None) -> "Dataset":
        """Go through the rows several times in one epoch; what is shuffled is shuffled anew each time.

        Args:
            count: how often, at least 1; None or -1 for no end.
        """
        return RepeatDataset(self, count)

    def take(self, count: int = -1) -> "Dataset":
        """The first rows only.

        Args:
            count: how many, at least 1; -1 for all.
        """
        return TakeDataset(self, count)

    def skip(self, count: int) -> "Dataset":
        """All but the first `count` rows, which are not even made."""
        return SkipDataset(self, count)

    def zip(self, datasets: "Dataset | tuple[Dataset, ...]") -> "Dataset":
        """The columns of this and other datasets side by side, for as long as all have rows."""
        others = (datasets,) if isinstance(datasets, Dataset) else tuple(datasets)
        return ZipDataset((self, *others))

    def concat(self, datasets: "Dataset | Sequence[Dataset]") -> "Dataset":
        """The rows of this dataset, then those of others with the same columns; also written `+`."""
        others = (datasets,) if isinstance(datasets, Dataset) else tuple(datasets)
        return ConcatDataset((self, *others))

    def __add__(self, other: "Dataset") -> "Dataset":
        return self.concat(other)

    def project(self, columns: str | Sequence[str]) -> "Dataset":
        """These columns only, in this order."""
        return ProjectDataset(self, columns)

    def rename(self, input_columns: str | Sequence[str], output_columns: str | Sequence[str]) -> "Dataset":
        """Other names for some columns."""
        return RenameDataset(self, input_columns, output_columns)

    def filter(
        self,
        predicate: Callable[..., Any],
        input_columns: str | Sequence[str] | None = None,
        num_parallel_workers: int | None = None,
    ) -> "Dataset":
        """The rows for which `predicate` is true.

        Args:
            predicate: function of the input columns of a row that returns a bool.
            input_columns: the columns it gets; None for all.
            num_parallel_workers: threads that share the rows; None for `config.get_num_parallel_workers()`.
        """
        return FilterDataset(self, predicate, input_columns, num_parallel_workers)

    def split(self, sizes: Sequence[int] | Sequence[float], randomize: bool = True) -> list["Dataset"]:
        """Divide the rows into datasets without overlap, the same way in every epoch.

        Args:
            sizes: the number of rows of each, which must sum to all, or their fractions, which must sum to 1.
            randomize: choose the rows of each at random (by the seed), else in order. Within a part they keep one
                order; shuffle the part to mix it anew each epoch.
        Raises:
            ValueError: the sizes do not add up, or leave a part empty.
        """
        total = self.get_dataset_size()
        bounds = np.cumsum([0, *_split_sizes(sizes, total)]).tolist()
        return [SplitDataset(self, start, stop, total, randomize) for start, stop in itertools.pairwise(bounds)]

    def apply(self, apply_func: Callable[["Dataset"], "Dataset"]) -> "Dataset":
        """`apply_func(self)`, so that a function that builds part of a pipeline can stand in a chain.

        Raises:
            TypeError: it returns something else than a dataset.
        """
        if not callable(apply_func):
            raise TypeError(f"apply: got {apply_func!r}, expected a function of a dataset")
        dataset = apply_func(self)
        if not isinstance(dataset, Dataset):
            raise TypeError(f"apply: the function returned {type(dataset).__name__}, expected a dataset")
        return dataset

    # Iterating

    def create_dict_iterator(
        self, num_epochs: int = -1, output_numpy: bool = False, do_copy: bool = False
    ) -> RowIterator:
        """An iterator over rows as dicts from column name to Tensor.

        Each `for` loop over it is one epoch. Every epoch begun on this dataset, by this iterator or a later one, has
        the next number and so its own shuffles; `config.set_seed` restarts the numbers.

        Args:
            num_epochs: how many epochs it has; -1 for no end.
            output_numpy: give arrays instead of Tensors.
            do_copy: copy each array, so that it shares memory with nothing.
        """
        convert = _converter(output_numpy, do_copy)
        return RowIterator(
            self._next_epoch,
            lambda row: dict(zip(self._columns, map(convert, row), strict=True)),
            check_epochs(num_epochs),
        )

    def create_tuple_iterator(
        self,
        columns: str | Sequence[str] | None = None,
        num_epochs: int = -1,
        output_numpy: bool = False,
        do_copy: bool = False,
    ) -> RowIterator:
        """An iterator over rows as lists of Tensors; otherwise as `create_dict_iterator`.

        Args:
            columns: the columns to give, in this order; None for all.
            num_epochs: how many epochs it has; -1 for no end.
            output_numpy: give arrays instead of Tensors.
            do_copy: copy each array, so that it shares memory with nothing.
        """
        convert = _converter(output_numpy, do_copy)
        chosen = positions_of("create_tuple_iterator", self._columns, self._columns if columns is None else columns)
        return RowIterator(self._next_epoch, lambda row: [convert(row[i]) for i in chosen], check_epochs(num_epochs))

    def __iter__(self) -> RowIterator:
        """One epoch of rows as lists of Tensors."""
        return self.create_tuple_iterator(num_epochs=1)

    def set_init_step(self, init_step: int) -> None:
        """Let the next epoch be the one that row `init_step` (a batch, after `batch`) of training lies in, from that
        row on.

        What follows is what an uninterrupted run sees, so call it when resuming one (after any `config.set_seed`).

        Args:
            init_step: rows already consumed, over all epochs.
        """
        check_int("set_init_step", init_step, 0)
        self._generation = config.seed_generation()
        self._epochs_begun, self._rows_to_skip = divmod(init_step, max(1, self.get_dataset_size()))

    def _next_epoch(self) -> Iterator[Row]:
        if self._generation != config.seed_generation():
            self._generation, self._epochs_begun, self._rows_to_skip = config.seed_generation(), 0, 0
        rows = self._rows_of_epoch(self._epochs_begun, self._rows_to_skip)
        self._epochs_begun, self._rows_to_skip = self._epochs_begun + 1, 0
        depth = config.get_prefetch_size()
        if depth and any(dataset._makes_samples for dataset in self._all()):
            return run_ahead(rows, depth)
        return rows

    def _rows_of_epoch(self, number: int, skip: int = 0) -> Generator[Row, None, None]:
        workers = Workers(self._all_workers())
        try:
            for rows in skipped(self._stream(Epoch.begin(number, workers)), skip):
                for piece in rows.pieces():
                    yield from rows_of(piece.columns())
        finally:
            workers.close()

    # Asking

    def get_dataset_size(self) -> int:
        """The number of rows of an epoch (batches, after `batch`); of one round where `repeat` has no end.

        Where only running can tell (`filter`, a generator), an epoch is run through once.
        """
        if self._size is None:
            self._size = self._count()
        return self._size

    def __len__(self) -> int:
        return self.get_dataset_size()

    def get_batch_size(self) -> int:
        """Rows per batch; 1 without `batch`, -1 where a function gives the batch size."""
        return self._children[0].get_batch_size() if self._children else 1

    def get_repeat_count(self) -> int:
        """How often `repeat` goes through the rows in an epoch; -1 for no end."""
        return self._children[0].get_repeat_count() if self._children else 1

    def get_col_names(self) -> list[str]:
        """The column names, in order."""
        return list(self._columns)

    def output_shapes(self, estimate: bool = False) -> list[list[int | None]]:
        """The shape of each column, read off the first row.

        Args:
            estimate: look at all rows, and put None where they differ.
        Raises:
            ValueError: there is no row.
        """
        if not isinstance(estimate, bool):
            raise TypeError(f"output_shapes: got estimate {estimate!r}, expected a bool")
        rows = self._rows_of_epoch(0)
        shapes: list[list[int | None]] = [list(array.shape) for array in self._first(rows)]
        for row in rows if estimate else ():
            shapes = [_common(shape, array.shape) for shape, array in zip(shapes, row, strict=True)]
        return shapes

    def output_types(self) -> list[np.dtype]:
        """The NumPy dtype of each column, read off the first row.

        Raises:
            ValueError: there is no row.
        """
        return [array.dtype for array in self._first(self._rows_of_epoch(0))]

    def _first(self, rows: Iterator[Row]) -> Row:
        row = next(rows, None)
        if row is None:
            raise ValueError(f"{self._name}: the dataset is empty, so its columns have no shape or type")
        return row

    def num_classes(self) -> int | None:
        """The number of classes of the source; None where it does not know."""
        return self._children[0].num_classes() if self._children else None

    def get_class_indexing(self) -> dict[str, int]:
        """From class name to label, where the source has class names; else empty."""
        return self._children[0].get_class_indexing() if self._children else {}


def zip_datasets(datasets: tuple[Dataset, ...]) -> Dataset:
    """The columns of several datasets side by side, for as long as all have rows.

    Args:
        datasets: tuple of datasets whose column names all differ.
    """
    if not isinstance(datasets, (tuple, list)):
        raise TypeError(f"zip: got {type(datasets).__name__}, expected a tuple of datasets")
    return ZipDataset(tuple(datasets))


# Arguments


def check_options(name: str, given: Mapping[str, Any], known: set[str]) -> None:
    """Refuse keyword arguments that do not exist, and those that ask for what there is not."""
    for key, value in given.items():
        if key not in known:
            raise TypeError(f"{name}: got an unexpected argument {key!r}")
        if key in ("cache", "callbacks", "offload") and value:
            raise ValueError(f"{name}: {key} is not available, leave it unset")


def check_workers(name: str, workers: int | None) -> int:
    """The number of threads asked for, or the one in `config`."""
    if workers is None:
        return config.get_num_parallel_workers()
    return check_int(f"{name}: num_parallel_workers", workers, 1)


def check_epochs(num_epochs: int) -> int:
    """A number of epochs: -1, or at least 1."""
    if num_epochs == 0:
        raise ValueError("num_epochs: got 0, expected -1 or at least 1")
    return check_int("num_epochs", num_epochs, -1)


def _converter(output_numpy: bool, do_copy: bool) -> Callable[[np.ndarray], Any]:
    for key, flag in (("output_numpy", output_numpy), ("do_copy", do_copy)):
        if not isinstance(flag, bool):
            raise TypeError(f"{key}: got {flag!r}, expected a bool")
    if output_numpy:
        return np.copy if do_copy else lambda array: array
    from graphc.tensor import Tensor  # the pipeline itself is plain NumPy

    return (lambda array: Tensor(array.copy())) if do_copy else Tensor


def _common(shape: Sequence[int | None], other: Sequence[int]) -> list[int | None]:
    if len(shape) != len(other):
        raise ValueError(f"output_shapes: rows differ in rank, {list(shape)} and {list(other)}")
    return [a if a == b else None for a, b in zip(shape, other, strict=True)]


def _split_sizes(sizes: Sequence[int] | Sequence[float], total: int) -> list[int]:
    if not isinstance(sizes, (list, tuple)) or not sizes:
        raise TypeError(f"split: got sizes {sizes!r}, expected a list of ints or of floats")
    if all(isinstance(size, int) and not isinstance(size, bool) for size in sizes):
        counts = [int(size) for size in sizes]
        if sum(counts) != total:
            raise ValueError(f"split: sizes {counts} sum to {sum(counts)}, but there are {total} rows")
    elif all(isinstance(size, float) for size in sizes):
        if abs(sum(sizes) - 1.0) > 1e-9:
            raise ValueError(f"split: fractions {list(sizes)} sum to {sum(sizes)}, expected 1")
        counts = [round(size * total) for size in sizes]
        # What rounding left over goes to the first part, what it gave too much comes from the first that can spare it.
        spare = total - sum(counts)
        counts[next((i for i, count in enumerate(counts) if count + spare > 0), 0)] += spare
    else:
        raise TypeError(f"split: got sizes {list(sizes)}, expected all ints or all floats")
    if min(counts) < 1:
        raise ValueError(f"split: {list(sizes)} of {total} rows gives parts of {counts}, each must have a row")
    return counts


# Steps that make samples


class MapDataset(Dataset):
    """See `Dataset.map`."""

    _makes_samples = True

    def __init__(
        self,
        child: Dataset,
        operations: Operation | Sequence[Operation],
        input_columns: str | Sequence[str] | None,
        output_columns: str | Sequence[str] | None,
        num_parallel_workers: int | None,
    ) -> None:
        self._chain = Chain(operations)
        self._change = ColumnChange(
            "map", child._columns, child._columns[0] if input_columns is None else input_columns, output_columns
        )
        super().__init__([child], self._change.names)
        self._workers = check_workers("map", num_parallel_workers)

    def _stream(self, epoch: Epoch) -> Iterator[Rows]:
        step = _MapStep(self._chain, self._change, fold(epoch.draws, self._depth), epoch.workers, self._workers)
        start = 0
        for rows in self._children[0]._stream(epoch):
            yield MappedRows(rows, step, np.arange(start, start + len(rows)))
            start += len(rows)

    def _count(self) -> int:
        return self._children[0].get_dataset_size()


class _MapStep:
    """A map in one epoch: what is to be done to the columns of some samples."""

    def __init__(self, chain: Chain, change: ColumnChange, key: int, workers: Workers, count: int) -> None:
        self._chain = chain
        self._change = change
        self._key = key
        self._workers = workers
        self._count = count

    def __call__(self, columns: list[Block], positions: np.ndarray) -> list[Block]:
        inputs = [columns[i] for i in self._change.inputs]

        def portion(part: slice) -> list[Block]:
            return self._chain.blocks([column[part] for column in inputs], Rng(self._key, positions[part]))

        return self._change(columns, self._workers.map_parts(portion, len(positions), self._count))


class FilterDataset(Dataset):
    """See `Dataset.filter`."""

    _makes_samples = True

    def __init__(
        self,
        child: Dataset,
        predicate: Callable[..., Any],
        input_columns: str | Sequence[str] | None,
        num_parallel_workers: int | None,
    ) -> None:
        if not callable(predicate):
            raise TypeError(f"filter: got predicate {predicate!r}, expected a function")
        super().__init__([child], child._columns)
        self._predicate = predicate
        self._inputs = positions_of(
            "filter", child._columns, child._columns if input_columns is None else input_columns
        )
        self._workers = check_workers("filter", num_parallel_workers)

    def _stream(self, epoch: Epoch) -> Iterator[Rows]:
        for rows in self._children[0]._stream(epoch):
            for piece in rows.pieces():
                kept = self._kept(piece.columns(), epoch.workers)
                if kept:
                    yield StoredRows(kept)

    def _kept(self, columns: list[Block], workers: Workers) -> list[Row]:
        def portion(part: slice) -> list[Block]:
            return [np.array([self._holds(row) for row in rows_of([columns[i][part] for i in self._inputs])])]

        (holds,) = workers.map_parts(portion, len(columns[0]), self._workers)
        return [row for row, keep in zip(rows_of(columns), holds, strict=True) if keep]

    def _holds(self, row: Row) -> bool:
        answer = as_array(self._predicate(*row), "filter: the predicate returned")
        if answer.size != 1 or answer.dtype.kind not in "biu":
            raise TypeError(f"filter: the predicate returned {answer.dtype} of shape {answer.shape}, expected a bool")
        return bool(answer.item())


# Batches


class BatchDataset(Dataset):
    """See `Dataset.batch`, `Dataset.padded_batch`."""

    def __init__(
        self,
        child: Dataset,
        batch_size: int | Callable[[BatchInfo], int],
        drop_remainder: bool,
        columns: Sequence[str],
        collate: Collate,
    ) -> None:
        super().__init__([child], columns)
        if not callable(batch_size):
            check_int("batch_size", batch_size, 1)
        if not isinstance(drop_remainder, bool):
            raise TypeError(f"drop_remainder: got {drop_remainder!r}, expected a bool")
        self._batch_size = batch_size
        self._drop = drop_remainder
        self._collate = collate

    def _rows_in(self, info: BatchInfo) -> int:
        if callable(self._batch_size):
            return check_int("batch_size: the function's result", self._batch_size(info), 1)
        return self._batch_size

    def _stream(self, epoch: Epoch) -> Iterator[Rows]:
        feed = Feed(self._children[0]._stream(epoch))
        for number in itertools.count():
            info = BatchInfo(epoch.number, number)
            size = self._rows_in(info)
            rows = feed.take(size)
            if rows is None or (self._drop and len(rows) < size):
                return
            yield BatchRows([(rows, info)], self._collate)

    def _count(self) -> int:
        left = self._children[0].get_dataset_size()
        if not callable(self._batch_size):
            return left // self._batch_size if self._drop else -(-left // self._batch_size)
        for number in itertools.count():
            if left <= 0:
                break
            left -= self._rows_in(BatchInfo(0, number))
        return number - (self._drop and left < 0)

    def get_batch_size(self) -> int:
        return -1 if callable(self._batch_size) else self._batch_size


# Steps that only say which rows


class ShuffleDataset(Dataset):
    """See `Dataset.shuffle`."""

    def __init__(self, child: Dataset, buffer_size: int) -> None:
        super().__init__([child], child._columns)
        self._buffer_size = check_int("shuffle: buffer_size", buffer_size, 1)

    def _stream(self, epoch: Epoch) -> Iterator[Rows]:
        return shuffled(self._children[0]._stream(epoch), self._buffer_size, single(fold(epoch.order, self._depth)))

    def _count(self) -> int:
        return self._children[0].get_dataset_size()


class RepeatDataset(Dataset):
    """See `Dataset.repeat`."""

    def __init__(self, child: Dataset, count: int | None) -> None:
        super().__init__([child], child._columns)
        self._repeats = -1 if count is None else check_int("repeat: count", count, -1)
        if self._repeats == 0:
            raise ValueError("repeat: got count 0, expected at least 1, or None for no end")

    def _stream(self, epoch: Epoch) -> Iterator[Rows]:
        for count in itertools.count() if self._repeats < 0 else range(self._repeats):
            empty = True
            for rows in self._children[0]._stream(epoch.repetition(self._depth, count)):
                empty = empty and len(rows) == 0
                yield rows
            if empty:
                return

    def _count(self) -> int:
        return self._children[0].get_dataset_size() * max(1, self._repeats)

    @property
    def _endless(self) -> bool:
        return self._repeats < 0 or super()._endless

    def get_repeat_count(self) -> int:
        below = self._children[0].get_repeat_count()
        return -1 if self._repeats < 0 or below < 0 else self._repeats * below


class TakeDataset(Dataset):
    """See `Dataset.take`."""

    def __init__(self, child: Dataset, count: int) -> None:
        super().__init__([child], child._columns)
        self._taken = check_int("take: count", count, -1)
        if count == 0:
            raise ValueError("take: got count 0, expected at least 1, or -1 for all")

    def _stream(self, epoch: Epoch) -> Iterator[Rows]:
        stream = self._children[0]._stream(epoch)
        return stream if self._taken < 0 else _first_rows(stream, self._taken)

    def _count(self) -> int:
        below = self._children[0].get_dataset_size()
        if self._taken < 0:
            return below
        return self._taken if self._children[0]._endless and below else min(self._taken, below)

    @property
    def _endless(self) -> bool:
        return self._taken < 0 and super()._endless


def _first_rows(stream: Iterable[Rows], count: int) -> Iterator[Rows]:
    feed = Feed(stream)
    while count and (rows := feed.some(count)) is not None:
        count -= len(rows)
        yield rows


def skipped(stream: Iterable[Rows], count: int) -> Iterator[Rows]:
    """The stream without its first `count` rows."""
    for rows in stream:
        if count < len(rows):
            yield rows.take(slice(count, None)) if count else rows
        count = max(0, count - len(rows))


class SkipDataset(Dataset):
    """See `Dataset.skip`."""

    def __init__(self, child: Dataset, count: int) -> None:
        super().__init__([child], child._columns)
        self._skipped = check_int("skip: count", count, 0)

    def _stream(self, epoch: Epoch) -> Iterator[Rows]:
        return skipped(self._children[0]._stream(epoch), self._skipped)

    def _count(self) -> int:
        below = self._children[0].get_dataset_size()
        return below if self._endless else max(0, below - self._skipped)


class SplitDataset(Dataset):
    """One part of `Dataset.split`."""

    def __init__(self, child: Dataset, start: int, stop: int, total: int, randomize: bool) -> None:
        super().__init__([child], child._columns)
        if not isinstance(randomize, bool):
            raise TypeError(f"split: got randomize {randomize!r}, expected a bool")
        self._start, self._stop, self._total = start, stop, total
        self._randomize = randomize

    def _stream(self, epoch: Epoch) -> Iterator[Rows]:
        epoch = epoch.ordered_once()
        stream = self._children[0]._stream(epoch)
        if self._randomize:
            stream = shuffled(stream, self._total, single(fold(epoch.order, self._depth)))
        return _first_rows(skipped(stream, self._start), self._stop - self._start)

    def _count(self) -> int:
        return self._stop - self._start

    @property
    def _endless(self) -> bool:
        return False


class ZipDataset(Dataset):
    """See `Dataset.zip`."""

    def __init__(self, datasets: Sequence[Dataset]) -> None:
        _check_datasets("zip", datasets)
        super().__init__(datasets, [name for dataset in datasets for name in dataset._columns])

    def _stream(self, epoch: Epoch) -> Iterator[Rows]:
        first, *others = [Feed(dataset._stream(epoch)) for dataset in self._children]
        while (rows := first.some(_PORTION)) is not None:
            sides = [rows, *(feed.take(len(rows)) for feed in others)]
            if any(side is None for side in sides):
                return
            shortest = slice(0, min(len(side) for side in sides if side is not None))
            yield ZippedRows([side.take(shortest) for side in sides if side is not None])
            if shortest.stop < len(rows):
                return

    def _count(self) -> int:
        finite = [dataset for dataset in self._children if not dataset._endless]
        return min(dataset.get_dataset_size() for dataset in finite or self._children)

    @property
    def _endless(self) -> bool:
        return all(dataset._endless for dataset in self._children)


_PORTION = (
    4096  # how many rows to point at together: enough to spread the cost of a portion, few enough to start at once
)


class ConcatDataset(Dataset):
    """See `Dataset.concat`."""

    def __init__(self, datasets: Sequence[Dataset]) -> None:
        _check_datasets("concat", datasets)
        for dataset in datasets:
            if dataset._columns != datasets[0]._columns:
                raise ValueError(
                    f"concat: columns differ, {list(datasets[0]._columns)} and {list(dataset._columns)}; rename or "
                    "project them first"
                )
        super().__init__(datasets, datasets[0]._columns)

    def _stream(self, epoch: Epoch) -> Iterator[Rows]:
        for number, dataset in enumerate(self._children):
            yield from dataset._stream(epoch.branch(self._depth, number))

    def _count(self) -> int:
        return sum(dataset.get_dataset_size() for dataset in self._children)


def _check_datasets(name: str, datasets: Sequence[Any]) -> None:
    if not datasets:
        raise ValueError(f"{name}: got no dataset")
    for dataset in datasets:
        if not isinstance(dataset, Dataset):
            raise TypeError(f"{name}: got {type(dataset).__name__}, expected a dataset")


class ProjectDataset(Dataset):
    """See `Dataset.project`."""

    def __init__(self, child: Dataset, columns: str | Sequence[str]) -> None:
        self._chosen = positions_of("project", child._columns, columns)
        super().__init__([child], names_list("project", columns))

    def _stream(self, epoch: Epoch) -> Iterator[Rows]:
        def choose(columns: list[Block], positions: np.ndarray) -> list[Block]:
            return [columns[i] for i in self._chosen]

        for rows in self._children[0]._stream(epoch):
            yield MappedRows(rows, choose, np.arange(len(rows)))

    def _count(self) -> int:
        return self._children[0].get_dataset_size()


class RenameDataset(Dataset):
    """See `Dataset.rename`."""

    def __init__(self, child: Dataset, inputs: str | Sequence[str], outputs: str | Sequence[str]) -> None:
        old, new = names_list("rename", inputs), names_list("rename", outputs)
        if len(old) != len(new) or len(set(old)) != len(old):
            raise ValueError(f"rename: got {old} and {new}, expected one new name for each of some columns")
        names = list(child._columns)
        for position, name in zip(positions_of("rename", child._columns, old), new, strict=True):
            names[position] = name
        super().__init__([child], names)

    def _stream(self, epoch: Epoch) -> Iterator[Rows]:
        return self._children[0]._stream(epoch)

    def _count(self) -> int:
        return self._children[0].get_dataset_size()
