"""Images with many labels, and images made up: `CelebADataset`, `FakeImageDataset`."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from graphc.dataset.blocks import Block, Workers, stack
from graphc.dataset.check import check_choice, check_int, check_unset
from graphc.dataset.core import Dataset
from graphc.dataset.files import DataFileError, check_dir
from graphc.dataset.reading import Reading, ReadWhenAsked, image_reader
from graphc.dataset.samplers import Shuffle
from graphc.dataset.tables import TableSource

__all__ = ["CelebADataset", "FakeImageDataset"]

_PARTS = {"train": 0, "valid": 1, "test": 2}


def _attributes(path: Path) -> tuple[list[str], np.ndarray]:
    """The names of the images that a list describes, and of each the attributes, uint32 [N, attributes], 0 or 1.

    Raises:
        DataFileError: a line has another number of attributes than there are names, or one that is neither 1 nor -1.
    """
    count, head, *lines = path.read_text(encoding="utf-8").split("\n")
    names = head.split()
    rows = [line.split() for line in lines if line.strip()]
    for number, row in enumerate(rows, 3):
        if len(row) != len(names) + 1 or set(row[1:]) - {"1", "-1"}:
            expected = f"a file and {len(names)} times 1 or -1"
            raise DataFileError(f"{path}:{number}: expected {expected}, got {len(row)} fields")
    if count.strip() != str(len(rows)):
        raise DataFileError(f"{path}: the first line says {count.strip()!r}, there are {len(rows)} images")
    return [row[0] for row in rows], np.array([[field == "1" for field in row[1:]] for row in rows], np.uint32)


class CelebADataset(ReadWhenAsked):
    """CelebA, faces of celebrities: `image` uint8 and `attr` uint32 [40], whether each attribute applies.

    Args:
        dataset_dir: folder of the images, of `list_attr_celeba.txt`, and of `list_eval_partition.txt` unless `usage`
            is "all".
        num_parallel_workers: threads that read (and decode) files.
        shuffle: random order or not; None for random.
        usage: "train", "valid", "test", or "all".
        sampler: what chooses the samples, instead of `num_samples`, `shuffle` and shards.
        decode: give images as uint8 [H, W, 3] (needs Pillow), else the bytes of the files as uint8 [n].
        extensions: endings of the files that count; None for all.
        num_samples: the most samples of an epoch; None for all.
        num_shards, shard_id: into how many parts the samples are divided, and which of them to read.
        cache, decrypt: not available, leave them unset.
    Raises:
        NotADirectoryError, FileNotFoundError: the folder or a list is missing.
        DataFileError: a list is not as it should be. ValueError: no image is left.
    """

    def __init__(
        self, dataset_dir: str | os.PathLike[str], num_parallel_workers: int | None = None,
        shuffle: bool | Shuffle | None = None, usage: str = "all", sampler: Any = None, decode: bool = False,
        extensions: Sequence[str] | None = None, num_samples: int | None = None, num_shards: int | None = None,
        shard_id: int | None = None, cache: None = None, decrypt: None = None,
    ) -> None:  # fmt: skip
        name = "CelebADataset"
        how = Reading.of(name, num_samples, num_parallel_workers, shuffle, sampler, num_shards, shard_id, cache)
        check_unset(name, decrypt=decrypt)
        check_choice(name, "usage", usage, ("all", *_PARTS))
        folder, image = check_dir(name, dataset_dir), image_reader(name, decode)
        images, attributes = _attributes(folder / "list_attr_celeba.txt")
        kept = [i for i, file in enumerate(images) if extensions is None or file.endswith(tuple(extensions))]
        if usage != "all":
            partition = (folder / "list_eval_partition.txt").read_text(encoding="utf-8").split()
            part = dict(zip(partition[::2], partition[1::2], strict=True))
            kept = [i for i in kept if part.get(images[i]) == str(_PARTS[usage])]
        if not kept:
            raise ValueError(f"{name}: {folder} has no images for usage {usage!r} and extensions {extensions}")
        super().__init__([folder / images[i] for i in kept], image, ["image"], {"attr": attributes[kept]}, how)


class _FakeTable:
    """Images of noise, each of which follows from its number."""

    workers = 1
    costly = False

    def __init__(self, count: int, size: tuple[int, ...], classes: int, seed: int) -> None:
        self._count, self._size, self._classes, self._seed = count, size, classes, seed

    def __len__(self) -> int:
        return self._count

    def _sample(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        draw = np.random.Generator(np.random.Philox(key=self._seed + number))
        return draw.integers(0, 256, self._size, np.uint8), np.array(draw.integers(self._classes), np.uint32)

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
        table = _FakeTable(count, size, classes, check_int(f"{name}: base_seed", base_seed, 0))
        super().__init__(TableSource(table, ["image", "label"], how.sampler), classes)
