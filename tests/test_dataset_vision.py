"""graphc.dataset.vision: values against NumPy, hand computation and Pillow; one image and many give the same."""

import io
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image

import graphc.dataset as ds
from graphc.dataset import vision
from graphc.dataset.images import adjust_brightness, adjust_contrast, adjust_hue, adjust_saturation, resize
from graphc.dataset.rng import Rng
from graphc.dataset.vision import Border, Inter

RNG = np.random.default_rng(0)
COLOUR = RNG.integers(0, 256, (12, 17, 3), np.uint8)
GRAY = RNG.integers(0, 256, (9, 8), np.uint8)
FLOAT = RNG.random((3, 10, 8), np.float32)


def drawn(operation: Any, image: np.ndarray, n: int = 200) -> list[np.ndarray]:
    """Many results of a random operation on one image."""
    return list(operation.batched(Rng(3, np.arange(n)), np.stack([image] * n)))


EVERY: list[tuple[Any, np.ndarray]] = [
    (vision.Normalize([1, 2, 3], [4, 5, 6]), COLOUR),
    (vision.Normalize([1, 2, 3], [4, 5, 6], is_hwc=False), FLOAT),
    (vision.Normalize([1], [4]), GRAY),
    (vision.Rescale(1 / 255, -1), COLOUR),
    (vision.Invert(), COLOUR),
    (vision.Grayscale(), COLOUR),
    (vision.Grayscale(3), COLOUR),
    (vision.RandomColorAdjust(0.4, 0.4, 0.4, 0.2), COLOUR),
    (vision.HWC2CHW(), COLOUR),
    (vision.HWC2CHW(), GRAY),
    (vision.ToTensor(), COLOUR),
    (vision.ToTensor(np.float64), GRAY),
    *((vision.Resize((7, 30), inter), COLOUR) for inter in Inter),
    (vision.Resize(5), GRAY),
    (vision.Pad((1, 2, 3, 4), (9, 8, 7)), COLOUR),
    (vision.Pad(2, padding_mode=Border.REFLECT), GRAY),
    (vision.Crop((1, 2), (3, 4)), COLOUR),
    (vision.CenterCrop((20, 5)), COLOUR),
    (vision.RandomCrop((5, 6), padding=2), COLOUR),
    (vision.RandomResizedCrop(6), COLOUR),
    (vision.HorizontalFlip(), COLOUR),
    (vision.VerticalFlip(), GRAY),
    (vision.RandomHorizontalFlip(), COLOUR),
    (vision.RandomVerticalFlip(), GRAY),
    (vision.Rotate(20, Inter.BICUBIC, fill_value=(1, 2, 3)), COLOUR),
    (vision.RandomRotation((-40, 90), Inter.BILINEAR), GRAY),
    (vision.RandomErasing(0.7, value=(1, 2, 3)), FLOAT),
    (vision.RandomErasing(0.7, value="random"), FLOAT),
    (vision.CutOut(4, 2), COLOUR),
    (vision.CutOut(3, is_hwc=False), FLOAT),
]


@pytest.mark.parametrize(("operation", "image"), EVERY, ids=lambda value: type(value).__name__)
def test_one_image_and_many_give_the_same(operation: Any, image: np.ndarray) -> None:
    images = np.stack([image, image[::-1], image // 2])
    positions = np.array([5, 900, 17])
    together = operation.batched(Rng(1, positions), images)
    for i in range(3):
        alone = operation.sample(Rng(1, positions[i : i + 1]), images[i])
        assert alone.dtype == together[i].dtype
        assert np.array_equal(alone, together[i])
    assert np.array_equal(images[0], image), "the input was written to"


@pytest.mark.parametrize(("operation", "image"), EVERY, ids=lambda value: type(value).__name__)
def test_bad_images_are_refused(operation: Any, image: np.ndarray) -> None:
    if not isinstance(operation, vision.Rescale):
        with pytest.raises(ValueError, match=r"got a sample of shape|channels|means"):
            operation(np.zeros(5, image.dtype))
        with pytest.raises(ValueError, match="got a sample of shape"):
            operation(np.zeros((0, 3, 3), image.dtype))
    with pytest.raises((TypeError, ValueError)):
        operation(np.full(image.shape, "x"))


# Values and layout


def test_normalize_rescale_to_tensor() -> None:
    normalized = vision.Normalize([100, 110, 120], [50, 60, 70])(COLOUR)
    expected = (COLOUR.astype(np.float32) - np.float32([100, 110, 120])) / np.float32([50, 60, 70])
    assert normalized.dtype == np.float32
    assert np.array_equal(normalized, expected)
    chw = vision.Normalize([100, 110, 120], [50, 60, 70], is_hwc=False)(COLOUR.transpose(2, 0, 1))
    assert np.array_equal(chw, expected.transpose(2, 0, 1))
    assert np.array_equal(vision.Rescale(0.5, -1)(GRAY), GRAY.astype(np.float32) * np.float32(0.5) - 1)
    tensor = vision.ToTensor()(COLOUR)
    assert (tensor.shape, tensor.dtype) == ((3, 12, 17), np.float32)
    assert np.array_equal(tensor, COLOUR.transpose(2, 0, 1).astype(np.float32) / 255)
    assert vision.ToTensor()(GRAY).shape == (1, 9, 8)
    assert vision.ToTensor(np.float16)(GRAY).dtype == np.float16
    assert vision.HWC2CHW()(COLOUR).flags.c_contiguous
    assert np.array_equal(vision.HWC2CHW()(COLOUR), COLOUR.transpose(2, 0, 1))
    assert np.array_equal(vision.HWC2CHW()(GRAY), GRAY)


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: vision.Normalize([1], [1, 2]), ValueError, "same length"),
        (lambda: vision.Normalize([1], [0]), ValueError, "above 0"),
        (lambda: vision.Normalize([1], [1])(COLOUR), ValueError, r"\(12, 17, 3\), that is 3 channels, for 1 means"),
        (lambda: vision.Normalize([1] * 3, [1] * 3, False)(COLOUR), ValueError, "12 channels"),
        (lambda: vision.Equalize()(FLOAT), TypeError, "dtype float32, expected uint8"),
        (lambda: vision.Grayscale(2), ValueError, "num_output_channels 2"),
        (lambda: vision.Grayscale()(COLOUR[..., :2]), ValueError, "2 channels, expected 3"),
        (lambda: vision.RandomColorAdjust(brightness=-1), ValueError, "brightness -1"),
        (lambda: vision.RandomColorAdjust(hue=0.6), ValueError, "-0.5 <= min <= max <= 0.5"),
        (lambda: vision.RandomColorAdjust(contrast=(2, 1)), ValueError, "min <= max"),
        (lambda: vision.Resize(0), ValueError, "size: got 0"),
        (lambda: vision.Resize((1, 2, 3)), ValueError, r"an int or \(height, width\)"),
        (lambda: vision.Resize(3, 2), TypeError, "interpolation: got 2, expected one of Inter"),
        (lambda: vision.Pad((1, 2, 3)), ValueError, "1, 2 or 4 ints"),
        (lambda: vision.Pad(-1), ValueError, "padding: got -1"),
        (lambda: vision.Pad(1, (1, 2)), TypeError, "a number or three"),
        (lambda: vision.Pad(1, (1, 2, 3))(GRAY), ValueError, "3 fill values for an image of 1 channels"),
        (lambda: vision.Crop((10, 0), 5)(COLOUR), ValueError, r"at \(10, 0\) reach beyond the image of 12 x 17"),
        (lambda: vision.RandomCrop(13)(COLOUR), ValueError, "13 x 13 is larger than the image of 12 x 17"),
        (lambda: vision.RandomHorizontalFlip(2), ValueError, "prob: got 2"),
        (lambda: vision.RandomHorizontalFlip("a"), TypeError, "prob: got 'a'"),
        (lambda: vision.Rotate(3, Inter.AREA), ValueError, "resample"),
        (lambda: vision.Rotate(3, center=(1, 2, 3)), ValueError, "center"),
        (lambda: vision.RandomRotation(-5), ValueError, "min <= max"),
        (lambda: vision.RandomErasing(value="noise"), ValueError, "value 'noise'"),
        (lambda: vision.RandomErasing(1, value="random")(COLOUR), TypeError, "needs a float image"),
        (lambda: vision.RandomResizedCrop(5, ratio=(0, 1)), ValueError, "positive"),
        (lambda: vision.CutOut(0), ValueError, "length: got 0"),
        (lambda: vision.ToPIL()(FLOAT), TypeError, "expected uint8"),
        (lambda: vision.Decode()(GRAY), ValueError, "the bytes of an image file"),
        (lambda: vision.Decode()(np.zeros(9, np.uint8)), ValueError, r"not a readable image file \(of no known"),
    ],
)
def test_refused(make: Callable[[], object], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        make()


# Colour


def test_colour_against_pillow() -> None:
    from PIL import ImageEnhance, ImageOps

    image = Image.fromarray(COLOUR)
    assert np.array_equal(vision.Invert()(COLOUR), np.asarray(ImageOps.invert(image)))
    assert np.array_equal(vision.Grayscale()(COLOUR), np.asarray(image.convert("L")))
    assert np.array_equal(vision.Grayscale(3)(COLOUR)[..., 1], np.asarray(image.convert("L")))
    for enhance, adjust in (
        (ImageEnhance.Brightness, adjust_brightness),
        (ImageEnhance.Contrast, adjust_contrast),
        (ImageEnhance.Color, adjust_saturation),
    ):
        for factor in (0.0, 0.5, 1.0, 1.7):
            # Pillow cuts the fraction off where this rounds.
            found = adjust(COLOUR[None], np.array([factor]))[0].astype(int)
            assert np.abs(found - np.asarray(enhance(image).enhance(factor))).max() <= 1


def test_hue_against_colorsys() -> None:
    import colorsys

    for shift in (-0.5, -0.2, 0.0, 0.1, 0.37):
        found = adjust_hue(COLOUR[None], np.array([shift]))[0]
        for pixel, result in zip(COLOUR.reshape(-1, 3), found.reshape(-1, 3), strict=True):
            hue, saturation, value = colorsys.rgb_to_hsv(*(pixel / 255).tolist())
            expected = np.array(colorsys.hsv_to_rgb((hue + shift) % 1, saturation, value)) * 255
            assert np.abs(result - expected).max() <= 0.501
    assert np.array_equal(adjust_hue(COLOUR[None], np.zeros(1))[0], COLOUR)


def test_random_color_adjust_draws_within_its_range() -> None:
    flat = np.full((2, 2, 3), 100, np.uint8)
    shades = [int(image[0, 0, 0]) for image in drawn(vision.RandomColorAdjust(brightness=(0.5, 1.5)), flat)]
    assert (min(shades) >= 50, max(shades) <= 150, len(set(shades)) > 60) == (True, True, True)
    assert np.array_equal(vision.RandomColorAdjust()(COLOUR), COLOUR)
    assert np.array_equal(vision.RandomColorAdjust((2, 2))(flat), flat * 2)


# Size


def test_resize_by_hand() -> None:
    line = np.float32([[0, 10, 20, 40]])
    assert vision.Resize((1, 8))(line).tolist() == [[0, 2.5, 7.5, 12.5, 17.5, 25, 35, 40]]
    assert vision.Resize((1, 2))(line).tolist() == [[5, 30]]
    assert vision.Resize((1, 8), Inter.NEAREST)(line).tolist() == [[0, 0, 10, 10, 20, 20, 40, 40]]
    assert vision.Resize((1, 3), Inter.NEAREST)(line).tolist() == [[0, 10, 20]]
    np.testing.assert_allclose(vision.Resize((1, 3), Inter.AREA)(line), [[2.5, 15, 35]], rtol=1e-6)
    # Cubic convolution half way between pixels with a = -0.75: weights -3/32, 19/32, 19/32, -3/32.
    cubic = vision.Resize((1, 2), Inter.BICUBIC)(line)
    np.testing.assert_allclose(cubic, [[(19 * 10 - 3 * 20) / 32, (19 * 60 - 3 * 50) / 32]], rtol=1e-6)
    assert vision.Resize((2, 1))(np.uint8([[0], [255]])).tolist() == [[0], [255]]
    assert vision.Resize((1, 1))(np.uint8([[0, 255]])).tolist() == [[128]]


def test_resize_keeps_aspect_for_one_number() -> None:
    assert vision.Resize(6)(COLOUR).shape == (6, 8, 3)
    assert vision.Resize(6)(COLOUR.transpose(1, 0, 2)).shape == (8, 6, 3)
    assert vision.Resize(24)(COLOUR).shape == (24, 34, 3)
    assert vision.Resize((12, 17))(COLOUR) is not None


@pytest.mark.parametrize("inter", list(Inter))
@pytest.mark.parametrize("size", [(12, 17), (5, 6), (30, 40)])
def test_resize_keeps_flat_images_and_dtypes(inter: Inter, size: tuple[int, int]) -> None:
    for dtype in (np.uint8, np.int16, np.int32, np.float32, np.float64):
        flat = np.full((12, 17, 2), 77, dtype)
        resized = vision.Resize(size, inter)(flat)
        assert (resized.shape, resized.dtype) == ((*size, 2), dtype)
        np.testing.assert_allclose(resized, 77, rtol=1e-6)


@pytest.mark.parametrize(("inter", "pillow"), [(Inter.PILCUBIC, Image.BICUBIC), (Inter.ANTIALIAS, Image.LANCZOS)])
@pytest.mark.parametrize("size", [(5, 7), (12, 6), (30, 40)])
def test_resize_filters_as_pillow(inter: Inter, pillow: Any, size: tuple[int, int]) -> None:
    expected = np.asarray(Image.fromarray(COLOUR).resize((size[1], size[0]), pillow)).astype(int)
    assert np.abs(vision.Resize(size, inter)(COLOUR) - expected).max() <= 1  # Pillow's weights have 22 bits
    floats = GRAY.astype(np.float32)
    expected_floats = np.asarray(Image.fromarray(floats).resize((size[1], size[0]), pillow))
    np.testing.assert_allclose(vision.Resize(size, inter)(floats), expected_floats, rtol=1e-5, atol=1e-4)


def test_pad() -> None:
    padded = vision.Pad((1, 2, 3, 4), (9, 8, 7))(COLOUR)
    assert padded.shape == (12 + 2 + 4, 17 + 1 + 3, 3)
    assert np.array_equal(padded[2:14, 1:18], COLOUR)
    assert padded[0, 0].tolist() == padded[-1, -1].tolist() == [9, 8, 7]
    assert vision.Pad((1, 2))(COLOUR).shape == (12 + 4, 17 + 2, 3)
    for mode in (Border.EDGE, Border.REFLECT, Border.SYMMETRIC):
        expected = np.pad(GRAY, 2, mode=mode.value)
        assert np.array_equal(vision.Pad(2, padding_mode=mode)(GRAY), expected)


def test_crops() -> None:
    assert np.array_equal(vision.Crop((1, 2), (3, 4))(COLOUR), COLOUR[1:4, 2:6])
    assert np.array_equal(vision.CenterCrop((4, 5))(COLOUR), COLOUR[4:8, 6:11])
    grown = vision.CenterCrop((14, 17))(COLOUR)
    assert np.array_equal(grown[1:13], COLOUR)
    assert not grown[[0, 13]].any()


def test_random_crop_reaches_every_place() -> None:
    numbered = np.arange(30, dtype=np.uint8).reshape(5, 6)
    crops = drawn(vision.RandomCrop((3, 4)), numbered, 300)
    corners = {int(crop[0, 0]) for crop in crops}
    assert corners == {row * 6 + column for row in range(3) for column in range(3)}
    assert all(np.array_equal(crop - crop[0, 0], numbered[:3, :4]) for crop in crops)
    padded = vision.RandomCrop((5, 6), padding=1, fill_value=99)
    assert any(99 in crop for crop in drawn(padded, numbered))
    assert vision.RandomCrop((9, 9), pad_if_needed=True)(numbered).shape == (9, 9)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32])
@pytest.mark.parametrize("inter", list(Inter))
def test_images_resized_in_portions_are_those_resized_at_once(
    inter: Inter, dtype: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = np.random.default_rng(0).integers(0, 256, (5, 12, 9, 3)).astype(dtype)
    for height, width in ((3, 2), (30, 40), (12, 3), (7, 9)):  # few pixels are read one by one, many in lines
        together = resize(images, height, width, inter)
        assert together.shape == (5, height, width, 3) and together.dtype == dtype
        with monkeypatch.context() as patch:
            patch.setattr("graphc.dataset.images._AT_ONCE", 2 * max(12 * 9, height * width) * 3)
            assert np.array_equal(resize(images, height, width, inter), together)
        assert resize(images[:0], height, width, inter).shape == (0, height, width, 3)
        turned = resize(np.ascontiguousarray(images.swapaxes(1, 2)), width, height, inter)
        if dtype is np.float32 and inter not in (Inter.PILCUBIC, Inter.ANTIALIAS, Inter.NEAREST):
            np.testing.assert_allclose(turned.swapaxes(1, 2), together, atol=1e-3)


def test_random_resized_crop() -> None:
    ramp = np.broadcast_to(np.arange(64, dtype=np.float32), (64, 64)).copy()
    for crop in drawn(vision.RandomResizedCrop((8, 8), scale=(0.25, 0.25), ratio=(1, 1)), ramp):
        assert crop.shape == (8, 8)
        np.testing.assert_allclose(np.diff(crop[0]), 4, rtol=1e-5)  # half the width in 8 steps
    whole = vision.RandomResizedCrop((8, 8), scale=(1, 1), ratio=(1, 1))(ramp)
    assert np.array_equal(whole, vision.Resize((8, 8))(ramp))
    # No part of this aspect fits, so the middle of the nearest aspect is taken.
    for wide, window in (((4, 4), np.s_[24:40]), ((0.25, 0.25), np.s_[:, 24:40])):
        middle = vision.RandomResizedCrop((4, 4), scale=(1, 1), ratio=wide)(ramp + ramp.T)
        assert np.array_equal(middle, vision.Resize((4, 4))((ramp + ramp.T)[window]))


# Flips and rotations


def test_flips() -> None:
    assert np.array_equal(vision.HorizontalFlip()(COLOUR), COLOUR[:, ::-1])
    assert np.array_equal(vision.VerticalFlip()(COLOUR), COLOUR[::-1])
    for operation, flipped in (
        (vision.RandomHorizontalFlip, COLOUR[:, ::-1]),
        (vision.RandomVerticalFlip, COLOUR[::-1]),
    ):
        results = drawn(operation(0.25), COLOUR, 400)
        turned = [np.array_equal(result, flipped) for result in results]
        assert all(t or np.array_equal(r, COLOUR) for t, r in zip(turned, results, strict=True))
        assert abs(sum(turned) - 100) < 45
        assert np.array_equal(operation(1.0)(COLOUR), flipped)
        assert np.array_equal(operation(0.0)(COLOUR), COLOUR)


@pytest.mark.parametrize("inter", [Inter.NEAREST, Inter.BILINEAR, Inter.BICUBIC])
def test_rotations_by_quarter_turns_are_exact(inter: Inter) -> None:
    square = COLOUR[:12, :12]
    for turns in range(-3, 5):
        assert np.array_equal(vision.Rotate(90 * turns, inter)(square), np.rot90(square, turns))
        assert np.array_equal(vision.Rotate(90 * turns, inter, expand=True)(COLOUR), np.rot90(COLOUR, turns))


def test_rotation_by_hand() -> None:
    image = np.zeros((5, 5), np.float32)
    image[2, 4] = 1  # to the right of the middle
    turned = vision.Rotate(45, Inter.BILINEAR)(image)
    up_right = np.unravel_index(turned.argmax(), turned.shape)
    assert up_right == (1, 3)
    about = vision.Rotate(90, center=(0, 0))(np.pad(np.float32([[0, 7]]), ((0, 2), (0, 1))))
    assert not about.any()  # turned out of the image
    assert vision.Rotate(-90, center=(0, 0))(np.pad(np.float32([[0, 7]]), ((0, 2), (0, 1))))[1, 0] == 7
    filled = vision.Rotate(45, fill_value=(1, 2, 3))(COLOUR)
    assert filled[0, 0].tolist() == [1, 2, 3]


def test_rotation_against_pillow() -> None:
    for degrees in (10, 33, -75):
        expected = np.asarray(Image.fromarray(COLOUR).rotate(degrees, Image.NEAREST))
        assert (vision.Rotate(degrees)(COLOUR) != expected).mean() < 0.01  # a tie may fall the other way
        grown = vision.Rotate(degrees, expand=True)(COLOUR)
        larger = np.asarray(Image.fromarray(COLOUR).rotate(degrees, expand=True)).shape
        assert max(abs(a - b) for a, b in zip(grown.shape, larger, strict=True)) <= 1


def test_random_rotation_keeps_to_its_range() -> None:
    far = np.zeros((41, 41), np.float32)
    far[20, 38:41] = 1
    angles = []
    for turned in drawn(vision.RandomRotation((10, 40)), far):
        y, x = (turned[..., None] * np.stack(np.mgrid[0:41, 0:41], -1)).sum((0, 1)) / turned.sum()
        angles.append(np.rad2deg(np.arctan2(20 - y, x - 20)))
    assert min(angles) > 7
    assert max(angles) < 43
    assert np.std(angles) > 6  # a uniform spread over 30 degrees has 8.7
    grown = vision.RandomRotation(45, expand=True).batched(Rng(0, np.arange(6)), np.stack([COLOUR] * 6))
    assert len({image.shape for image in grown}) > 1


# Erasing


def test_random_erasing() -> None:
    ones = np.ones((3, 20, 30), np.float32)
    results = drawn(vision.RandomErasing(0.5, scale=(0.1, 0.2), value=(2, 3, 4)), ones, 400)
    erased = [result for result in results if not np.array_equal(result, ones)]
    assert abs(len(erased) - 200) < 50
    for result in erased:
        changed = result[0] == 2
        assert np.array_equal(changed, result[2] == 4)
        assert 0.05 < changed.mean() < 0.25
        rows, columns = np.flatnonzero(changed.any(1)), np.flatnonzero(changed.any(0))
        assert changed.sum() == len(rows) * len(columns)
        assert rows[-1] - rows[0] + 1 == len(rows)
    noise = drawn(vision.RandomErasing(1.0, scale=(0.3, 0.3), value="random"), ones, 50)
    values = np.concatenate([result[result != 1] for result in noise])
    assert abs(values.mean()) < 0.05
    assert abs(values.std() - 1) < 0.05
    image = ones.copy()
    assert not np.array_equal(vision.RandomErasing(1.0, inplace=True)(image), ones)
    assert not np.array_equal(image, ones)


def test_cut_out() -> None:
    ones = np.ones((20, 30, 3), np.float32)
    holes = [np.argwhere(result[..., 0] == 0) for result in drawn(vision.CutOut(6), ones)]
    assert all(len(hole) <= 36 for hole in holes)
    assert any(len(hole) == 36 and np.ptp(hole, axis=0).tolist() == [5, 5] for hole in holes)
    assert any(len(hole) < 36 for hole in holes)  # cut off at the edge
    assert (vision.CutOut(3, 20)(ones) == 0).any(-1).sum() > 40
    assert vision.CutOut(3, is_hwc=False)(np.ones((1, 9, 9))).shape == (1, 9, 9)


# Pillow


def encoded(image: np.ndarray, form: str = "PNG") -> np.ndarray:
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, form)
    return np.frombuffer(stream.getvalue(), np.uint8)


def test_decode_and_to_pil() -> None:
    assert np.array_equal(vision.Decode()(encoded(COLOUR)), COLOUR)
    assert np.array_equal(vision.Decode()(encoded(GRAY)), np.repeat(GRAY[..., None], 3, -1))
    assert isinstance(vision.Decode(to_pil=True)(encoded(COLOUR)), Image.Image)
    assert vision.ToPIL()(GRAY).mode == "L"
    assert np.array_equal(np.asarray(vision.ToPIL()(COLOUR)), COLOUR)
    assert np.array_equal(vision.ToTensor()(vision.ToPIL()(GRAY[..., None])), vision.ToTensor()(GRAY))
    assert vision.RandomCropDecodeResize(5)(encoded(COLOUR)).shape == (5, 5, 3)


def test_pil_images_pass_between_operations() -> None:
    dataset = ds.NumpySlicesDataset({"image": np.stack([COLOUR] * 5)}, shuffle=False)
    operations = [vision.ToPIL(), lambda image: image.rotate(90, expand=True), vision.Resize((4, 4)), vision.ToTensor()]
    ((images,),) = list(dataset.map(operations).batch(5).create_tuple_iterator(num_epochs=1, output_numpy=True))
    expected = vision.ToTensor()(vision.Resize((4, 4))(np.rot90(COLOUR)))
    assert all(np.array_equal(image, expected) for image in images)


def test_pillow_is_optional(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    for operation in (vision.ToPIL, vision.Decode, lambda: vision.RandomCropDecodeResize(3)):
        with pytest.raises(ImportError, match="pip install pillow"):
            operation()
    assert vision.Resize(4)(COLOUR).shape == (4, 5, 3)


# In a pipeline


def test_image_and_mask_get_the_same() -> None:
    numbers = np.arange(100, dtype=np.float32).reshape(10, 10)
    stack = np.stack([numbers] * 20)
    dataset = ds.NumpySlicesDataset({"image": stack, "mask": stack}, shuffle=False).map(
        [vision.RandomCrop(5), vision.RandomHorizontalFlip(), vision.RandomRotation(30)], ["image", "mask"]
    )
    pairs = list(dataset.create_tuple_iterator(num_epochs=1, output_numpy=True))
    assert all(np.array_equal(image, mask) for image, mask in pairs)
    assert len({image.tobytes() for image, _ in pairs}) > 10


def test_lenet_pipeline() -> None:
    dataset = ds.FashionMnistDataset(ds.embedded_fashion_mnist(), usage="test", shuffle=True)
    operations = [
        vision.Resize((32, 32)),
        vision.Rescale(1 / 255, 0),
        vision.Normalize([0.286], [0.353]),
        vision.HWC2CHW(),
    ]
    dataset = dataset.map(operations, "image").map(ds.transforms.TypeCast(np.int32), "label").batch(64)
    batches = list(dataset.create_dict_iterator(num_epochs=1, output_numpy=True))
    assert [batch["image"].shape for batch in batches] == [(64, 1, 32, 32)] * 31 + [(16, 1, 32, 32)]
    assert batches[0]["image"].dtype == np.float32
    assert batches[0]["label"].dtype == np.int32
    assert np.bincount(np.concatenate([batch["label"] for batch in batches])).tolist() == [200] * 10


def test_bytes_are_resized_as_mindspore_does() -> None:
    """What MindSpore 2.10 gives, to the bit: its weights are steps of 1/2048, and its sums are cut off."""
    image = (np.arange(20) * 37 % 251).astype(np.uint8).reshape(5, 4, 1)
    wanted = {
        Inter.LINEAR: [[49, 68, 92, 117, 100, 76], [45, 64, 88, 113, 138, 156], [124, 143, 153, 122, 133, 151]],
        Inter.BICUBIC: [[49, 67, 99, 127, 102, 65], [42, 60, 90, 111, 141, 159], [127, 154, 162, 117, 125, 152]],
        Inter.AREA: [[19, 93], [107, 106], [146, 119], [64, 138], [182, 55], [170, 93], [109, 183]],
    }
    for inter, pixels in wanted.items():
        size = np.shape(pixels)
        assert vision.Resize(size, inter)(image)[..., 0].tolist() == pixels
    assert vision.Resize((2, 2), Inter.AREA)(image[:4])[..., 0].tolist() == [[93, 104], [138, 86]]
