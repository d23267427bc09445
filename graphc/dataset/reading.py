"""What datasets of files have in common.

`ReadAtOnce` is the base of those whose samples lie together in a few files, which are read when the dataset is made;
`ReadWhenAsked` of those that have a file for each sample. `Reading` is what the arguments that all have come to.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from graphc.dataset.blocks import Block
from graphc.dataset.check import check_choice, check_unset
from graphc.dataset.config import check_workers
from graphc.dataset.core import Dataset
from graphc.dataset.files import check_dir
from graphc.dataset.images import check_decode, decode_image
from graphc.dataset.samplers import BuiltinSampler, Shuffle, select_sampler
from graphc.dataset.tables import ArrayTable, FileTable, Sample, TableSource


@dataclass(frozen=True)
class Reading:
    """How a dataset's samples are read.

    Attributes:
        sampler: what chooses them.
        workers: threads that read.
    """

    sampler: BuiltinSampler
    workers: int

    @staticmethod
    def of(
        name: str, num_samples: int | None, num_parallel_workers: int | None, shuffle: bool | Shuffle | None,
        sampler: Any, num_shards: int | None, shard_id: int | None, cache: None,
    ) -> "Reading":  # fmt: skip
        """As the arguments of a dataset ask for; which is checked before any file is looked at."""
        check_unset(name, cache=cache)
        workers = check_workers(name, num_parallel_workers)
        return Reading(select_sampler(name, num_samples, sampler, shuffle, num_shards, shard_id), workers)


class ReadAtOnce(Dataset):
    """Images and labels in a few files.

    Args:
        dataset_dir: folder of the files.
        usage: which parts; None for those of "all".
    Raises:
        NotADirectoryError: the folder is missing.
        ValueError: another usage; the images of two parts differ in shape.
    """

    _columns: tuple[str, ...] = ("image", "label")
    _classes: int | None = None
    _usages: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "train": ("train",), "test": ("test",), "all": ("train", "test"),
    }  # fmt: skip
    """The parts of each usage."""

    def __init__(
        self, dataset_dir: str | os.PathLike[str], usage: str | None = None, num_samples: int | None = None,
        num_parallel_workers: int | None = None, shuffle: bool | Shuffle | None = None, sampler: Any = None,
        num_shards: int | None = None, shard_id: int | None = None, cache: None = None,
    ) -> None:  # fmt: skip
        name = type(self).__name__
        how = Reading.of(name, num_samples, num_parallel_workers, shuffle, sampler, num_shards, shard_id, cache)
        wanted = self._usages[check_choice(name, "usage", usage, (*self._usages, None)) or "all"]
        folder = check_dir(name, dataset_dir)
        parts = [self._read(folder, part) for part in wanted]
        shapes = {part[0].shape[1:] for part in parts}
        if len(shapes) > 1:
            raise ValueError(f"{name}: images differ in shape, {' and '.join(map(str, shapes))}")
        arrays = [np.concatenate(column) for column in zip(*parts, strict=True)] if len(parts) > 1 else parts[0]
        super().__init__(TableSource(ArrayTable(arrays), self._columns, how.sampler), self._classes)

    def _read(self, folder: Path, part: str) -> Sequence[np.ndarray]:
        """The columns of one part."""
        raise TypeError(f"{type(self).__name__}: make one of the datasets derived from it")


class ReadWhenAsked(Dataset):
    """Samples in files of their own.

    Args:
        files: what `read` takes for each sample, such as a path.
        read: the columns in a file.
        columns: their names.
        known: the columns that follow these, by name: of all samples, known without reading.
        how: which samples, and with how many threads.
        num_classes, class_indexing: as in `Dataset`.
    Raises:
        ValueError: there are no files.
    """

    def __init__(
        self, files: Sequence[Any], read: Callable[[Any], Sample], columns: Sequence[str],
        known: Mapping[str, Block], how: Reading, num_classes: int | None = None,
        class_indexing: Mapping[str, int] | None = None,
    ) -> None:  # fmt: skip
        if not files:
            raise ValueError(f"{type(self).__name__}: found no files to read")
        table = FileTable(files, read, list(known.values()), how.workers)
        super().__init__(TableSource(table, [*columns, *known], how.sampler), num_classes, class_indexing)


def in_folders(folders: Sequence[Path], endings: tuple[str, ...], dtype: Any) -> tuple[list[Path], dict[str, Block]]:
    """The files in folders that end so, those of each in order, and as their `label` the number of their folder."""
    found = [
        (path, number) for number, folder in enumerate(folders) for path in sorted(folder.iterdir())
        if path.name.lower().endswith(endings)
    ]  # fmt: skip
    return [path for path, _ in found], {"label": np.array([number for _, number in found], dtype)}


def each(read: Callable[[Path], Sample]) -> Callable[[Sequence[Path]], Sample]:
    """What reads samples that are several files: the columns of the first, of the second, and so on."""
    return lambda paths: tuple(column for path in paths for column in read(path))


def image_reader(name: str, decode: Any) -> Callable[[Path], Sample]:
    """What reads an image file: the image, uint8 [H, W, 3], or the bytes of the file, uint8 [n].

    Raises:
        TypeError: `decode` is no bool. ImportError: Pillow, which decodes, is not installed.
    """
    decodes = check_decode(name, decode)

    def read(path: Path) -> Sample:
        data = np.fromfile(path, np.uint8)
        return (decode_image(data, str(path)) if decodes else data,)

    return read
