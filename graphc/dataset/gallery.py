"""Pictures of one thing each: `Caltech256Dataset`, `Food101Dataset`, `OmniglotDataset`, `STL10Dataset`."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from graphc.dataset.core import Dataset, check_unset, check_workers
from graphc.dataset.files import DataFileError, check_dir
from graphc.dataset.images import check_decode
from graphc.dataset.samplers import Shuffle, select_sampler
from graphc.dataset.tables import ArrayTable, FileTable, TableSource, image_reader

__all__ = ["Caltech256Dataset", "Food101Dataset", "OmniglotDataset", "STL10Dataset"]


class _Gallery(Dataset):
    """Common to those whose pictures are files: `image` and `label`."""

    def __init__(
        self, pictures: Sequence[tuple[Path, Any]], num_samples: int | None, num_parallel_workers: int | None,
        shuffle: bool | Shuffle | None, decode: bool, sampler: Any, num_shards: int | None, shard_id: int | None,
        cache: None, num_classes: int | None,
    ) -> None:  # fmt: skip
        name = type(self).__name__
        check_unset(name, cache=cache)
        image, workers = image_reader(check_decode(name, decode)), check_workers(name, num_parallel_workers)
        chooses = select_sampler(name, num_samples, sampler, shuffle, num_shards, shard_id)
        if not pictures:
            raise ValueError(f"{name}: the folder has no pictures")
        labels = np.array([label for _, label in pictures])
        known = labels.astype(np.int32) if labels.dtype.kind == "i" else labels
        table = FileTable([path for path, _ in pictures], image, [known], workers)
        super().__init__(TableSource(table, ["image", "label"], chooses), num_classes)


def _in_folders(folders: Sequence[Path], endings: tuple[str, ...]) -> list[tuple[Path, int]]:
    """The pictures in folders, those of each in order, with the number of their folder."""
    return [
        (path, number) for number, folder in enumerate(folders) for path in sorted(folder.iterdir())
        if path.name.lower().endswith(endings)
    ]  # fmt: skip


def _folders(place: Path) -> list[Path]:
    return sorted(path for path in place.iterdir() if path.is_dir())


class Caltech256Dataset(_Gallery):
    """Caltech-256: `image` and `label` int32, the number of the picture's folder in order.

    Args:
        dataset_dir: folder of one folder per class (`001.ak47`), of `.jpg` files.
        num_samples: the most samples of an epoch; None for all.
        num_parallel_workers: threads that read (and decode) files.
        shuffle: random order or not; None for random.
        decode: give pictures as uint8 [H, W, 3] (needs Pillow), else the bytes of the files as uint8 [n].
        sampler: what chooses the samples, instead of `num_samples`, `shuffle` and shards.
        num_shards, shard_id: into how many parts the samples are divided, and which of them to read.
        cache: not available, leave it unset.
    Raises:
        NotADirectoryError: the folder is missing. ValueError: there are no pictures.
    """

    def __init__(
        self, dataset_dir: str | os.PathLike[str], num_samples: int | None = None,
        num_parallel_workers: int | None = None, shuffle: bool | Shuffle | None = None, decode: bool = False,
        sampler: Any = None, num_shards: int | None = None, shard_id: int | None = None, cache: None = None,
    ) -> None:  # fmt: skip
        folders = _folders(check_dir("Caltech256Dataset", dataset_dir))
        super().__init__(
            _in_folders(folders, (".jpg", ".jpeg")), num_samples, num_parallel_workers, shuffle, decode, sampler,
            num_shards, shard_id, cache, len(folders),
        )  # fmt: skip


class OmniglotDataset(_Gallery):
    """Omniglot, letters of fifty alphabets: `image` and `label` int32, the number of the letter, alphabet by alphabet.

    Args:
        dataset_dir: folder of `images_background` and `images_evaluation`, each of one folder per alphabet, of one
            folder per letter.
        background: the first of these; otherwise the second. None is the first.
        num_samples, num_parallel_workers, shuffle, decode, sampler, num_shards, shard_id, cache: as in
            `Caltech256Dataset`.
    """

    def __init__(
        self, dataset_dir: str | os.PathLike[str], background: bool | None = None, num_samples: int | None = None,
        num_parallel_workers: int | None = None, shuffle: bool | Shuffle | None = None, decode: bool = False,
        sampler: Any = None, num_shards: int | None = None, shard_id: int | None = None, cache: None = None,
    ) -> None:  # fmt: skip
        name = "OmniglotDataset"
        if background not in (True, False, None):
            raise TypeError(f"{name}: got background {background!r}, expected a bool")
        part = "images_evaluation" if background is False else "images_background"
        place = check_dir(name, check_dir(name, dataset_dir) / part)
        letters = [letter for alphabet in _folders(place) for letter in _folders(alphabet)]
        super().__init__(
            _in_folders(letters, (".png", ".jpg", ".jpeg")), num_samples, num_parallel_workers, shuffle, decode,
            sampler, num_shards, shard_id, cache, len(letters),
        )  # fmt: skip


class Food101Dataset(_Gallery):
    """Food-101: `image` and `label`, the name of the dish, in the order of the lists.

    Args:
        dataset_dir: folder of `images`, of one folder per dish, and of the lists `meta/train.txt` and `meta/test.txt`.
        usage: "train", "test", or "all" (as None).
        num_samples, num_parallel_workers, shuffle, decode, sampler, num_shards, shard_id, cache: as in
            `Caltech256Dataset`.
    Raises:
        NotADirectoryError, FileNotFoundError: the folder, or a list, is missing. ValueError: another usage.
    """

    def __init__(
        self, dataset_dir: str | os.PathLike[str], usage: str | None = None, num_samples: int | None = None,
        num_parallel_workers: int | None = None, shuffle: bool | Shuffle | None = None, decode: bool = False,
        sampler: Any = None, num_shards: int | None = None, shard_id: int | None = None, cache: None = None,
    ) -> None:  # fmt: skip
        name = "Food101Dataset"
        if usage not in ("train", "test", "all", None):
            raise ValueError(f"{name}: got usage {usage!r}, expected 'train', 'test', 'all' or None")
        folder = check_dir(name, dataset_dir)
        lists = [usage] if usage in ("train", "test") else ["train", "test"]
        entries = [e for part in lists for e in (folder / "meta" / f"{part}.txt").read_text("utf-8").split()]
        pictures = [(folder / "images" / f"{entry}.jpg", entry.partition("/")[0]) for entry in entries]
        super().__init__(
            pictures, num_samples, num_parallel_workers, shuffle, decode, sampler, num_shards, shard_id, cache, None
        )  # fmt: skip


class STL10Dataset(Dataset):
    """STL-10: `image` uint8 [96, 96, 3] and `label` int32, from 0, -1 for pictures without one.

    Args:
        dataset_dir: folder of `train_X.bin`, `train_y.bin`, `test_X.bin`, `test_y.bin` and `unlabeled_X.bin`.
        usage: "train", "test", "unlabeled", "train+unlabeled", or "all" (as None): test, train and unlabeled.
        num_samples, num_parallel_workers, shuffle, sampler, num_shards, shard_id, cache: as in `MnistDataset`.
    Raises:
        NotADirectoryError, FileNotFoundError: the folder, or a file, is missing.
        ValueError: another usage; a file is no whole number of pictures, or has other labels than 1 to 10.
    """

    _parts: ClassVar[dict[str | None, tuple[str, ...]]] = {
        "train": ("train",), "test": ("test",), "unlabeled": ("unlabeled",),
        "train+unlabeled": ("train", "unlabeled"), "all": ("test", "train", "unlabeled"),
        None: ("test", "train", "unlabeled"),
    }  # fmt: skip

    def __init__(
        self, dataset_dir: str | os.PathLike[str], usage: str | None = None, num_samples: int | None = None,
        num_parallel_workers: int | None = None, shuffle: bool | Shuffle | None = None, sampler: Any = None,
        num_shards: int | None = None, shard_id: int | None = None, cache: None = None,
    ) -> None:  # fmt: skip
        name = "STL10Dataset"
        check_unset(name, cache=cache)
        if usage not in self._parts:
            raise ValueError(f"{name}: got usage {usage!r}, expected one of {', '.join(map(repr, self._parts))}")
        check_workers(name, num_parallel_workers)
        chooses = select_sampler(name, num_samples, sampler, shuffle, num_shards, shard_id)
        folder = check_dir(name, dataset_dir)
        parts = [self._read(folder, part) for part in self._parts[usage]]
        columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
        super().__init__(TableSource(ArrayTable(columns), ["image", "label"], chooses), 10)

    @staticmethod
    def _read(folder: Path, part: str) -> tuple[np.ndarray, np.ndarray]:
        """The pictures of a part, which lie column by column, and their labels."""
        path = folder / f"{part}_X.bin"
        raw = np.fromfile(path, np.uint8)
        if raw.size % (3 * 96 * 96):
            raise DataFileError(f"{path}: got {raw.size} bytes, expected a whole number of pictures of 27648")
        images = np.ascontiguousarray(raw.reshape(-1, 3, 96, 96).transpose(0, 3, 2, 1))
        if part == "unlabeled":
            return images, np.full(len(images), -1, np.int32)
        labels = np.fromfile(folder / f"{part}_y.bin", np.uint8)
        if len(labels) != len(images) or (labels.size and not 1 <= labels.min() <= labels.max() <= 10):
            raise DataFileError(f"{folder / part}_y.bin: expected {len(images)} labels from 1 to 10")
        return images, labels.astype(np.int32) - 1
