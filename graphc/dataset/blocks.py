"""Columns of several samples at once.

A `Block` is one column of n samples: an array with a leading axis of n where the samples agree in shape and dtype,
else a list of n values. Everything in the pipeline that can work on whole arrays does so on the first form.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

Block = np.ndarray | list[Any]


def as_array(value: Any, where: str) -> np.ndarray:
    """One value of a sample as an array (a Tensor, a PIL image, a number, a string, nested lists of numbers).

    Raises:
        TypeError: NumPy can only hold it as an object.
    """
    if isinstance(value, np.ndarray):
        array = value
    elif hasattr(value, "asnumpy"):
        array = value.asnumpy()
    else:
        try:
            array = np.asarray(value)
        except ValueError as error:  # rows of different lengths
            raise TypeError(f"{where}: got a {type(value).__name__} that is not one array ({error})") from None
    if array.dtype.kind == "O":
        raise TypeError(f"{where}: got {type(value).__name__}, expected an array, a number, a string or a Tensor")
    return array


def stack(values: Sequence[np.ndarray]) -> Block:
    """The samples as one array if they agree in shape and dtype (strings may differ in length), else as a list."""
    first = values[0]
    text = first.dtype.kind in "US"
    for value in values:
        if value.shape != first.shape or (value.dtype.kind != first.dtype.kind if text else value.dtype != first.dtype):
            return list(values)
    # Filling is several times faster than np.stack, which makes a view of every sample first.
    if text:
        return np.stack(values)
    out = np.empty((len(values), *first.shape), first.dtype)
    for i, value in enumerate(values):
        out[i] = value
    return out


def values_of(block: Block) -> list[Any]:
    """The samples of one column; a number comes as an array of rank 0."""
    return [block[i, ...] for i in range(len(block))] if isinstance(block, np.ndarray) else block


def rows_of(blocks: Sequence[Block]) -> Iterator[tuple[Any, ...]]:
    """The samples of some columns, one tuple each."""
    return zip(*map(values_of, blocks), strict=True)


def concatenate(blocks: Sequence[Block]) -> Block:
    """Blocks end to end."""
    if len(blocks) == 1:
        return blocks[0]
    arrays = [block for block in blocks if isinstance(block, np.ndarray)]
    if len(arrays) == len(blocks) and len({(a.shape[1:], a.dtype) for a in arrays}) == 1:
        return np.concatenate(arrays)
    return stack([value for block in blocks for value in values_of(block)])


class Workers:
    """The threads of one epoch, started when first needed; results always come in order."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._pool: ThreadPoolExecutor | None = None

    def map_parts(self, function: Callable[[slice], list[Block]], count: int, workers: int) -> list[Block]:
        """The columns of `count` samples, made by `function` in `workers` portions side by side.

        The error raised is the one of the earliest portion that fails.
        """
        workers = min(workers, count)
        if workers <= 1:
            return function(slice(0, count))
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._count, thread_name_prefix="graphc-dataset")
        bounds = [count * i // workers for i in range(workers + 1)]
        futures = [self._pool.submit(function, slice(a, b)) for a, b in itertools.pairwise(bounds)]
        return [concatenate(blocks) for blocks in zip(*(future.result() for future in futures), strict=True)]

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, *error: object) -> None:
        """End the threads; portions not yet begun are dropped."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None
