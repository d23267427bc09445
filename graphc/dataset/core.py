"""`Dataset`: a pipeline as users build, iterate and ask it.

    dataset = NumpySlicesDataset({"data": x, "label": y}).map(normalize, "data").shuffle(1000).batch(32)
    for data, label in dataset.create_tuple_iterator(): ...

Every method returns a new dataset on top of the one it was called on; nothing is read before an iterator asks.
"""

import itertools
import os
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from graphc.dataset import config
from graphc.dataset.blocks import Workers, rows_of
from graphc.dataset.buckets import BucketStep
from graphc.dataset.check import check_int, check_options
from graphc.dataset.collate import PadAndStack, PerBatch, Stack
from graphc.dataset.columns import ColumnChange, positions_of
from graphc.dataset.config import check_workers
from graphc.dataset.epochs import Epoch, Row, RowIterator, run_ahead
from graphc.dataset.rows import BatchInfo
from graphc.dataset.samplers import BuiltinSampler, select_sampler
from graphc.dataset.steps import (
    BatchStep,
    ConcatStep,
    FilterStep,
    MapStep,
    ProjectStep,
    RenameStep,
    RepeatStep,
    ShuffleStep,
    SkipStep,
    SplitStep,
    Step,
    TakeStep,
    ZipStep,
    skipped,
)
from graphc.dataset.tables import TableSource
from graphc.dataset.transforms import Operation

__all__ = ["BatchInfo", "Dataset"]


class Dataset:
    """A stream of samples in named columns, read epoch by epoch.

    Args:
        step: the last step of its pipeline.
        num_classes: number of classes of the source; None where it does not know.
        class_indexing: from class name to label.
    """

    def __init__(
        self, step: Step, num_classes: int | None = None, class_indexing: Mapping[str, int] | None = None
    ) -> None:
        self._step = step
        self._num_classes = num_classes
        self._class_indexing = dict(class_indexing or {})
        self._generation = config.seed_generation()
        self._epochs_begun = 0
        self._rows_to_skip = 0

    def _then(self, step: Step) -> "Dataset":
        return Dataset(step, self._num_classes, self._class_indexing)

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
        workers = check_workers("map", num_parallel_workers)
        return self._then(MapStep(self._step, operations, input_columns, output_columns, workers))

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
        columns, function = self._step.columns, kwargs.get("per_batch_map")
        inputs, outputs = kwargs.get("input_columns"), kwargs.get("output_columns")
        if function is None:
            if inputs is not None or outputs is not None:
                raise ValueError("batch: input_columns and output_columns belong to per_batch_map, which is not given")
            return self._then(BatchStep(self._step, batch_size, drop_remainder, columns, Stack(columns)))
        change = ColumnChange("batch", columns, columns if inputs is None else inputs, outputs)
        step = BatchStep(self._step, batch_size, drop_remainder, change.names, PerBatch(function, change))
        step.makes_samples = True
        return self._then(step)

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
        collate = PadAndStack(self._step.columns, pad_info)
        return self._then(BatchStep(self._step, batch_size, drop_remainder, self._step.columns, collate))

    def bucket_batch_by_length(
        self,
        column_names: str | Sequence[str],
        bucket_boundaries: Sequence[int],
        bucket_batch_sizes: Sequence[int],
        element_length_function: Callable[..., int] | None = None,
        pad_info: Mapping[str, tuple[Sequence[int | None] | None, Any]] | None = None,
        pad_to_bucket_boundary: bool = False,
        drop_remainder: bool = False,
    ) -> "Dataset":
        """Batch rows of about the same length together, padded at their ends; a batch comes when its bucket is full.

        Args:
            column_names: the columns that tell the length.
            bucket_boundaries: increasing lengths, each the first that does not belong in its bucket.
            bucket_batch_sizes: rows per batch of each bucket, the last of which has no boundary.
            element_length_function: takes these columns of a row and returns its length; None: the first extent of
                the one column.
            pad_info: as in `padded_batch`.
            pad_to_bucket_boundary: open sizes in `pad_info` are one less than the bucket's boundary.
            drop_remainder: leave out what buckets that are not full hold at the end.
        Raises:
            ValueError: boundaries or sizes that do not fit; (when iterated) with `pad_to_bucket_boundary` a length
                beyond the last boundary.
        """
        return self._then(
            BucketStep(
                self._step, column_names, bucket_boundaries, bucket_batch_sizes, element_length_function, pad_info,
                pad_to_bucket_boundary, drop_remainder,
            )
        )

    def shuffle(self, buffer_size: int) -> "Dataset":
        """Shuffle through a buffer of rows, anew each epoch.

        Args:
            buffer_size: rows in the buffer, at least 1; as many as there are give every order the same chance.
        """
        return self._then(ShuffleStep(self._step, buffer_size))

    def repeat(self, count: int | None = None) -> "Dataset":
        """Go through the rows several times in one epoch; what is shuffled is shuffled anew each time.

        Args:
            count: how often, at least 1; None or -1 for no end.
        """
        return self._then(RepeatStep(self._step, count))

    def take(self, count: int = -1) -> "Dataset":
        """The first rows only.

        Args:
            count: how many, at least 1; -1 for all.
        """
        return self._then(TakeStep(self._step, count))

    def skip(self, count: int) -> "Dataset":
        """All but the first `count` rows, which are not even made."""
        return self._then(SkipStep(self._step, count))

    def zip(self, datasets: "Dataset | tuple[Dataset, ...]") -> "Dataset":
        """The columns of this and other datasets side by side, for as long as all have rows."""
        return zip_datasets((self, *_listed(datasets)))

    def concat(self, datasets: "Dataset | Sequence[Dataset]") -> "Dataset":
        """The rows of this dataset, then those of others with the same columns; also written `+`."""
        return self._then(ConcatStep(_steps_of("concat", (self, *_listed(datasets)))))

    def __add__(self, other: "Dataset") -> "Dataset":
        return self.concat(other)

    def project(self, columns: str | Sequence[str]) -> "Dataset":
        """These columns only, in this order."""
        return self._then(ProjectStep(self._step, columns))

    def rename(self, input_columns: str | Sequence[str], output_columns: str | Sequence[str]) -> "Dataset":
        """Other names for some columns."""
        return self._then(RenameStep(self._step, input_columns, output_columns))

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
        workers = check_workers("filter", num_parallel_workers)
        return self._then(FilterStep(self._step, predicate, input_columns, workers))

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
        return [
            self._then(SplitStep(self._step, start, stop, total, randomize))
            for start, stop in itertools.pairwise(bounds)
        ]

    def flat_map(self, func: Callable[..., "Dataset"]) -> "Dataset":
        """The rows of the datasets that a function makes of each row, one after the other.

        The function is called for every row now, once.

        Args:
            func: takes the arrays of a row, and returns a dataset; all of these have the same columns.
        Raises:
            TypeError: `func` is no function, or returns something else.
            ValueError: there are no rows.
        """
        if not callable(func):
            raise TypeError(f"flat_map: got {func!r}, expected a function of the arrays of a row")
        made = [func(*row) for row in self.create_tuple_iterator(num_epochs=1, output_numpy=True)]
        for dataset in made:
            if not isinstance(dataset, Dataset):
                raise TypeError(f"flat_map: the function returned {type(dataset).__name__}, expected a dataset")
        if not made:
            raise ValueError("flat_map: the dataset has no rows")
        return made[0].concat(made[1:]) if len(made) > 1 else made[0]

    def save(self, file_name: str | os.PathLike[str], num_files: int = 1, file_type: str = "mindrecord") -> None:
        """Writes the rows of one epoch into MindRecord files, which `MindDataset` reads.

        Integers of up to 32 bits become int32 (uint32 int64), bools int32, float16 float32; arrays may differ in their
        first extent. Strings and bytes have no extents.

        Args:
            file_name: the file; of several, what their number is added to.
            num_files: how many files the rows are divided among.
            file_type: "mindrecord".
        Raises:
            ValueError: another type; there is such a file; there are no rows, or some that such files do not hold.
        """
        from graphc.dataset.mindrecord_writer import save_dataset  # which reads them as a Dataset

        if file_type != "mindrecord":
            raise ValueError(f"Dataset.save: file_type must be 'mindrecord', got {file_type!r}")
        save_dataset(self, file_name, num_files)

    def use_sampler(self, new_sampler: Any) -> None:
        """Replaces the sampler that chooses the rows of this source; datasets that were built on the source before keep
        the old one.

        Raises:
            TypeError: this is no source whose rows can be reached in any order, or `new_sampler` is no sampler.
        """
        source = self._table("use_sampler")
        self._step = source.chosen_by(_sampler("use_sampler", new_sampler))

    def add_sampler(self, new_sampler: Any) -> None:
        """Adds a sampler, which chooses among the rows that the source's own sampler chooses.

        Raises:
            TypeError: this is no source whose rows can be reached in any order, or `new_sampler` is no sampler.
            RuntimeError: `new_sampler` chooses among the rows of another sampler already.
        """
        source = self._table("add_sampler")
        sampler = _sampler("add_sampler", new_sampler)
        sampler.add_child(source.sampler)
        self._step = source.chosen_by(sampler)

    def _table(self, where: str) -> TableSource:
        if not isinstance(self._step, TableSource):
            raise TypeError(f"{where}: {type(self).__name__} is no source whose rows can be reached in any order")
        return self._step

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
        """An iterator over rows as dicts from column name to Tensor, or to an array where the column holds strings.

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
            lambda row: dict(zip(self._step.columns, map(convert, row), strict=True)),
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
        chosen = positions_of(
            "create_tuple_iterator", self._step.columns, self._step.columns if columns is None else columns
        )
        return RowIterator(self._next_epoch, lambda row: [convert(row[i]) for i in chosen], check_epochs(num_epochs))

    def __iter__(self) -> RowIterator:
        """One epoch of rows as lists of Tensors."""
        return self.create_tuple_iterator(num_epochs=1)

    def set_init_step(self, init_step: int) -> None:
        """Go on after so many rows (batches, after `batch`), as if they had been consumed.

        The next epoch is the rest of the one that an interrupted run was in, in the same order and with the same draws.
        Call it after any `config.set_seed`.

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
        if depth and any(step.makes_samples for step in self._step.all()):
            return run_ahead(rows, depth)
        return rows

    def _rows_of_epoch(self, number: int, skip: int = 0) -> Generator[Row, None, None]:
        with Workers(max(step.workers for step in self._step.all())) as workers:
            for rows in skipped(self._step.stream(Epoch.begin(number, workers)), skip):
                for piece in rows.pieces():
                    yield from rows_of(piece.columns())

    # Asking

    def get_dataset_size(self) -> int:
        """The number of rows of an epoch (batches, after `batch`); of one round where `repeat` has no end.

        Where only running can tell (`filter`, a generator), an epoch is run through once.
        """
        return self._step.size

    def __len__(self) -> int:
        return self.get_dataset_size()

    def get_batch_size(self) -> int:
        """Rows per batch; 1 without `batch`, -1 where a function gives the batch size."""
        return self._step.batch_size

    def get_repeat_count(self) -> int:
        """How often `repeat` goes through the rows in an epoch; -1 for no end."""
        return self._step.repeat_count

    def get_col_names(self) -> list[str]:
        """The column names, in order."""
        return list(self._step.columns)

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
            raise ValueError("the dataset is empty, so its columns have no shape or type")
        return row

    def num_classes(self) -> int | None:
        """The number of classes of the source; None where it does not know."""
        return self._num_classes

    def get_class_indexing(self) -> dict[str, int]:
        """From class name to label, where the source has class names; else empty."""
        return dict(self._class_indexing)


def zip_datasets(datasets: tuple[Dataset, ...]) -> Dataset:
    """The columns of several datasets side by side, for as long as all have rows.

    Args:
        datasets: tuple of datasets whose column names all differ.
    """
    if not isinstance(datasets, (tuple, list)):
        raise TypeError(f"zip: got {type(datasets).__name__}, expected a tuple of datasets")
    return Dataset(ZipStep(_steps_of("zip", datasets)), datasets[0]._num_classes, datasets[0]._class_indexing)


def _listed(datasets: Any) -> Sequence[Any]:
    return datasets if isinstance(datasets, (tuple, list)) else (datasets,)


def _steps_of(name: str, datasets: Sequence[Any]) -> list[Step]:
    if not datasets:
        raise ValueError(f"{name}: got no dataset")
    for dataset in datasets:
        if not isinstance(dataset, Dataset):
            raise TypeError(f"{name}: got {type(dataset).__name__}, expected a dataset")
    return [dataset._step for dataset in datasets]


# Arguments


def _sampler(name: str, sampler: Any) -> BuiltinSampler:
    if sampler is None:
        raise TypeError(f"{name}: got None, expected a sampler")
    return select_sampler(name, None, sampler, None, None, None)


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
    from graphc.tensor import from_numpy  # the pipeline itself is plain NumPy

    # The array may be the program's own. Strings stay arrays, because no Tensor holds them.
    return lambda array: array.copy() if array.dtype.kind in "US" else from_numpy(array.copy())


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
