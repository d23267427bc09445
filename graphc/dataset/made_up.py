"""Samples of random numbers, for programs that have no data yet: `FakeImageDataset`, `RandomDataset`."""

import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc.dataset.blocks import Block, Workers, stack
from graphc.dataset.check import check_choice, check_int
from graphc.dataset.core import Dataset
from graphc.dataset.reading import Reading
from graphc.dataset.samplers import Shuffle
from graphc.dataset.schema import Schema
from graphc.dataset.tables import Sample, TableSource

__all__ = ["FakeImageDataset", "RandomDataset"]


class _MadeUp:
    """Samples made of random numbers, each of which follows from its number.

    Args:
        count: how many there are.
        make: the columns of a sample, of numbers that it draws.
        seed: sample i follows from `seed` + i.
    """

    workers = 1
    costly = False

    def __init__(self, count: int, make: Callable[[np.random.Generator], Sample], seed: int = 0) -> None:
        self._count, self._make, self._seed = count, make, seed

    def __len__(self) -> int:
        return self._count

    def _sample(self, number: int) -> Sample:
        return self._make(np.random.Generator(np.random.Philox(key=self._seed + number)))

    def take(self, indices: np.ndarray, workers: Workers) -> list[Block]:
        """The columns of the samples at `indices`."""
        samples = [self._sample(int(i)) for i in indices]
        return [stack(list(column)) for column in zip(*samples, strict=True)]

    def column(self, position: int) -> np.ndarray:
        """One column of all samples."""
        return np.stack([self._sample(i)[position] for i in range(self._count)])


class FakeImageDataset(Dataset):
    """Images of noise: `image` uint8 and `label` uint32, the same in every epoch.

    Args:
        num_images: how many there are.
        image_size: (height, width, channels).
        num_classes: labels are less.
        base_seed: sample i follows from `base_seed` + i.
        num_samples: the most samples of an epoch; None for all.
        num_parallel_workers: an upper bound for threads.
        shuffle: random order or not; None for random.
        sampler: what chooses the samples, instead of `num_samples`, `shuffle` and shards.
        num_shards, shard_id: into how many parts the samples are divided, and which of them to read.
        cache: not available, leave it unset.
    """

    def __init__(
        self, num_images: int = 1000, image_size: Sequence[int] = (224, 224, 3), num_classes: int = 10,
        base_seed: int = 0, num_samples: int | None = None, num_parallel_workers: int | None = None,
        shuffle: bool | Shuffle | None = None, sampler: Any = None, num_shards: int | None = None,
        shard_id: int | None = None, cache: None = None,
    ) -> None:  # fmt: skip
        name = "FakeImageDataset"
        how = Reading.of(name, num_samples, num_parallel_workers, shuffle, sampler, num_shards, shard_id, cache)
        count = check_int(f"{name}: num_images", num_images, 1)
        classes = check_int(f"{name}: num_classes", num_classes, 1)
        if not isinstance(image_size, (tuple, list)) or len(image_size) != 3:
            raise ValueError(f"{name}: got image_size {image_size!r}, expected (height, width, channels)")
        size = tuple(check_int(f"{name}: image_size", extent, 1) for extent in image_size)

        def make(draw: np.random.Generator) -> Sample:
            return draw.integers(0, 256, size, np.uint8), np.array(draw.integers(classes), np.uint32)

        table = _MadeUp(count, make, check_int(f"{name}: base_seed", base_seed, 0))
        super().__init__(TableSource(table, ["image", "label"], how.sampler), classes)


class RandomDataset(Dataset):
    """Random numbers of the types and shapes of a schema, the same in every epoch.

    Whole numbers are as likely as any other of their type, floats lie in [0, 1).

    Args:
        total_rows: how many samples there are; None for what the schema says (`numRows`).
        schema: the columns: a `Schema` or the path of its JSON file. A column without a shape is a scalar.
        columns_list: which of them, in which order; None for all.
        num_samples: the most samples of an epoch; None for all.
        num_parallel_workers: an upper bound for threads.
        cache: not available, leave it unset.
        shuffle: random order or not; None for random.
        num_shards, shard_id: into how many parts the samples are divided, and which of them to read.
    Raises:
        ValueError: there is no schema, and none is made up as in MindSpore; a column is not in it, is text, or has an
            extent that is not known; nothing says how many samples there are.
    """

    def __init__(
        self, total_rows: int | None = None, schema: Schema | str | os.PathLike[str] | None = None,
        columns_list: Sequence[str] | None = None, num_samples: int | None = None,
        num_parallel_workers: int | None = None, cache: None = None, shuffle: bool | Shuffle | None = None,
        num_shards: int | None = None, shard_id: int | None = None,
    ) -> None:  # fmt: skip
        name = "RandomDataset"
        how = Reading.of(name, num_samples, num_parallel_workers, shuffle, None, num_shards, shard_id, cache)
        if schema is None:
            raise ValueError(f"{name}: expected a schema, which says what the columns are")
        known = schema if isinstance(schema, Schema) else Schema(schema)
        if total_rows is None and not known.num_rows:
            raise ValueError(f"{name}: expected total_rows, as the schema has no numRows")
        count = check_int(f"{name}: total_rows", known.num_rows if total_rows is None else total_rows, 1)
        wanted = list(known.columns if columns_list is None else columns_list)
        makers = []
        for column in wanted:
            kind = known.columns[check_choice(name, "column", column, tuple(known.columns))]
            shape = kind.shape or ()
            if kind.type == "string" or min(shape, default=0) < 0:
                raise ValueError(f"{name}: column {column!r} is {kind.type} {shape}, expected numbers of a known shape")
            makers.append(_maker(np.dtype(kind.type), shape))
        table = _MadeUp(count, lambda draw: tuple(make(draw) for make in makers))
        super().__init__(TableSource(table, wanted, how.sampler))


def _maker(dtype: np.dtype, shape: tuple[int, ...]) -> Callable[[np.random.Generator], np.ndarray]:
    """What draws an array."""
    if dtype.kind == "f":
        return lambda draw: draw.random(shape).astype(dtype)
    high = 1 if dtype.kind == "b" else np.iinfo(dtype).max
    low = 0 if dtype.kind == "b" else np.iinfo(dtype).min
    return lambda draw: np.asarray(draw.integers(low, high, shape, dtype, endpoint=True))
