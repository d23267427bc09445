"""Pictures with what is to be seen in them: `VOCDataset`, `CocoDataset`; and lists of pictures, `ManifestDataset`."""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np

from graphc.dataset.blocks import Block
from graphc.dataset.check import check_choice, check_int, check_unset
from graphc.dataset.files import DataFileError, check_dir, lines_of, words_of
from graphc.dataset.reading import Reading, ReadWhenAsked, each, image_reader
from graphc.dataset.samplers import Shuffle

__all__ = ["CocoDataset", "ManifestDataset", "VOCDataset"]


# PASCAL VOC


class VOCDataset(ReadWhenAsked):
    """PASCAL VOC.

    For "Segmentation" `image` and `target`, the picture of its segments; for "Detection" `image`, `bbox` float32
    [objects, 4] (left, top, width, height in pixels), `label`, `difficult` and `truncate`, each uint32 [objects, 1].

    Args:
        dataset_dir: folder of `JPEGImages`, `Annotations`, `SegmentationClass` and `ImageSets`.
        task: "Segmentation" or "Detection".
        usage: which list of `ImageSets/Segmentation` or `ImageSets/Main`: "train", "val", "trainval", "test", ...
        class_indexing: labels by class name, for "Detection": other objects are left out, and pictures without any.
            None: classes count from 0 in the order of their names.
        num_samples: the most samples of an epoch; None for all.
        num_parallel_workers: threads that read (and decode) files.
        shuffle: random order or not; None for random.
        decode: give pictures as uint8 [H, W, 3] (needs Pillow), else the bytes of the files as uint8 [n].
        sampler: what chooses the samples, instead of `num_samples`, `shuffle` and shards.
        num_shards, shard_id: into how many parts the samples are divided, and which of them to read.
        cache, decrypt, extra_metadata: not available, leave them unset.
    Raises:
        NotADirectoryError, FileNotFoundError: the folder, or a file in it, is missing.
        DataFileError: an annotation is not as it should be. ValueError: no picture is left.
    """

    def __init__(
        self, dataset_dir: str | os.PathLike[str], task: str = "Segmentation", usage: str = "train",
        class_indexing: Mapping[str, int] | None = None, num_samples: int | None = None,
        num_parallel_workers: int | None = None, shuffle: bool | Shuffle | None = None, decode: bool = False,
        sampler: Any = None, num_shards: int | None = None, shard_id: int | None = None, cache: None = None,
        extra_metadata: bool = False, decrypt: None = None,
    ) -> None:  # fmt: skip
        name = "VOCDataset"
        how = Reading.of(name, num_samples, num_parallel_workers, shuffle, sampler, num_shards, shard_id, cache)
        check_unset(name, decrypt=decrypt, extra_metadata=extra_metadata or None)
        check_choice(name, "task", task, ("Segmentation", "Detection"))
        if class_indexing is not None and task != "Detection":
            raise ValueError(f"{name}: class_indexing is for the task 'Detection', got {task!r}")
        image, folder = image_reader(name, decode), check_dir(name, dataset_dir)
        part = "Main" if task == "Detection" else "Segmentation"
        names = [words[0] for _, words in words_of(folder / "ImageSets" / part / f"{usage}.txt")]
        if task == "Segmentation":
            pairs = [(_picture(folder, n), folder / "SegmentationClass" / f"{n}.png") for n in names]
            super().__init__(pairs, each(image), ["image", "target"], {}, how)
            return
        objects = {n: _objects(folder / "Annotations" / f"{n}.xml") for n in names}
        found = sorted({kind for all_of in objects.values() for kind, _ in all_of})
        index = {kind: i for i, kind in enumerate(found)} if class_indexing is None else _indices(name, class_indexing)
        kept = {n: [(index[k], v) for k, v in all_of if k in index] for n, all_of in objects.items()}
        kept = {n: all_of for n, all_of in kept.items() if all_of}
        if not kept:
            raise ValueError(f"{name}: {folder} has no pictures with objects for usage {usage!r}")
        known: dict[str, Block] = {
            "bbox": [np.array([v[:4] for _, v in all_of], np.float32) for all_of in kept.values()],
            "label": [np.array([[i] for i, _ in all_of], np.uint32) for all_of in kept.values()],
            "difficult": [np.array([[v[4]] for _, v in all_of], np.uint32) for all_of in kept.values()],
            "truncate": [np.array([[v[5]] for _, v in all_of], np.uint32) for all_of in kept.values()],
        }
        super().__init__([_picture(folder, n) for n in kept], image, ["image"], known, how, class_indexing=index)


def _picture(folder: Path, name: str) -> Path:
    return folder / "JPEGImages" / f"{name}.jpg"


def _objects(path: Path) -> list[tuple[str, tuple[float, ...]]]:
    """The class of each object of a picture, its box, and whether it is difficult and truncated."""
    try:
        found = []
        for item in ElementTree.parse(path).getroot().iter("object"):
            corners = [float(item.findtext(f"bndbox/{corner}") or "?") for corner in ("xmin", "ymin", "xmax", "ymax")]
            left, top, right, bottom = corners
            flags = [int(item.findtext(flag) or 0) for flag in ("difficult", "truncated")]
            found.append((item.findtext("name") or "", (left, top, right - left, bottom - top, *flags)))
        return found
    except (ElementTree.ParseError, ValueError) as error:
        raise DataFileError(f"{path}: not an annotation of PASCAL VOC ({error})") from error


def _indices(name: str, given: Mapping[str, int]) -> dict[str, int]:
    return {kind: check_int(f"{name}: class_indexing of {kind!r}", label, 0) for kind, label in given.items()}


# COCO


def _boxes(marks: Sequence[Mapping[str, Any]]) -> np.ndarray:
    return np.array([m["bbox"] for m in marks], np.float32)


def _numbers(field: str) -> Callable[[Sequence[Mapping[str, Any]]], np.ndarray]:
    """A number of each mark, uint32 [marks, 1]."""
    return lambda marks: np.array([[m[field]] for m in marks], np.uint32)


def _filled(rows: Sequence[Sequence[float]]) -> np.ndarray:
    """Rows of different lengths, filled up with -1: float32 [rows, longest]."""
    made = np.full((len(rows), max(map(len, rows), default=0)), -1, np.float32)
    for filled, row in zip(made, rows, strict=True):
        filled[: len(row)] = row
    return made


def _polygons(marks: Sequence[Mapping[str, Any]]) -> np.ndarray:
    """The corners of all polygons, and of masks the lengths of their runs."""
    rows: list[Sequence[float]] = []
    for mark in marks:
        segments = mark["segmentation"]
        rows += [segments["counts"]] if isinstance(segments, Mapping) else segments
    return _filled(rows)


_TASKS: dict[str, dict[str, Callable[[Sequence[Mapping[str, Any]]], np.ndarray]]] = {
    "Detection": {"bbox": _boxes, "category_id": _numbers("category_id"), "iscrowd": _numbers("iscrowd")},
    "Stuff": {"segmentation": _polygons, "iscrowd": _numbers("iscrowd")},
    "Keypoint": {
        "keypoints": lambda marks: _filled([m["keypoints"] for m in marks]), "num_keypoints": _numbers("num_keypoints"),
    },
    "Panoptic": {
        "bbox": _boxes, "category_id": _numbers("category_id"), "iscrowd": _numbers("iscrowd"),
        "area": _numbers("area"),
    },
    "Captioning": {"captions": lambda marks: np.array([[m["caption"]] for m in marks], np.str_)},
}  # fmt: skip
"""For each task its columns, made of what the file has marked in a picture."""


class CocoDataset(ReadWhenAsked):
    """COCO: pictures that have something marked in them, in the order of the file: `image`, and by task

    - "Detection": `bbox` float32 [n, 4] (left, top, width, height), `category_id` and `iscrowd` uint32 [n, 1];
    - "Stuff": `segmentation` float32 [polygons, longest], filled up with -1, and `iscrowd`;
    - "Keypoint": `keypoints` float32 [n, 3 * points] and `num_keypoints` uint32 [n, 1];
    - "Panoptic": as "Detection", and `area` uint32 [n, 1];
    - "Captioning": `captions` [n, 1], strings.

    Args:
        dataset_dir: folder of the pictures.
        annotation_file: the JSON file of what is marked in them.
        task: one of the above.
        num_samples: the most samples of an epoch; None for all.
        num_parallel_workers: threads that read (and decode) files.
        shuffle: random order or not; None for random.
        decode: give pictures as uint8 [H, W, 3] (needs Pillow), else the bytes of the files as uint8 [n].
        sampler: what chooses the samples, instead of `num_samples`, `shuffle` and shards.
        num_shards, shard_id: into how many parts the samples are divided, and which of them to read.
        cache, decrypt, extra_metadata: not available, leave them unset.
    Raises:
        NotADirectoryError, FileNotFoundError: the folder or the file is missing.
        DataFileError: the file is not as it should be. ValueError: another task, or no picture has a mark.
    """

    def __init__(
        self, dataset_dir: str | os.PathLike[str], annotation_file: str | os.PathLike[str], task: str = "Detection",
        num_samples: int | None = None, num_parallel_workers: int | None = None,
        shuffle: bool | Shuffle | None = None, decode: bool = False, sampler: Any = None,
        num_shards: int | None = None, shard_id: int | None = None, cache: None = None,
        extra_metadata: bool = False, decrypt: None = None,
    ) -> None:  # fmt: skip
        name = "CocoDataset"
        how = Reading.of(name, num_samples, num_parallel_workers, shuffle, sampler, num_shards, shard_id, cache)
        check_unset(name, decrypt=decrypt, extra_metadata=extra_metadata or None)
        check_choice(name, "task", task, tuple(_TASKS))
        image, folder = image_reader(name, decode), check_dir(name, dataset_dir)
        path = Path(annotation_file)
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            marked = _marks(content, task)
            known: dict[str, Block] = {
                column: [make(marks) for marks in marked.values()] for column, make in _TASKS[task].items()
            }
            classes = _categories(content, task)
        except (ValueError, LookupError, TypeError) as error:
            expected = f"what COCO's files have for {task!r}"
            raise DataFileError(f"{path}: not {expected} ({type(error).__name__}: {error})") from error
        if not marked:
            raise ValueError(f"{name}: {path} marks nothing in any picture")
        super().__init__([folder / file for file in marked], image, ["image"], known, how, class_indexing=classes)


def _marks(content: Mapping[str, Any], task: str) -> dict[str, list[Mapping[str, Any]]]:
    """By the name of each picture's file what is marked in it, if anything is."""
    of_image: dict[Any, list[Mapping[str, Any]]] = {}
    for mark in content["annotations"]:
        of_image.setdefault(mark["image_id"], []).extend(mark["segments_info"] if task == "Panoptic" else [mark])
    images = content["images"]
    return {image["file_name"]: of_image[image["id"]] for image in images if of_image.get(image["id"])}


def _categories(content: Mapping[str, Any], task: str) -> dict[str, Any]:
    """For tasks with categories the numbers of each: its id, and for "Panoptic" whether it is a thing."""
    if task not in ("Detection", "Panoptic"):
        return {}
    fields = ("id", "isthing") if task == "Panoptic" else ("id",)
    return {category["name"]: [category[field] for field in fields] for category in content["categories"]}


# Lists of pictures


class ManifestDataset(ReadWhenAsked):
    """Pictures that a file lists, a JSON object in each line: `image` and `label` int32.

        {"source": "0.jpg", "usage": "train", "annotation": [{"type": ".../image_classification", "name": "cat"}]}

    Args:
        dataset_file: the list.
        usage: "train", "eval" or "inference": lines of another usage are left out.
        num_samples: the most samples of an epoch; None for all.
        num_parallel_workers: threads that read (and decode) files.
        shuffle: random order or not; None for random.
        sampler: what chooses the samples, instead of `num_samples`, `shuffle` and shards.
        class_indexing: labels by class name; lines of other classes are left out. None: classes count from 0 in the
            order of their names.
        decode: give pictures as uint8 [H, W, 3] (needs Pillow), else the bytes of the files as uint8 [n].
        num_shards, shard_id: into how many parts the samples are divided, and which of them to read.
        cache: not available, leave it unset.
    Raises:
        FileNotFoundError: the list is missing. DataFileError: it is not as it should be.
        ValueError: another usage, or no picture is left.
    """

    def __init__(
        self, dataset_file: str | os.PathLike[str], usage: str = "train", num_samples: int | None = None,
        num_parallel_workers: int | None = None, shuffle: bool | Shuffle | None = None, sampler: Any = None,
        class_indexing: Mapping[str, int] | None = None, decode: bool = False, num_shards: int | None = None,
        shard_id: int | None = None, cache: None = None,
    ) -> None:  # fmt: skip
        name = "ManifestDataset"
        how = Reading.of(name, num_samples, num_parallel_workers, shuffle, sampler, num_shards, shard_id, cache)
        check_choice(name, "usage", usage, ("train", "eval", "inference"))
        listed = _manifest(Path(dataset_file), usage)
        kinds = sorted({kind for _, kind in listed})
        index = {kind: i for i, kind in enumerate(kinds)} if class_indexing is None else _indices(name, class_indexing)
        kept = [(path, index[kind]) for path, kind in listed if kind in index]
        if not kept:
            raise ValueError(f"{name}: {dataset_file} lists no pictures for usage {usage!r}")
        labels = np.array([label for _, label in kept], np.int32)
        super().__init__(
            [path for path, _ in kept], image_reader(name, decode), ["image"], {"label": labels}, how, len(index), index
        )


def _manifest(path: Path, usage: str) -> list[tuple[Path, str]]:
    """The pictures of a list and their classes."""
    found = []
    for number, line in lines_of(path):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
            if entry["usage"] == usage:
                found.append((Path(entry["source"]), entry["annotation"][0]["name"]))
        except (ValueError, LookupError, TypeError) as error:
            why = f"{type(error).__name__}: {error}"
            raise DataFileError(f"{path}:{number}: not a line of a manifest ({why})") from error
    return found


