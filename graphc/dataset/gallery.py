"""Pictures of one thing each: `Caltech256Dataset`, `Food101Dataset`, `OmniglotDataset`, `STL10Dataset`."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from graphc.dataset.blocks import Block
from graphc.dataset.check import check_choice
from graphc.dataset.files import DataFileError, check_dir
from graphc.dataset.reading import ReadAtOnce, Reading, ReadWhenAsked, image_reader
from graphc.dataset.samplers import Shuffle

__all__ = ["Caltech256Dataset", "Food101Dataset", "OmniglotDataset", "STL10Dataset"]


def _in_folders(folders: Sequence[Path], endings: tuple[str, ...]) -> tuple[list[Path], dict[str, Block]]:
    """The pictures in folders, those of each in order, and as their `label` the number of their folder."""
    found = [
        (path, number) for number, folder in enumerate(folders) for path in sorted(folder.iterdir())
        if path.name.lower().endswith(endings)
    ]  # fmt: skip
    return [path for path, _ in found], {"label": np.array([number for _, number in found], np.int32)}


def _folders(place: Path) -> list[Path]:
    return sorted(path for path in place.iterdir() if path.is_dir())


class Caltech256Dataset(ReadWhenAsked):
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
        name = "Caltech256Dataset"
        how = Reading.of(name, num_samples, num_parallel_workers, shuffle, sampler, num_shards, shard_id, cache)
        folders = _folders(check_dir(name, dataset_dir))
        pictures, labels = _in_folders(folders, (".jpg", ".jpeg"))
        super().__init__(pictures, image_reader(name, decode), ["image"], labels, how, len(folders))


class OmniglotDataset(ReadWhenAsked):
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
        how = Reading.of(name, num_samples, num_parallel_workers, shuffle, sampler, num_shards, shard_id, cache)
        if background not in (True, False, None):
            raise TypeError(f"{name}: got background {background!r}, expected a bool")
        part = "images_evaluation" if background is False else "images_background"
        place = check_dir(name, check_dir(name, dataset_dir) / part)
        letters = [letter for alphabet in _folders(place) for letter in _folders(alphabet)]
        pictures, labels = _in_folders(letters, (".png", ".jpg", ".jpeg"))
        super().__init__(pictures, image_reader(name, decode), ["image"], labels, how, len(letters))


class Food101Dataset(ReadWhenAsked):
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
        how = Reading.of(name, num_samples, num_parallel_workers, shuffle, sampler, num_shards, shard_id, cache)
        check_choice(name, "usage", usage, ("train", "test", "all", None))
        folder = check_dir(name, dataset_dir)
        lists = [usage] if usage in ("train", "test") else ["train", "test"]
        entries = [e for part in lists for e in (folder / "meta" / f"{part}.txt").read_text("utf-8").split()]
        pictures = [folder / "images" / f"{entry}.jpg" for entry in entries]
        dishes = np.array([entry.partition("/")[0] for entry in entries], np.str_)
        super().__init__(pictures, image_reader(name, decode), ["image"], {"label": dishes}, how)


class STL10Dataset(ReadAtOnce):
    """STL-10: `image` uint8 [96, 96, 3] and `label` int32, from 0, -1 for pictures without one.

    Args:
        dataset_dir: folder of `train_X.bin`, `train_y.bin`, `test_X.bin`, `test_y.bin` and `unlabeled_X.bin`.
        usage: "train", "test", "unlabeled", "train+unlabeled", or "all" (as None): test, train and unlabeled.
        num_samples, num_parallel_workers, shuffle, sampler, num_shards, shard_id, cache: as in `MnistDataset`.
    Raises:
        NotADirectoryError, FileNotFoundError: the folder, or a file, is missing.
        ValueError: another usage; a file is no whole number of pictures, or has other labels than 1 to 10.
    """

    _classes = 10
    _usages: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "train": ("train",), "test": ("test",), "unlabeled": ("unlabeled",),
        "train+unlabeled": ("train", "unlabeled"), "all": ("test", "train", "unlabeled"),
    }  # fmt: skip

    def _read(self, folder: Path, part: str) -> tuple[np.ndarray, np.ndarray]:
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
