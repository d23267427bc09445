"""Pictures of one thing each: `Caltech101Dataset`, `Caltech256Dataset`, `Flowers102Dataset`, `Food101Dataset`,
`OmniglotDataset`, `RenderedSST2Dataset`, `STL10Dataset`."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from graphc.dataset.blocks import Block
from graphc.dataset.check import check_choice
from graphc.dataset.files import DataFileError, check_dir
from graphc.dataset.matlab import read_matlab
from graphc.dataset.reading import ReadAtOnce, Reading, ReadWhenAsked, each, image_reader, in_folders
from graphc.dataset.samplers import Shuffle
from graphc.dataset.tables import Sample

__all__ = [
    "Caltech101Dataset", "Caltech256Dataset", "Flowers102Dataset", "Food101Dataset", "OmniglotDataset",
    "RenderedSST2Dataset", "STL10Dataset",
]  # fmt: skip


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
        pictures, labels = in_folders(folders, (".jpg", ".jpeg"), np.int32)
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
        pictures, labels = in_folders(letters, (".png", ".jpg", ".jpeg"), np.int32)
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


class RenderedSST2Dataset(ReadWhenAsked):
    """Rendered SST-2, pictures of sentences: `image` and `label` uint32, 0 for negative and 1 for positive ones.

    Args:
        dataset_dir: folder of `train`, `test` and `valid`, each of `negative` and `positive`, of pictures.
        usage: "train", "test", "val", or "all" (as None).
        num_samples, num_parallel_workers, shuffle, decode, sampler, num_shards, shard_id, cache: as in
            `Caltech256Dataset`.
    Raises:
        NotADirectoryError: a folder is missing. ValueError: another usage; there are no pictures.
    """

    def __init__(
        self, dataset_dir: str | os.PathLike[str], usage: str | None = None, num_samples: int | None = None,
        num_parallel_workers: int | None = None, shuffle: bool | Shuffle | None = None, decode: bool = False,
        sampler: Any = None, num_shards: int | None = None, shard_id: int | None = None, cache: None = None,
    ) -> None:  # fmt: skip
        name = "RenderedSST2Dataset"
        how = Reading.of(name, num_samples, num_parallel_workers, shuffle, sampler, num_shards, shard_id, cache)
        usage = check_choice(name, "usage", usage, ("train", "test", "val", "all", None))
        parts = {"train": ["train"], "test": ["test"], "val": ["valid"]}.get(usage or "all", ["test", "train", "valid"])
        image, place = image_reader(name, decode), check_dir(name, dataset_dir)
        folders = [check_dir(name, place / part / kind) for part in parts for kind in ("negative", "positive")]
        pictures, labels = in_folders(folders, (".png", ".jpg", ".jpeg"), np.uint32)
        super().__init__(pictures, image, ["image"], {"label": np.asarray(labels["label"]) % 2}, how, 2)


class Flowers102Dataset(ReadWhenAsked):
    """Flowers of 102 kinds: `image`, for "Segmentation" `segmentation`, and `label` uint32, from 0.

    Args:
        dataset_dir: folder of `imagelabels.mat`, `setid.mat`, `jpg` and `segmim`.
        task: "Classification" or "Segmentation".
        usage: "train", "valid", "test", or "all": train, test and valid.
        num_samples, num_parallel_workers, shuffle, decode, sampler, num_shards, shard_id: as in `Caltech256Dataset`.
    Raises:
        NotADirectoryError, FileNotFoundError: the folder, or a file, is missing.
        DataFileError: a list is not as it should be. ValueError: another task or usage.
    """

    def __init__(
        self, dataset_dir: str | os.PathLike[str], task: str = "Classification", usage: str = "all",
        num_samples: int | None = None, num_parallel_workers: int = 1, shuffle: bool | Shuffle | None = None,
        decode: bool = False, sampler: Any = None, num_shards: int | None = None, shard_id: int | None = None,
    ) -> None:  # fmt: skip
        name = "Flowers102Dataset"
        how = Reading.of(name, num_samples, num_parallel_workers, shuffle, sampler, num_shards, shard_id, None)
        check_choice(name, "task", task, ("Classification", "Segmentation"))
        lists = {"train": ["trnid"], "valid": ["valid"], "test": ["tstid"], "all": ["trnid", "tstid", "valid"]}
        wanted = lists[check_choice(name, "usage", usage, tuple(lists))]
        image, folder = image_reader(name, decode), check_dir(name, dataset_dir)
        labels = _listed(folder / "imagelabels.mat", "labels") - 1
        numbers = np.concatenate([_listed(folder / "setid.mat", part) for part in wanted])
        if numbers.size and not 1 <= numbers.min() <= numbers.max() <= labels.size:
            raise DataFileError(f"{folder / 'setid.mat'}: expected pictures from 1 to {labels.size}")
        folders = {"image": ("jpg", "image"), "segmentation": ("segmim", "segmim")}
        columns = ["image"] if task == "Classification" else ["image", "segmentation"]
        paths = [
            [folder / folders[c][0] / f"{folders[c][1]}_{number:05d}.jpg" for c in columns] for number in numbers
        ]
        known: dict[str, Block] = {"label": labels[numbers - 1].astype(np.uint32)}
        super().__init__(paths, each(image), columns, known, how, 102)


def _listed(path: Path, name: str) -> np.ndarray:
    """The whole numbers that a file lists under a name."""
    found = read_matlab(path).get(name)
    if found is None:
        raise DataFileError(f"{path}: there are no {name!r}")
    return found.reshape(-1).astype(np.int64)


_OTHER_FOLDERS = {
    "Faces": "Faces_2", "Faces_easy": "Faces_3", "Motorbikes": "Motorbikes_16", "airplanes": "Airplanes_Side_2",
}  # fmt: skip
"""Classes of Caltech-101 whose outlines lie under another name."""


class Caltech101Dataset(ReadWhenAsked):
    """Caltech-101: `image`, `category` uint32 (its class, by name), and `annotation` float64 [2, points], its outline.

    Args:
        dataset_dir: folder of `101_ObjectCategories` and, for outlines, `Annotations`.
        target_type: "category" (as None), "annotation", or "all": both.
        num_samples, num_parallel_workers, shuffle, decode, sampler, num_shards, shard_id: as in `Caltech256Dataset`.
    Raises:
        NotADirectoryError, FileNotFoundError: the folder, or an outline, is missing.
        ValueError: another target; there are no pictures.
    """

    def __init__(
        self, dataset_dir: str | os.PathLike[str], target_type: str | None = None, num_samples: int | None = None,
        num_parallel_workers: int = 1, shuffle: bool | Shuffle | None = None, decode: bool = False,
        sampler: Any = None, num_shards: int | None = None, shard_id: int | None = None,
    ) -> None:  # fmt: skip
        name = "Caltech101Dataset"
        how = Reading.of(name, num_samples, num_parallel_workers, shuffle, sampler, num_shards, shard_id, None)
        check_choice(name, "target_type", target_type, ("category", "annotation", "all", None))
        image, folder = image_reader(name, decode), check_dir(name, dataset_dir)
        kinds = [k for k in _folders(check_dir(name, folder / "101_ObjectCategories")) if k.name != "BACKGROUND_Google"]
        pictures, labels = in_folders(kinds, (".jpg",), np.uint32)
        category = np.asarray(labels["label"])
        known: dict[str, Block] = {} if target_type == "annotation" else {"category": category}
        if target_type in ("category", None):
            super().__init__(pictures, image, ["image"], known, how, len(kinds))
            return
        outlines = [
            folder / "Annotations" / _OTHER_FOLDERS.get(p.parent.name, p.parent.name)
            / f"annotation_{p.stem.removeprefix('image_')}.mat" for p in pictures
        ]  # fmt: skip

        def read(sample: tuple[Path, Path, int]) -> Sample:
            outline = read_matlab(sample[1]).get("obj_contour")
            if outline is None:
                raise DataFileError(f"{sample[1]}: there is no 'obj_contour'")
            own = () if target_type == "annotation" else (np.array(sample[2], np.uint32),)
            return (*image(sample[0]), *own, outline)

        columns = ["image", "annotation"] if target_type == "annotation" else ["image", "category", "annotation"]
        samples = list(zip(pictures, outlines, category.tolist(), strict=True))
        super().__init__(samples, read, columns, {}, how, len(kinds))


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
