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
