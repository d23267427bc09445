"""Operations on colours by given numbers, and those that mix the images of a batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc.dataset as ds
from graphc.dataset import vision

IMAGE = np.random.default_rng(0).integers(0, 256, (6, 7, 3)).astype(np.uint8)


def test_one_number_says_what_colours_become() -> None:
    np.testing.assert_array_equal(vision.Posterize(3)(IMAGE), IMAGE & 0b11100000)
    np.testing.assert_array_equal(vision.Posterize(0)(IMAGE), IMAGE * 0)
    np.testing.assert_array_equal(
        vision.Solarize((50, 200))(IMAGE), np.where((IMAGE >= 50) & (IMAGE <= 200), 255 - IMAGE, IMAGE)
    )
    np.testing.assert_array_equal(vision.Solarize(99)(IMAGE), np.where(IMAGE >= 99, 255 - IMAGE, IMAGE))
    np.testing.assert_array_equal(
        vision.AdjustGamma(2.0)(IMAGE), (255.999 * (IMAGE / 255) ** 2).astype(np.uint8)
    )  # fmt: skip
    assert vision.AdjustGamma(0.5, 9)(IMAGE).max() == 255
    for make in (vision.AdjustContrast, vision.AdjustSaturation):
        np.testing.assert_array_equal(make(1.0)(IMAGE), IMAGE)
        assert np.ptp(make(0.0)(IMAGE), axis=-1).max() == 0  # gray
    assert np.ptp(vision.AdjustContrast(0.0)(IMAGE)) == 0
    np.testing.assert_array_equal(vision.AdjustHue(0.0)(IMAGE), IMAGE)
    turned = vision.AdjustHue(1 / 3)(np.array([[[200, 0, 0]]], np.uint8))
    assert turned.tolist() == [[[0, 200, 0]]]


def batches(operation: Any, channels_first: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Images whose value is their class, mixed."""
    ds.config.set_seed(7)
    images = np.broadcast_to(np.arange(16)[:, None, None, None] * 10, (16, 8, 9, 3)).astype(np.uint8)
    images = images.transpose(0, 3, 1, 2) if channels_first else images
    data = ds.NumpySlicesDataset({"image": images, "label": np.eye(16, dtype=np.uint8)}, shuffle=False).batch(16)
    ((image, label),) = data.map(operation, ["image", "label"]).create_tuple_iterator(num_epochs=1, output_numpy=True)
    return image, label


def test_mixed_up_batches() -> None:
    image, label = batches(vision.MixUpBatch(0.4))
    assert image.dtype == np.uint8 and label.dtype == np.float32
    np.testing.assert_allclose(label.sum(1), 1, rtol=1e-6)
    np.testing.assert_array_equal(image[:, 0, 0, 0], np.rint(label @ (np.arange(16, dtype=np.float32) * 10)))
    assert vision.MixUpBatch()(image / np.float32(255), label)[0].dtype == np.float32
    again = batches(vision.MixUpBatch(0.4))
    np.testing.assert_array_equal(image, again[0])


@pytest.mark.parametrize("layout", [*vision.ImageBatchFormat])
def test_cut_and_mixed_batches(layout: Any) -> None:
    first = layout is vision.ImageBatchFormat.NCHW
    image, label = batches(vision.CutMixBatch(layout), first)
    assert image.dtype == np.uint8 and (label.max(1) < 1).any()
    axes = (2, 3) if first else (1, 2)
    shares = np.stack([(image == c * 10).mean(axes)[:, 0] for c in range(16)], 1)  # of the area, by class
    np.testing.assert_allclose(label, shares, atol=1e-6)
    kept = batches(vision.CutMixBatch(layout, prob=0.0), first)
    np.testing.assert_array_equal(kept[1], np.eye(16))


@pytest.mark.parametrize(
    "call, error, text",
    [
        (lambda: vision.AdjustContrast(-1.0), ValueError, "AdjustContrast"),
        (lambda: vision.AdjustHue(0.6), ValueError, "AdjustHue"),
        (lambda: vision.AdjustGamma(-1.0), ValueError, "AdjustGamma"),
        (lambda: vision.Posterize(9), ValueError, "Posterize"),
        (lambda: vision.Solarize((5, 300)), ValueError, "Solarize"),
        (lambda: vision.AdjustSaturation(1.0)(IMAGE.astype("i")), TypeError, "AdjustSaturation"),
        (lambda: vision.MixUpBatch(0), ValueError, "alpha must be"),
        (lambda: vision.CutMixBatch("NHWC"), TypeError, "expected an ImageBatchFormat"),
        (lambda: vision.MixUpBatch()(IMAGE[None]), ValueError, "two columns"),
        (lambda: vision.MixUpBatch()(IMAGE, np.eye(3)), ValueError, "one-hot labels"),
    ],
)
def test_errors(call: Callable[[], Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        call()
