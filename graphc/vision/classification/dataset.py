"""MNIST, ready to train on, as MindVision has it."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from graphc import dataset as ds
from graphc.dataset import transforms, vision
from graphc.dtype import float32, int32

__all__ = ["Mnist"]

MEAN, STD = 0.1307, 0.3081  # of MNIST's training images, scaled to [0, 1]


class Mnist:
    """Batches of MNIST (or of a dataset in its format): images float32 [N, 1, H, W] and labels int32 [N].

    Args:
        path: the folder of the four IDX files, gzipped or not, or of the folders `train` and `test` that hold them.
        split: "train" or "test".
        transform: what is applied to each image, float32 [28, 28, 1], instead of `default_transform`.
        target_transform: what is applied to each label.
        batch_size: images per batch; a last one that is not full is left out.
        repeat_num: how often the images come in one epoch.
        shuffle: whether they come in random order; None for yes.
        num_parallel_workers: threads that share the work.
        num_shards, shard_id: use this one of so many shards.
        resize: height and width of the images, or one int for both.
        download: graphc downloads nothing: with True, the files must be there already.
    Raises:
        FileNotFoundError: they are not.
        ValueError: another split.
    """

    index2label: ClassVar[dict[int, str]] = dict(
        enumerate(("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"))
    )

    def __init__(
        self, path: str | os.PathLike[str], split: str = "train", transform: Callable[..., Any] | None = None,
        target_transform: Callable[..., Any] | None = None, batch_size: int = 32, repeat_num: int = 1,
        shuffle: bool | None = None, num_parallel_workers: int = 1, num_shards: int | None = None,
        shard_id: int | None = None, resize: int | Sequence[int] = 32, download: bool = False,
    ) -> None:
        if split not in ("train", "test"):
            raise ValueError(f"Mnist: split must be 'train' or 'test', got {split!r}")
        self.path, self.split, self.resize = os.path.expanduser(path), split, resize
        self.transform, self.target_transform = transform, target_transform
        self.batch_size, self.repeat_num = batch_size, repeat_num
        self.num_parallel_workers = num_parallel_workers
        try:
            self.dataset: ds.Dataset = ds.MnistDataset(
                self.path, split, num_parallel_workers=num_parallel_workers, shuffle=shuffle, num_shards=num_shards,
                shard_id=shard_id,
            )
        except OSError as error:
            if not download:
                raise
            message = f"Mnist: graphc downloads nothing (download=True); put MNIST's files into {self.path}: {error}"
            raise FileNotFoundError(message) from error

    def default_transform(self) -> list[Callable[..., Any]]:
        """Resize, then scale to mean 0 and standard deviation 1 over MNIST, channels first."""
        return [
            vision.Resize(self.resize, vision.Inter.LINEAR),
            vision.Rescale(1 / 255, 0.0),
            vision.Rescale(1 / STD, -MEAN / STD),
            vision.HWC2CHW(),
        ]

    def run(self) -> ds.Dataset:
        """The dataset, with columns `image` and `label`."""
        images = [self.transform] if self.transform else self.default_transform()
        labels = [self.target_transform] if self.target_transform else []
        workers = self.num_parallel_workers
        dataset = self.dataset.map([transforms.TypeCast(float32), *images], "image", num_parallel_workers=workers)
        dataset = dataset.map([transforms.TypeCast(int32), *labels], "label", num_parallel_workers=workers)
        return dataset.batch(self.batch_size, drop_remainder=True).repeat(self.repeat_num)
