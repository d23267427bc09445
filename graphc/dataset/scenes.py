"""Pictures of places and streets: `SUN397Dataset`, `Places365Dataset`, `LSUNDataset`, `CityscapesDataset`,
`KITTIDataset`; and of any thing in two resolutions, `DIV2KDataset`.

Labels and the order of samples are MindSpore's.
"""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from graphc.dataset.blocks import Block
from graphc.dataset.check import check_choice, check_int
from graphc.dataset.files import DataFileError, check_dir, words_of
from graphc.dataset.reading import Reading, ReadWhenAsked, each, image_reader, in_folders
from graphc.dataset.samplers import Shuffle
from graphc.dataset.tables import Sample

__all__ = [
    "CityscapesDataset", "DIV2KDataset", "KITTIDataset", "LSUNDataset", "Places365Dataset", "SUN397Dataset",
]  # fmt: skip


class SUN397Dataset(ReadWhenAsked):
    """SUN397, scenes: `image` and `label` uint32, the line of the scene in `ClassName.txt`.

    Args:
        dataset_dir: folder of `ClassName.txt`, each of whose lines is a folder in it (`/a/abbey`), of `.jpg` files.
        num_samples: the most samples of an epoch; None for all.
        num_parallel_workers: threads that read (and decode) files.
        shuffle: random order or not; None for random.
        decode: give pictures as uint8 [H, W, 3] (needs Pillow), else the bytes of the files as uint8 [n].
        sampler: what chooses the samples, instead of `num_samples`, `shuffle` and shards.
        num_shards, shard_id: into how many parts the samples are divided, and which of them to read.
        cache: not available, leave it unset.
    Raises:
        NotADirectoryError, FileNotFoundError: the folder, or the list, is missing. ValueError: there are no pictures.
    """

    def __init__(
        self, dataset_dir: str | os.PathLike[str], num_samples: int | None = None,
        num_parallel_workers: int | None = None, shuffle: bool | Shuffle | None = None, decode: bool = False,
        sampler: Any = None, num_shards: int | None = None, shard_id: int | None = None, cache: None = None,
    ) -> None:  # fmt: skip
        name = "SUN397Dataset"
        how = Reading.of(name, num_samples, num_parallel_workers, shuffle, sampler, num_shards, shard_id, cache)
        image, folder = image_reader(name, decode), check_dir(name, dataset_dir)
        classes = [folder / words[0].lstrip("/") for _, words in words_of(folder / "ClassName.txt")]
        pictures, labels = in_folders(classes, (".jpg",), np.uint32)
        super().__init__(pictures, image, ["image"], labels, how, len(classes))


class Places365Dataset(ReadWhenAsked):
    """Places365, scenes: `image` and `label` uint32, as the lists have it.

    Args:
        dataset_dir: folder of the lists `places365_train_standard.txt`, `places365_train_challenge.txt` and
            `places365_val.txt`, and of the folders of pictures `data_256_standard`, `data_large_standard`, ...,
            `val_256` and `val_large`.
        usage: "train-standard" (as None), "train-challenge" or "val".
        small: the pictures of 256 x 256 pixels rather than the large ones.
        decode, num_samples, num_parallel_workers, shuffle, sampler, num_shards, shard_id, cache: as in
            `SUN397Dataset`.
    Raises:
        NotADirectoryError, FileNotFoundError: the folder, or the list, is missing.
        DataFileError: the list is not as it should be. ValueError: another usage; there are no pictures.
    """

    def __init__(
        self, dataset_dir: str | os.PathLike[str], usage: str | None = None, small: bool = True,
        decode: bool = False, num_samples: int | None = None, num_parallel_workers: int | None = None,
        shuffle: bool | Shuffle | None = None, sampler: Any = None, num_shards: int | None = None,
        shard_id: int | None = None, cache: None = None,
    ) -> None:  # fmt: skip
        name = "Places365Dataset"
        how = Reading.of(name, num_samples, num_parallel_workers, shuffle, sampler, num_shards, shard_id, cache)
        usage = check_choice(name, "usage", usage, ("train-standard", "train-challenge", "val", None))
        if not isinstance(small, bool):
            raise TypeError(f"{name}: got small {small!r}, expected a bool")
        image, folder = image_reader(name, decode), check_dir(name, dataset_dir)
        kind, size = (usage or "train-standard").removeprefix("train-"), "256" if small else "large"
        path = folder / ("places365_val.txt" if kind == "val" else f"places365_train_{kind}.txt")
        pictures = folder / (f"val_{size}" if kind == "val" else f"data_{size}_{kind}")
        rows = words_of(path)
        for number, row in rows:
            if len(row) != 2 or not row[1].isdecimal():
                raise DataFileError(f"{path}:{number}: expected a picture and its label, got {' '.join(row)!r}")
        labels = np.array([int(row[1]) for _, row in rows], np.uint32)
        super().__init__([pictures / row[0].lstrip("/") for _, row in rows], image, ["image"], {"label": labels}, how)


_ROOMS = (
    "bedroom", "bridge", "church_outdoor", "classroom", "conference_room", "dining_room", "kitchen", "living_room",
    "restaurant", "tower",
)  # fmt: skip


class LSUNDataset(ReadWhenAsked):
    """LSUN, rooms and buildings: `image` and `label` uint32, the number of its folder among those that are read.

    Args:
        dataset_dir: folder of `bedroom_train`, `bedroom_val`, ... and `test`, of `.jpg` files.
        usage: "train", "valid", "test", or "all" (as None): train and valid.
        classes: the classes that are read; None for all.
        num_samples, num_parallel_workers, shuffle, decode, sampler, num_shards, shard_id, cache: as in
            `SUN397Dataset`.
    Raises:
        NotADirectoryError: the folder is missing. ValueError: another usage or class; there are no pictures.
    """

    def __init__(
        self, dataset_dir: str | os.PathLike[str], usage: str | None = None,
        classes: str | Sequence[str] | None = None, num_samples: int | None = None,
        num_parallel_workers: int | None = None, shuffle: bool | Shuffle | None = None, decode: bool = False,
        sampler: Any = None, num_shards: int | None = None, shard_id: int | None = None, cache: None = None,
    ) -> None:  # fmt: skip
        name = "LSUNDataset"
        how = Reading.of(name, num_samples, num_parallel_workers, shuffle, sampler, num_shards, shard_id, cache)
        usage = check_choice(name, "usage", usage, ("train", "test", "valid", "all", None))
        wanted = (classes,) if isinstance(classes, str) else tuple(classes or _ROOMS)
        for kind in wanted:
            check_choice(name, "class", kind, _ROOMS)
        image, folder = image_reader(name, decode), check_dir(name, dataset_dir)
        parts = {"train": ("train",), "valid": ("val",)}.get(usage or "all", ("train", "val"))
        names = ["test"] if usage == "test" else sorted(f"{kind}_{part}" for kind in wanted for part in parts)
        folders = [folder / n for n in names if (folder / n).is_dir()]
        pictures, labels = in_folders(folders, (".jpg",), np.uint32)
        super().__init__(pictures, image, ["image"], labels, how, len(folders))


# Streets

_TASKS = {"instance": "instanceIds", "semantic": "labelIds", "polygon": "polygons", "color": "color"}


class CityscapesDataset(ReadWhenAsked):
    """Cityscapes, streets and what is to be seen in them: `image` and `task`, a picture or, for polygons, JSON text.

    Args:
        dataset_dir: folder of `leftImg8bit`, and of `gtFine` or `gtCoarse`, each of a folder per usage, of a folder
            per city.
        usage: "train", "test", "val" or "all" for the fine annotations; "train", "train_extra", "val" or "all" for the
            coarse ones.
        quality_mode: "fine" or "coarse".
        task: "instance", "semantic", "polygon" or "color".
        num_samples, num_parallel_workers, shuffle, decode, sampler, num_shards, shard_id, cache: as in
            `SUN397Dataset`; `decode` is of both pictures.
    Raises:
        NotADirectoryError, FileNotFoundError: a folder, or an annotation, is missing.
        ValueError: another usage, quality or task; there are no pictures.
    """

    def __init__(
        self, dataset_dir: str | os.PathLike[str], usage: str = "train", quality_mode: str = "fine",
        task: str = "instance", num_samples: int | None = None, num_parallel_workers: int | None = None,
        shuffle: bool | Shuffle | None = None, decode: bool | None = None, sampler: Any = None,
        num_shards: int | None = None, shard_id: int | None = None, cache: None = None,
    ) -> None:  # fmt: skip
        name = "CityscapesDataset"
        how = Reading.of(name, num_samples, num_parallel_workers, shuffle, sampler, num_shards, shard_id, cache)
        kind = _TASKS[check_choice(name, "task", task, tuple(_TASKS))]
        usages = {"fine": ("train", "test", "val"), "coarse": ("train", "train_extra", "val")}
        parts = usages[check_choice(name, "quality_mode", quality_mode, tuple(usages))]
        check_choice(name, "usage", usage, (*parts, "all"))
        image, folder = image_reader(name, bool(decode)), check_dir(name, dataset_dir)
        target = f"gt{quality_mode.title()}"
        ending = f"_{target}_{kind}.{'json' if task == 'polygon' else 'png'}"
        pairs = []
        for part in parts if usage == "all" else (usage,):
            pictures = check_dir(name, folder / "leftImg8bit" / part)
            for path in sorted(pictures.glob("*/*_leftImg8bit.png")):
                city = folder / target / part / path.parent.name
                pairs.append((path, city / f"{path.name.removesuffix('_leftImg8bit.png')}{ending}"))

        def with_polygons(pair: tuple[Path, Path]) -> Sample:
            return (*image(pair[0]), np.array(_compact(pair[1])))

        super().__init__(pairs, with_polygons if task == "polygon" else each(image), ["image", "task"], {}, how)


def _compact(path: Path) -> str:
    """A file of JSON, without spaces."""
    try:
        return json.dumps(json.loads(path.read_text(encoding="utf-8")), separators=(",", ":"), ensure_ascii=False)
    except ValueError as error:
        raise DataFileError(f"{path}: not JSON ({error})") from error


_FIELDS: dict[str, tuple[slice, Any]] = {
    "truncated": (slice(1, 2), np.float32), "occluded": (slice(2, 3), np.uint32), "alpha": (slice(3, 4), np.float32),
    "bbox": (slice(4, 8), np.float32), "dimensions": (slice(8, 11), np.float32),
    "location": (slice(11, 14), np.float32), "rotation_y": (slice(14, 15), np.float32),
}  # fmt: skip
"""The columns of KITTI after the label: which words of an object's line they are."""


class KITTIDataset(ReadWhenAsked):
    """KITTI, streets and the objects in them: `image`, and of each object a row of `label` uint32 [objects, 1] (the
    class, by name among those that occur), `truncated` float32, `occluded` uint32 (-1 wraps), `alpha` float32, each
    [objects, 1], `bbox` float32 [objects, 4] (left, top, right, bottom), `dimensions` and `location` float32
    [objects, 3], `rotation_y` float32 [objects, 1].

    Args:
        dataset_dir: folder of `data_object_image_2` and `data_object_label_2`.
        usage: "train" (as None), or "test", which has `image` alone.
        num_samples, num_parallel_workers, shuffle, decode, sampler, num_shards, shard_id, cache: as in
            `SUN397Dataset`.
    Raises:
        NotADirectoryError, FileNotFoundError: a folder, or an annotation, is missing.
        DataFileError: an annotation is not as it should be. ValueError: another usage; there are no pictures.
    """

    def __init__(
        self, dataset_dir: str | os.PathLike[str], usage: str | None = None, num_samples: int | None = None,
        num_parallel_workers: int | None = None, shuffle: bool | Shuffle | None = None, decode: bool = False,
        sampler: Any = None, num_shards: int | None = None, shard_id: int | None = None, cache: None = None,
    ) -> None:  # fmt: skip
        name = "KITTIDataset"
        how = Reading.of(name, num_samples, num_parallel_workers, shuffle, sampler, num_shards, shard_id, cache)
        part = "testing" if check_choice(name, "usage", usage, ("train", "test", None)) == "test" else "training"
        image, folder = image_reader(name, decode), check_dir(name, dataset_dir)
        place = check_dir(name, folder / "data_object_image_2" / part / "image_2")
        pictures = sorted(path for path in place.iterdir() if path.is_file())
        if part == "testing":
            super().__init__(pictures, image, ["image"], {}, how)
            return
        labels = folder / "data_object_label_2" / part / "label_2"
        objects = [_objects(labels / f"{path.stem}.txt") for path in pictures]
        kinds = {kind: i for i, kind in enumerate(sorted({row[0] for rows in objects for row in rows}))}
        known: dict[str, Block] = {
            "label": [np.array([[kinds[row[0]]] for row in rows], np.uint32).reshape(-1, 1) for rows in objects]
        }
        for column, (words, dtype) in _FIELDS.items():
            known[column] = [_numbers([row[words] for row in rows], words, dtype) for rows in objects]
        super().__init__(pictures, image, ["image"], known, how)


def _objects(path: Path) -> list[list[str]]:
    rows = words_of(path)
    for number, row in rows:
        try:
            [float(word) for word in row[1:]]
            if len(row) != 15:
                raise ValueError(f"{len(row)} words")
        except ValueError as error:
            raise DataFileError(f"{path}:{number}: expected a class and 14 numbers ({error})") from None
    return [row for _, row in rows]


def _numbers(words: list[list[str]], place: slice, dtype: Any) -> np.ndarray:
    wide = np.array(words, np.float64).reshape(-1, place.stop - place.start)
    return wide.astype(np.int64).astype(dtype) if dtype is np.uint32 else wide.astype(dtype)


# Two resolutions


class DIV2KDataset(ReadWhenAsked):
    """DIV2K, pictures in two resolutions: `hr_image` and `lr_image`.

    Args:
        dataset_dir: folder of `DIV2K_train_HR`, `DIV2K_train_LR_bicubic/X2`, ..., `DIV2K_train_LR_x8`, ..., and of the
            like for valid.
        usage: "train", "valid" or "all".
        downgrade: how pictures were made smaller: "bicubic", "unknown", "mild", "difficult" or "wild".
        scale: by how much: 2, 3, 4, or with "bicubic" 8; 4 with "mild", "difficult" and "wild".
        num_samples, num_parallel_workers, shuffle, decode, sampler, num_shards, shard_id, cache: as in
            `SUN397Dataset`; `decode` is of both pictures.
    Raises:
        NotADirectoryError: a folder is missing. FileNotFoundError: a smaller picture is missing, when it is read.
        ValueError: another usage, downgrade or scale; there are no pictures.
    """

    def __init__(
        self, dataset_dir: str | os.PathLike[str], usage: str = "train", downgrade: str = "bicubic", scale: int = 2,
        num_samples: int | None = None, num_parallel_workers: int | None = None,
        shuffle: bool | Shuffle | None = None, decode: bool | None = None, sampler: Any = None,
        num_shards: int | None = None, shard_id: int | None = None, cache: None = None,
    ) -> None:  # fmt: skip
        name = "DIV2KDataset"
        how = Reading.of(name, num_samples, num_parallel_workers, shuffle, sampler, num_shards, shard_id, cache)
        check_choice(name, "usage", usage, ("train", "valid", "all"))
        scales = {"bicubic": (2, 3, 4, 8), "unknown": (2, 3, 4), "mild": (4,), "difficult": (4,), "wild": (4,)}
        allowed = scales[check_choice(name, "downgrade", downgrade, tuple(scales))]
        if check_int(f"{name}: scale", scale, 2) not in allowed:
            raise ValueError(f"{name}: got scale {scale} with {downgrade!r}, expected one of {allowed}")
        image, folder = image_reader(name, bool(decode)), check_dir(name, dataset_dir)
        apart = len(allowed) > 1 and scale != 8  # each scale has a folder of its own
        below = f"{downgrade}/X{scale}" if apart else "x8" if scale == 8 else downgrade
        ending = f"x{scale}{'' if len(allowed) > 1 else downgrade[0]}.png"
        pairs = []
        for part in ("train", "valid") if usage == "all" else (usage,):
            smaller = check_dir(name, folder / f"DIV2K_{part}_LR_{below}")
            for path in sorted(check_dir(name, folder / f"DIV2K_{part}_HR").glob("*.png")):
                pairs.append((path, smaller / f"{path.stem}{ending}"))
        super().__init__(pairs, each(image), ["hr_image", "lr_image"], {}, how)
