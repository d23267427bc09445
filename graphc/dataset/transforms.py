"""Operations for `Dataset.map`: the general ones, and what they and `vision` share.

    dataset.map([vision.Rescale(1 / 255, 0), np.ravel], "image").map(transforms.TypeCast(graphc.int32), "label")

Any callable can be mapped: it gets one sample's columns and returns an array, or a tuple of arrays for several
columns. One that has a method `batched(rng, *columns)` is given whole columns instead, with a leading axis over the
samples, wherever these agree in shape; it must return for each sample what the call returns. Random operations draw
from the `Rng` they are handed, so their results depend on the seed, the epoch and the place of the sample, never on
threads or on how samples were grouped.
"""

import itertools
import numbers
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any

import numpy as np

from graphc.dataset import config
from graphc.dataset.blocks import Block, as_array, rows_of, stack
from graphc.dataset.check import check_int
from graphc.dataset.rng import Rng, fold

__all__ = [
    "Compose", "Concatenate", "Duplicate", "Fill", "Mask", "OneHot", "PadEnd", "RandomApply", "RandomChoice",
    "RandomOrder", "Relational", "Slice", "TypeCast", "Unique",
]  # fmt: skip

Operation = Callable[..., Any]


class _EagerCalls:
    """Numbers the calls made outside a pipeline, from 0 after each `set_seed`."""

    _KEY = 0xEA6E

    def __init__(self) -> None:
        self._generation = -1
        self._numbers = itertools.count()

    def next_rng(self) -> Rng:
        if self._generation != config.seed_generation():
            self._generation = config.seed_generation()
            self._numbers = itertools.count()
        return Rng(fold(config.get_seed(), self._KEY), np.array([next(self._numbers)]))


_eager_calls = _EagerCalls()


class Transform(ABC):
    """An operation on one sample's columns."""

    def __call__(self, *columns: Any) -> Any:
        """Apply to one sample; a random operation draws anew at each call."""
        return self.sample(_eager_calls.next_rng(), *columns)

    @abstractmethod
    def sample(self, rng: Rng, *columns: Any) -> Any:
        """Apply to one sample, drawing from `rng`."""


class ColumnTransform(Transform):
    """An operation on one column, written for any number of samples of equal shape at once.

    Given several columns it does the same to each, with the same draws: an image and its mask stay together.
    """

    @abstractmethod
    def stacked(self, rng: Rng, block: np.ndarray) -> Block:
        """Apply to the samples `block[0]`, `block[1]`, ..."""

    def batched(self, rng: Rng, *columns: np.ndarray) -> Any:
        """Apply to several samples: columns with a leading axis over them."""
        results = tuple(self.stacked(rng.restarted(), column) for column in columns)
        return results[0] if len(results) == 1 else results

    def sample(self, rng: Rng, *columns: Any) -> Any:
        name = type(self).__name__
        results = tuple(_first(self.stacked(rng.restarted(), as_array(column, name)[None])) for column in columns)
        return results[0] if len(results) == 1 else results


def _first(block: Block) -> Any:
    return block[0, ...] if isinstance(block, np.ndarray) else block[0]


class Chain:
    """Operations one after the other, over a whole portion of samples."""

    def __init__(self, operations: Operation | Sequence[Operation]) -> None:
        self.operations = _flatten(operations)
        if not self.operations:
            raise ValueError("operations: got an empty list, expected at least one operation")

    def blocks(self, columns: list[Block], rng: Rng) -> list[Block]:
        """Apply to several samples: operations that take whole columns get them, the others one sample at a time."""
        start = 0
        while start < len(self.operations):
            operation = self.operations[start]
            stop = start + 1
            if hasattr(operation, "batched") and all(isinstance(column, np.ndarray) for column in columns):
                with _Blame(operation):
                    columns = list(_as_tuple(operation.batched(rng.fold(start), *columns)))
            else:
                while stop < len(self.operations) and not hasattr(self.operations[stop], "batched"):
                    stop += 1
                columns = self._one_by_one(columns, rng, range(start, stop))
            start = stop
        return columns

    def sample(self, rng: Rng, columns: tuple[Any, ...]) -> tuple[Any, ...]:
        """Apply to one sample."""
        return self._run(columns, [rng.fold(k) for k in range(len(self.operations))], range(len(self.operations)))

    def _one_by_one(self, columns: list[Block], rng: Rng, steps: range) -> list[Block]:
        rngs = [rng.fold(k) for k in steps]
        samples = [self._run(row, [r.rows(i, i + 1) for r in rngs], steps) for i, row in enumerate(rows_of(columns))]
        if len({len(sample) for sample in samples}) != 1:
            raise ValueError(
                f"{_name(self.operations[steps[-1]])}: returned {len(samples[0])} columns for one sample, not for all"
            )
        last = steps[-1] == len(self.operations) - 1
        return [self._collect(column, last, self.operations[steps[-1]]) for column in zip(*samples, strict=True)]

    @staticmethod
    def _collect(values: Sequence[Any], last: bool, operation: Operation) -> Block:
        if not last and not all(isinstance(value, np.ndarray) for value in values):
            return list(values)  # such as PIL images between two operations
        return stack([as_array(value, f"map: {_name(operation)} returned") for value in values])

    def _run(self, sample: tuple[Any, ...], rngs: Sequence[Rng], steps: range) -> tuple[Any, ...]:
        for rng, k in zip(rngs, steps, strict=True):
            operation = self.operations[k]
            with _Blame(operation):
                result = operation.sample(rng, *sample) if isinstance(operation, Transform) else operation(*sample)
            sample = _as_tuple(result)
        return sample


class _Blame:
    """Adds the operation's name to an error that passes through."""

    def __init__(self, operation: Operation) -> None:
        self._operation = operation

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, Exception):
            error.add_note(f"in the map operation {_name(self._operation)}")


def _name(operation: Operation) -> str:
    return getattr(operation, "__qualname__", type(operation).__name__)


def _as_tuple(result: Any) -> tuple[Any, ...]:
    return result if isinstance(result, tuple) else (result,)


def _flatten(operations: Operation | Sequence[Operation]) -> list[Operation]:
    if isinstance(operations, (list, tuple)):
        return [flat for operation in operations for flat in _flatten(operation)]
    if isinstance(operations, Compose):
        return operations.chain.operations
    if not callable(operations):
        raise TypeError(f"operations: got {operations!r} of type {type(operations).__name__}, expected a callable")
    return [operations]


def numpy_dtype(data_type: Any) -> np.dtype:
    """The NumPy dtype of a graphc dtype (which has it as `.np`), a NumPy dtype or a name.

    Raises:
        TypeError: it is none of these.
    """
    try:
        if data_type is None:  # NumPy would take it for float64
            raise TypeError
        dtype: np.dtype = np.dtype(getattr(data_type, "np", data_type))
    except TypeError:
        raise TypeError(f"got {data_type!r}, expected a dtype such as graphc.int32 or numpy.int32") from None
    return dtype


class Compose(Transform):
    """Several operations as one.

    Args:
        transforms: list of callables, applied in order.
    """

    def __init__(self, transforms: Sequence[Operation]) -> None:
        self.chain = Chain(transforms)

    def sample(self, rng: Rng, *columns: Any) -> Any:
        return _one_or_tuple(self.chain.sample(rng, columns))


def _one_or_tuple(sample: tuple[Any, ...]) -> Any:
    return sample[0] if len(sample) == 1 else sample


class RandomApply(Transform):
    """Apply a list of operations to a sample, all or none of them.

    Args:
        transforms: list of callables.
        prob: probability of applying them, 0 to 1.
    """

    def __init__(self, transforms: Sequence[Operation], prob: float = 0.5) -> None:
        self._chain = Chain(transforms)
        self._prob = check_probability("RandomApply: prob", prob)

    def sample(self, rng: Rng, *columns: Any) -> Any:
        if rng.uniform()[0] >= self._prob:
            return _one_or_tuple(columns)
        return _one_or_tuple(self._chain.sample(rng, columns))


class RandomChoice(Transform):
    """Apply one of several operations to a sample, each with the same probability.

    Args:
        transforms: list of callables.
    """

    def __init__(self, transforms: Sequence[Operation]) -> None:
        self._choices = [Chain(transform) for transform in transforms]
        if not self._choices:
            raise ValueError("RandomChoice: transforms is empty")

    def sample(self, rng: Rng, *columns: Any) -> Any:
        chosen = int(rng.integers(0, len(self._choices))[0])
        return _one_or_tuple(self._choices[chosen].sample(rng.fold(chosen), columns))


class RandomOrder(Transform):
    """Apply all operations to a sample, in random order.

    Args:
        transforms: list of callables.
    """

    def __init__(self, transforms: Sequence[Operation]) -> None:
        self._steps = [Chain(transform) for transform in transforms]
        if not self._steps:
            raise ValueError("RandomOrder: transforms is empty")

    def sample(self, rng: Rng, *columns: Any) -> Any:
        for k in rng.order(len(self._steps))[0].tolist():
            columns = self._steps[k].sample(rng.fold(k), columns)
        return _one_or_tuple(columns)


def check_probability(name: str, value: object) -> float:
    """`value` as a float in [0, 1], or the error that names it."""
    if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise TypeError(f"{name}: got {value!r} of type {type(value).__name__}, expected a number")
    if not 0 <= value <= 1:
        raise ValueError(f"{name}: got {value}, expected 0 to 1")
    return float(value)


class TypeCast(ColumnTransform):
    """Cast to a dtype, as `ndarray.astype` does.

    Args:
        data_type: a graphc dtype, a NumPy dtype or the name of one.
    """

    def __init__(self, data_type: Any) -> None:
        self._dtype = numpy_dtype(data_type)

    def stacked(self, rng: Rng, block: np.ndarray) -> np.ndarray:
        return block.astype(self._dtype, copy=False)


class OneHot(ColumnTransform):
    """A label as a vector: `1 - smoothing_rate` at the label's place, and `smoothing_rate / num_classes` added
    everywhere.

    A scalar label gives [num_classes], labels [k] or [k, 1] give [k, num_classes] (and [num_classes] for [1], as in
    MindSpore). The dtype stays the label's, and is float32 where labels are smoothed. Smoothing: Szegedy et al.,
    Rethinking the Inception Architecture, section 7.

    Args:
        num_classes: number of classes, at least 1.
        smoothing_rate: 0 to 1.
    Raises:
        TypeError: labels are not integers.
        ValueError: labels of other shapes, or outside 0 to `num_classes` - 1.
    """

    def __init__(self, num_classes: int, smoothing_rate: float = 0.0) -> None:
        self._classes = check_int("OneHot: num_classes", num_classes, 1)
        self._rate = check_probability("OneHot: smoothing_rate", smoothing_rate)

    def stacked(self, rng: Rng, block: np.ndarray) -> np.ndarray:
        if block.dtype.kind not in "iu":
            raise TypeError(f"OneHot: got labels of dtype {block.dtype}, expected integers")
        if block.ndim > 2 and block.shape[2:] != (1,):
            raise ValueError(f"OneHot: got labels of shape {block.shape[1:]}, expected rank 0 or 1, or [k, 1]")
        if block.size and (block.min() < 0 or block.max() >= self._classes):
            wrong = block[(block < 0) | (block >= self._classes)].flat[0]
            raise ValueError(f"OneHot: got label {wrong}, expected 0 to {self._classes - 1}")
        labels = block[..., 0] if block.ndim > 1 and block.shape[-1] == 1 else block
        hot: np.ndarray = labels[..., None] == np.arange(self._classes)
        if self._rate == 0.0:
            return hot.astype(block.dtype)
        smooth: np.ndarray = hot * (1.0 - self._rate) + self._rate / self._classes
        return smooth.astype(np.float32)


class Fill(ColumnTransform):
    """The same shape and dtype, all of one value.

    Args:
        fill_value: a number, a bool or a string.
    """

    def __init__(self, fill_value: Any) -> None:
        self._value = as_array(fill_value, "Fill: fill_value")
        if self._value.ndim:
            raise TypeError(f"Fill: got fill_value {fill_value!r}, expected a scalar")

    def stacked(self, rng: Rng, block: np.ndarray) -> np.ndarray:
        if (block.dtype.kind in "US") != (self._value.dtype.kind in "US"):
            raise TypeError(f"Fill: cannot fill {block.dtype} with {self._value.item()!r}")
        if block.dtype.kind in "US":
            return np.full(block.shape, self._value)
        return np.full_like(block, self._value)


class PadEnd(ColumnTransform):
    """Pad at the end of each axis, or cut there, to a fixed shape.

    Args:
        pad_shape: the size of each axis; None keeps one as it is.
        pad_value: what to pad with; None stands for 0, or the empty string.
    Raises:
        ValueError: the rank of a sample is not `len(pad_shape)`.
    """

    def __init__(self, pad_shape: Sequence[int | None], pad_value: Any = None) -> None:
        if not isinstance(pad_shape, (list, tuple)):
            raise TypeError(f"PadEnd: pad_shape: got {pad_shape!r}, expected a list of ints")
        self._shape = [None if size is None else check_int("PadEnd: pad_shape", size, 1) for size in pad_shape]
        if pad_value is not None and not isinstance(pad_value, (str, bytes, numbers.Number)):
            raise TypeError(f"PadEnd: pad_value: got {pad_value!r}, expected a number or a string")
        self._value = pad_value

    def stacked(self, rng: Rng, block: np.ndarray) -> np.ndarray:
        if block.ndim - 1 != len(self._shape):
            raise ValueError(f"PadEnd: got a sample of shape {block.shape[1:]}, expected rank {len(self._shape)}")
        return pad_to(block, (None, *self._shape), self._value)


def pad_to(array: np.ndarray, shape: Sequence[int | None], value: Any = None) -> np.ndarray:
    """`array` padded or cut at its ends to `shape`; None keeps an axis. `value` None is 0 or the empty string."""
    target = tuple(have if want is None else want for have, want in zip(array.shape, shape, strict=True))
    if target == array.shape:
        return array
    if value is None:
        value = array.dtype.type()
    dtype = np.result_type(array.dtype, np.asarray(value).dtype) if array.dtype.kind in "US" else array.dtype
    out = np.full(target, value, dtype)
    inner = tuple(slice(0, min(have, want)) for have, want in zip(array.shape, target, strict=True))
    out[inner] = array[inner]
    return out


class Concatenate(Transform):
    """All columns into one, end to end along an axis.

    Args:
        axis: axis of the sample to concatenate along.
        prepend: array put before the columns.
        append: array put after them.
    Raises:
        TypeError: the parts differ in dtype.
        ValueError: the parts do not fit.
    """

    def __init__(self, axis: int = 0, prepend: Any = None, append: Any = None) -> None:
        if isinstance(axis, bool) or not isinstance(axis, int):
            raise TypeError(f"Concatenate: got axis {axis!r}, expected an int")
        self._axis = axis
        self._prepend = None if prepend is None else as_array(prepend, "Concatenate: prepend")
        self._append = None if append is None else as_array(append, "Concatenate: append")

    def sample(self, rng: Rng, *columns: Any) -> np.ndarray:
        whole: np.ndarray = self.batched(rng, *(as_array(column, "Concatenate")[None] for column in columns))[0]
        return whole

    def batched(self, rng: Rng, *columns: np.ndarray) -> np.ndarray:
        """Concatenate columns of several samples."""
        ends = [
            None if end is None else np.broadcast_to(end, (len(rng), *end.shape))
            for end in (self._prepend, self._append)
        ]
        parts = [part for part in (ends[0], *columns, ends[1]) if part is not None]
        if len({part.dtype.kind if part.dtype.kind in "US" else part.dtype for part in parts}) > 1:
            raise TypeError(f"Concatenate: the parts differ in dtype, {', '.join(str(part.dtype) for part in parts)}")
        return np.concatenate(parts, axis=self._axis if self._axis < 0 else self._axis + 1)


class Duplicate(Transform):
    """One column into two that hold the same."""

    def sample(self, rng: Rng, *columns: Any) -> tuple[Any, Any]:
        first, second = self.batched(rng, *(as_array(column, "Duplicate") for column in columns))
        return first, second

    def batched(self, rng: Rng, *columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Duplicate one column of several samples."""
        if len(columns) != 1:
            raise ValueError(f"Duplicate: got {len(columns)} columns, expected 1")
        return columns[0], columns[0].copy()


class Relational(Enum):
    """Comparisons for `Mask`."""

    EQ = "equal"
    NE = "not_equal"
    GT = "greater"
    GE = "greater_equal"
    LT = "less"
    LE = "less_equal"


class Mask(ColumnTransform):
    """Compare every element with a constant.

    Args:
        operator: a `Relational`.
        constant: number, bool or string to compare with.
        dtype: dtype of the result, bool or a number type.
    """

    def __init__(self, operator: Relational, constant: Any, dtype: Any = np.bool_) -> None:
        if not isinstance(operator, Relational):
            raise TypeError(f"Mask: got operator {operator!r}, expected one of transforms.Relational")
        self._compare = getattr(np, operator.value)
        self._constant = constant
        self._dtype = numpy_dtype(dtype)

    def stacked(self, rng: Rng, block: np.ndarray) -> np.ndarray:
        answers: np.ndarray = self._compare(block, self._constant)
        return answers.astype(self._dtype, copy=False)


class Slice(ColumnTransform):
    """Take part of each axis; the rank stays.

    Args:
        slices: per axis an int, a list of ints, a slice, True or None for all of it, or once `...` for the axes
            between.
    Raises:
        IndexError: an index is out of range, or there are more slices than axes.
    """

    def __init__(self, *slices: Any) -> None:
        if sum(part is Ellipsis for part in slices) > 1:
            raise ValueError("Slice: got ... more than once")
        self._slices = [self._one(part) for part in slices]

    @staticmethod
    def _one(part: Any) -> Any:
        if part is None or part is True:
            return slice(None)
        if part is Ellipsis or isinstance(part, slice):
            return part
        if isinstance(part, int) and part is not False:
            return [part]
        if isinstance(part, (list, tuple)) and all(isinstance(i, int) and not isinstance(i, bool) for i in part):
            return list(part)
        raise TypeError(f"Slice: got {part!r}, expected an int, a list of ints, a slice, None, True or ...")

    def stacked(self, rng: Rng, block: np.ndarray) -> np.ndarray:
        given = sum(part is not Ellipsis for part in self._slices)
        if given > block.ndim - 1:
            raise IndexError(f"Slice: got {given} slices for a sample of shape {block.shape[1:]}")
        axis = 1
        for part in self._slices:
            if part is Ellipsis:
                axis += block.ndim - 1 - given
                continue
            block = block[(slice(None),) * axis + (part,)]
            axis += 1
        return block


class Unique(Transform):
    """The distinct values of a sample in order of appearance, the place of each element among them, and their counts.

    Returns three columns: values [u] of the sample's dtype, indices [size] int32, counts [u] int32.
    """

    def sample(self, rng: Rng, *columns: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        if len(columns) != 1:
            raise ValueError(f"Unique: got {len(columns)} columns, expected 1")
        flat = as_array(columns[0], "Unique").ravel()
        values, first, inverse, counts = np.unique(flat, return_index=True, return_inverse=True, return_counts=True)
        by_appearance = np.argsort(first, kind="stable")
        rank = np.empty_like(by_appearance)
        rank[by_appearance] = np.arange(len(by_appearance))
        return values[by_appearance], rank[inverse].astype(np.int32), counts[by_appearance].astype(np.int32)
