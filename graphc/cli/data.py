"""What `graphc train` trains on: images from a folder, or the points of a line."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import graphc.dataset as ds
from graphc import dtype
from graphc.cli.errors import UsageError
from graphc.cli.recipes import Recipe
from graphc.dataset import transforms, vision
from graphc.dataset.vision.image_transform import ImageTransform

GRAY = ((0.286,), (0.353,))  # mean and standard deviation of Fashion-MNIST's pixels, scaled to [0, 1]
COLOUR = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


def datasets(recipe: Recipe, folder: str | None) -> tuple[ds.Dataset, ds.Dataset, str]:
    """Batches to train on, shuffled; batches to evaluate on; and where they come from, in words.

    Args:
        recipe: says how large images and batches are. Images are padded with black to a larger size, or resized to a
            smaller one.
        folder: of MNIST's or Fashion-MNIST's IDX files, or of CIFAR-10's binary files; None for the Fashion-MNIST
            excerpt that comes with graphc.
    Raises:
        UsageError: the model takes no images, or images of other channels.
    """
    if not recipe.classes:
        if folder is not None:
            raise UsageError(f"{recipe.name} is trained on points that it makes; --data is for models of images")
        return _line(recipe, 0), _line(recipe, 1), "100 points of y = 2x + 0.5 + N(0, 0.05)"
    if len(recipe.sample) != 3:
        raise UsageError(f"training feeds images: expected --input C,H,W, got {','.join(map(str, recipe.sample))}")
    channels = recipe.sample[0]
    if folder is None:
        if channels != 1:
            raise UsageError(
                f"{recipe.name} takes images of {channels} channels, those that come with graphc have 1; "
                "give a folder of CIFAR-10's binary files as --data"
            )
        folder = ds.embedded_fashion_mnist()
    return _images(recipe, folder, True), _images(recipe, folder, False), folder


def _line(recipe: Recipe, seed: int) -> ds.Dataset:
    draw = np.random.default_rng(seed)
    x = draw.uniform(-1, 1, (100, 1)).astype(np.float32)
    y = (2 * x + 0.5 + draw.normal(0, 0.05, x.shape)).astype(np.float32)
    return ds.NumpySlicesDataset({"data": x, "label": y}, shuffle=seed == 0).batch(recipe.batch_size)


def _images(recipe: Recipe, folder: str, training: bool) -> ds.Dataset:
    """A last batch that is not full is left out of training, so that one step is compiled, not two."""
    usage = "train" if training else "test"
    colour = is_cifar(Path(folder))
    source = (ds.Cifar10Dataset if colour else ds.FashionMnistDataset)(folder, usage, shuffle=training)
    channels, height, width = recipe.sample
    have = (3, 32, 32) if colour else (1, 28, 28)
    if channels != have[0]:
        raise UsageError(f"{recipe.name} takes images of {channels} channels, those in {folder} have {have[0]}")
    mean, std = COLOUR if colour else GRAY
    images = [
        *_fitted(have[1:], (height, width)),
        vision.Rescale(1 / 255, 0.0),
        vision.Normalize(mean, std),
        vision.HWC2CHW(),
    ]
    ready = source.map(images, "image").map(transforms.TypeCast(dtype.int32), "label")
    return ready.batch(recipe.batch_size, drop_remainder=training)


def is_cifar(folder: Path) -> bool:
    """Whether the folder holds CIFAR-10's binary files."""
    return (folder / "cifar-10-batches-bin").is_dir() or any(folder.glob("*_batch*.bin"))


def _fitted(have: tuple[int, ...], want: tuple[int, int]) -> list[ImageTransform]:
    if have == want:
        return []
    if min(w - h for h, w in zip(have, want, strict=True)) < 0:
        return [vision.Resize(want)]
    top, left = ((w - h) // 2 for h, w in zip(have, want, strict=True))
    return [vision.Pad((left, top, want[1] - have[1] - left, want[0] - have[0] - top))]
