"""Operations on colours: the pixels that MindSpore 2.10 gives for the same image, whole stacks at once, errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc.dataset as ds
from graphc.dataset import vision

IMAGE = (np.random.RandomState(0).rand(6, 5, 3) * 200 + 20).astype(np.uint8)


@pytest.mark.parametrize(
    ("operation", "pixels"),
    [  # the first three pixels of the first two rows
        (vision.AutoContrast(),
         [[[138, 184, 149], [136, 106, 162], [108, 230, 250]], [[13, 1, 214], [200, 224, 255], [206, 116, 200]]]),
        (vision.AutoContrast(10.0, [20, 30]),
         [[[163, 201, 151], [162, 110, 165], [123, 255, 255]], [[0, 0, 224], [247, 248, 255], [255, 122, 208]]]),
        (vision.Equalize(),
         [[[149, 193, 132], [141, 123, 149], [132, 229, 246]], [[9, 9, 211], [220, 220, 255], [229, 132, 202]]]),
        (vision.RandomColor((0.3, 0.3)),
         [[[144, 154, 147], [120, 112, 126], [152, 180, 184]], [[43, 39, 88], [186, 192, 198], [151, 131, 150]]]),
        (vision.RandomSharpness((1.7, 1.7)),
         [[[129, 163, 140], [128, 104, 149], [107, 198, 212]], [[37, 24, 186], [200, 227, 236], [204, 102, 186]]]),
        (vision.RandomPosterize((3, 3)),
         [[[128, 160, 128], [128, 96, 128], [96, 192, 192]], [[32, 0, 160], [160, 192, 192], [160, 96, 160]]]),
        (vision.AdjustBrightness(1.5),
         [[[194, 244, 210], [192, 156, 224], [160, 255, 255]], [[56, 36, 255], [255, 255, 255], [255, 168, 255]]]),
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_pixels_of_mindspore(operation: Any, pixels: list[Any]) -> None:
    assert operation(IMAGE)[:2, :3].tolist() == pixels


def test_solarize_and_grayscale() -> None:
    for least in (0, 100):  # as in MindSpore: it and all above
        bright = vision.RandomSolarize((least, least))(IMAGE)
        np.testing.assert_array_equal(bright, np.where(least <= IMAGE, 255 - IMAGE, IMAGE))
        np.testing.assert_array_equal(bright, vision.Solarize(least)(IMAGE))
    some = vision.RandomSolarize((60, 120))(IMAGE)
    changed = some != IMAGE
    np.testing.assert_array_equal(some[changed], 255 - IMAGE[changed])
    assert ((IMAGE[changed] >= 60) & (IMAGE[changed] <= 120)).all()
    gray = vision.RandomGrayscale(1.0)(IMAGE)
    assert (gray == gray[..., :1]).all()
    np.testing.assert_array_equal(vision.RandomGrayscale(0.0)(IMAGE), IMAGE)


def test_a_stack_is_its_images_and_random_ones_differ() -> None:
    images = np.stack([IMAGE, IMAGE[::-1], 255 - IMAGE] * 4)
    for operation in (vision.AutoContrast(), vision.Equalize(), vision.RandomPosterize((1, 8)), vision.RandomColor()):
        data = ds.NumpySlicesDataset(images, ["image"], shuffle=False).map(operation, "image")
        found = np.stack([row.asnumpy() for (row,) in data.create_tuple_iterator(num_epochs=1)])
        assert found.shape == images.shape and found.dtype == np.uint8
        if isinstance(operation, (vision.AutoContrast, vision.Equalize)):
            np.testing.assert_array_equal(found, np.stack([operation(image) for image in images]))
        else:
            assert any(not np.array_equal(found[0], other) for other in found[3::3])
    flat = np.full((4, 4, 1), 7, np.uint8)
    for operation in (vision.AutoContrast(), vision.Equalize()):
        np.testing.assert_array_equal(operation(flat), flat)


@pytest.mark.parametrize(
    ("mistake", "error"),
    [
        (lambda: vision.AutoContrast(60.0), ValueError),
        (lambda: vision.AutoContrast(ignore=300), ValueError),
        (lambda: vision.RandomPosterize((0, 8)), ValueError),
        (lambda: vision.RandomPosterize((5, 2)), ValueError),
        (lambda: vision.RandomSolarize((0, 256)), ValueError),
        (lambda: vision.RandomGrayscale(1.5), ValueError),
        (lambda: vision.RandomColor((-1.0, 1.0)), ValueError),
        (lambda: vision.Equalize()(IMAGE.astype(np.float32)), TypeError),
        (lambda: vision.RandomGrayscale()(IMAGE[..., :1]), ValueError),
        (lambda: vision.Sharpen, AttributeError),
    ],
)
def test_errors(mistake: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        mistake()
