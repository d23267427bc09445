"""Faces: `CelebADataset`, `LFWDataset`, `WIDERFaceDataset`."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from graphc.dataset.blocks import Block
from graphc.dataset.check import check_choice, check_unset
from graphc.dataset.files import DataFileError, check_dir, lines_of, words_of
from graphc.dataset.reading import Reading, ReadWhenAsked, each, image_reader
from graphc.dataset.samplers import Shuffle

__all__ = ["CelebADataset", "LFWDataset", "WIDERFaceDataset"]

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


_FUNNELS = {"original": "lfw", "funneled": "lfw_funneled", "deepfunneled": "lfw-deepfunneled"}
_LISTS = {"train": "DevTrain", "test": "DevTest", "10fold": ""}


class LFWDataset(ReadWhenAsked):
    """Labeled Faces in the Wild: `image` and `label` uint32, the line of the person in `lfw-names.txt`; for "pairs"
    `image1`, `image2` and `label` uint32, 1 if both are of one person.

    Args:
        dataset_dir: folder of `lfw`, `lfw_funneled` or `lfw-deepfunneled`, each of a folder per person, and of the
            lists `lfw-names.txt`, `peopleDevTrain.txt`, `pairsDevTrain.txt`, ...
        task: "people" (as None) or "pairs".
        usage: "train", "test", "10fold" (`people.txt`, `pairs.txt`), or "all" (as None): train and test.
        image_set: "original", "funneled" (as None) or "deepfunneled".
        num_samples, num_parallel_workers, shuffle, decode, sampler, num_shards, shard_id, cache: as in `CelebADataset`.
    Raises:
        NotADirectoryError, FileNotFoundError: the folder, or a list, is missing.
        DataFileError: a list is not as it should be. ValueError: another task, usage or image set.
    """

    def __init__(
        self, dataset_dir: str | os.PathLike[str], task: str | None = None, usage: str | None = None,
        image_set: str | None = None, num_samples: int | None = None, num_parallel_workers: int | None = None,
        shuffle: bool | Shuffle | None = None, decode: bool = False, sampler: Any = None,
        num_shards: int | None = None, shard_id: int | None = None, cache: None = None,
    ) -> None:  # fmt: skip
        name = "LFWDataset"
        how = Reading.of(name, num_samples, num_parallel_workers, shuffle, sampler, num_shards, shard_id, cache)
        task = check_choice(name, "task", task, ("people", "pairs", None)) or "people"
        check_choice(name, "usage", usage, ("10fold", "train", "test", "all", None))
        funnel = _FUNNELS[check_choice(name, "image_set", image_set, (*_FUNNELS, None)) or "funneled"]
        image, folder = image_reader(name, decode), check_dir(name, dataset_dir)
        lists = [folder / f"{task}{_LISTS[part]}.txt" for part in ([usage] if usage in _LISTS else ["train", "test"])]
        entries = [entry for path in lists for entry in _entries(path, (3, 4) if task == "pairs" else (2,))]

        def picture(person: str, number: str | int) -> Path:
            return folder / funnel / person / f"{person}_{int(number):04d}.jpg"

        if task == "people":
            people = {row[0]: i for i, row in enumerate(_entries(folder / "lfw-names.txt", (2,)))}
            found = [(picture(who, n), people[who]) for who, count in entries for n in range(1, int(count) + 1)]
            labels = np.array([label for _, label in found], np.uint32)
            super().__init__([path for path, _ in found], image, ["image"], {"label": labels}, how)
            return
        pairs = [(picture(row[0], row[1]), picture(row[-2] if len(row) == 4 else row[0], row[-1])) for row in entries]
        same = np.array([len(row) == 3 for row in entries], np.uint32)
        super().__init__(pairs, each(image), ["image1", "image2"], {"label": same}, how)


def _entries(path: Path, counts: tuple[int, ...]) -> list[list[str]]:
    """The lines of a list that have so many words, the others of which only say how many follow."""
    found = []
    for number, words in words_of(path):
        if len(words) in counts and all(word.isdecimal() for word in words[-1:]):
            found.append(words)
        elif not all(word.isdecimal() for word in words):
            got = " ".join(words)
            raise DataFileError(f"{path}:{number}: expected people and numbers of their pictures, got {got!r}")
    return found


_MARKS = ("blur", "expression", "illumination", "occlusion", "pose", "invalid")


class WIDERFaceDataset(ReadWhenAsked):
    """WIDER FACE: `image`, and of its faces `bbox` int32 [faces, 4] (left, top, width, height) and `blur`,
    `expression`, `illumination`, `occlusion`, `pose`, `invalid`, each int32 [faces].

    Args:
        dataset_dir: folder of `WIDER_train/images`, `WIDER_val/images`, `WIDER_test/images`, each of a folder per
            event, and of `wider_face_split/wider_face_train_bbx_gt.txt` and the like.
        usage: "train", "valid", "all" (as None): train and valid; or "test", which has `image` alone.
        num_samples, num_parallel_workers, shuffle, decode, sampler, num_shards, shard_id, cache: as in `CelebADataset`.
    Raises:
        NotADirectoryError, FileNotFoundError: the folder, or a list, is missing.
        DataFileError: a list is not as it should be. ValueError: another usage; there are no pictures.
    """

    def __init__(
        self, dataset_dir: str | os.PathLike[str], usage: str | None = None, num_samples: int | None = None,
        num_parallel_workers: int | None = None, shuffle: bool | Shuffle | None = None, decode: bool = False,
        sampler: Any = None, num_shards: int | None = None, shard_id: int | None = None, cache: None = None,
    ) -> None:  # fmt: skip
        name = "WIDERFaceDataset"
        how = Reading.of(name, num_samples, num_parallel_workers, shuffle, sampler, num_shards, shard_id, cache)
        usage = check_choice(name, "usage", usage, ("train", "test", "valid", "all", None)) or "all"
        image, folder = image_reader(name, decode), check_dir(name, dataset_dir)
        if usage == "test":
            lines = lines_of(folder / "wider_face_split" / "wider_face_test_filelist.txt")
            pictures = [folder / "WIDER_test" / "images" / line.strip() for _, line in lines if line.strip()]
            super().__init__(pictures, image, ["image"], {}, how)
            return
        faces: dict[Path, np.ndarray] = {}
        for part in {"train": ["train"], "valid": ["val"]}.get(usage, ["train", "val"]):
            own = _faces(folder / "wider_face_split" / f"wider_face_{part}_bbx_gt.txt")
            faces |= {folder / f"WIDER_{part}" / "images" / file: marks for file, marks in own.items()}
        known: dict[str, Block] = {"bbox": [np.ascontiguousarray(marks[:, :4]) for marks in faces.values()]}
        for place, mark in enumerate(_MARKS, 4):
            known[mark] = [np.ascontiguousarray(marks[:, place]) for marks in faces.values()]
        super().__init__(list(faces), image, ["image"], known, how)


def _faces(path: Path) -> dict[str, np.ndarray]:
    """Of each picture the faces, int32 [faces, 10]. A picture without any has one line, of zeros."""
    lines = [line.strip() for _, line in lines_of(path) if line.strip()]
    found: dict[str, np.ndarray] = {}
    place = 0
    while place < len(lines):
        rows = [line.split() for line in lines[place + 2 :]]
        try:
            count = max(int(lines[place + 1]), 1)
            found[lines[place]] = np.array(rows[:count], np.int32).reshape(count, 10)
        except (ValueError, IndexError):
            expected = "a picture, how many faces it has, and ten numbers for each"
            raise DataFileError(f"{path}: expected {expected}, got {lines[place : place + 3]}") from None
        place += 2 + count
    return found
