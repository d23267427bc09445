"""Warps, filters, cuts, policies, boxes and files of images: MindSpore 2.10's pixels, NumPy's and Pillow's."""

from __future__ import annotations

import colorsys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import graphc.dataset as ds
from graphc.dataset import images as ops
from graphc.dataset import vision
from graphc.dataset.rng import Rng
from graphc.dataset.vision import Border, ConvertMode, Inter, policies

IMAGE = (np.random.RandomState(0).rand(6, 5, 3) * 200 + 20).astype(np.uint8)
FLOATS = np.random.RandomState(1).rand(6, 5, 3).astype(np.float32)
LARGE = (np.random.RandomState(2).rand(12, 14, 3) * 255).astype(np.uint8)
START, END = [[0, 0], [4, 0], [4, 5], [0, 5]], [[0, 1], [3, 0], [4, 5], [1, 4]]

PIXELS: list[tuple[Any, int, list[Any]]] = [  # how much they may differ; three pixels of two rows
    (vision.AdjustSharpness(1.7), 1,
     [[[129, 163, 140], [128, 104, 149], [107, 198, 212]], [[37, 24, 186], [200, 227, 236], [204, 102, 186]]]),
    (vision.GaussianBlur((3, 5), (0.6, 1.5)), 1,
     [[[99, 109, 163], [138, 125, 177], [139, 141, 173]], [[102, 104, 151], [133, 122, 168], [134, 143, 161]]]),
    (vision.Erase(1, 2, 3, 2, 5), 0,
     [[[129, 163, 140], [128, 104, 149], [107, 198, 212]], [[37, 24, 186], [175, 194, 215], [5, 5, 5]]]),
    (vision.Affine(15, (0.2, -0.1), 1.1, (10, 5), Inter.NEAREST, 7), 0,
     [[[7, 7, 7], [37, 24, 186], [37, 24, 186]], [[7, 7, 7], [72, 174, 111], [133, 23, 143]]]),
    (vision.Affine(0, (0.2, 0.0), 1.0, 0), 0,
     [[[0, 0, 0], [129, 163, 140], [128, 104, 149]], [[0, 0, 0], [37, 24, 186], [175, 194, 215]]]),
    (vision.ResizedCrop(1, 1, 4, 3, (5, 7), Inter.BICUBIC), 1,
     [[[177, 215, 224], [180, 192, 216], [195, 145, 207]], [[150, 56, 158], [151, 71, 172], [156, 101, 209]]]),
    (vision.Perspective(START, END, Inter.NEAREST), 0,
     [[[0, 0, 0], [0, 0, 0], [96, 178, 125]], [[129, 163, 140], [107, 198, 212], [43, 147, 48]]]),
]  # fmt: skip


@pytest.mark.parametrize(("operation", "off", "pixels"), PIXELS, ids=lambda value: type(value).__name__)
def test_pixels_of_mindspore(operation: Any, off: int, pixels: list[Any]) -> None:
    found = operation(IMAGE)
    assert found.dtype == np.uint8
    assert np.abs(found[:2, :3].astype(int) - np.array(pixels)).max() <= off


STACKED: list[tuple[Any, np.ndarray]] = [
    (vision.AdjustSharpness(0.3), FLOATS),
    (vision.RandomAdjustSharpness(2.0), IMAGE),
    (vision.GaussianBlur(5), FLOATS),
    (vision.RandomAffine(30, (-0.2, 0.2, -0.1, 0.1), (0.8, 1.2), (-10, 10, -5, 5), Inter.BILINEAR, 7), IMAGE),
    (vision.RandomAffine(30, shear=5), FLOATS),
    (vision.RandomPerspective(0.6, 0.5), IMAGE),
    (vision.RandomPerspective(1.0, 1.0, Inter.BILINEAR), FLOATS),
    (vision.RandomAutoContrast(prob=0.5), IMAGE),
    (vision.RandomEqualize(), IMAGE),
    (vision.RandomInvert(), IMAGE),
    (vision.RandomLighting(1.0), IMAGE),
    (vision.RandomResize((4, 7)), IMAGE),
    (vision.RandAugment(2, 20), IMAGE),
    (vision.TrivialAugmentWide(), IMAGE),
    *((vision.AutoAugment(policy), IMAGE) for policy in vision.AutoAugmentPolicy),
    (vision.PadToSize(9), IMAGE),
    (vision.NormalizePad([1, 2, 3], [4, 5, 6]), IMAGE),
    (vision.ConvertColor(ConvertMode.COLOR_RGB2BGRA), IMAGE),
    (vision.RgbToHsv(is_hwc=True), IMAGE),
    (vision.LinearTransformation(np.eye(90)[::-1], np.arange(90.0)), IMAGE.astype(np.float64)),
]


@pytest.mark.parametrize(("operation", "image"), STACKED, ids=lambda value: type(value).__name__)
def test_one_image_and_many_give_the_same(operation: Any, image: np.ndarray) -> None:
    images = np.stack([image, image[::-1], image // 2, image] * 3)
    positions = np.arange(12) * 7
    together = operation.batched(Rng(1, positions), images)
    for i in range(12):
        alone = operation.sample(Rng(1, positions[i : i + 1]), images[i])
        assert alone.dtype == together[i].dtype
        np.testing.assert_array_equal(alone, together[i])
    np.testing.assert_array_equal(images[0], image)
    if type(operation).__name__.startswith(("Random", "Trivial", "Auto", "Rand")):
        many = operation.batched(Rng(1, np.arange(40)), np.stack([image] * 40))
        assert len({found.tobytes() for found in many}) > 1


# Of floats: what the same formulas give


def test_tones_of_float_images() -> None:
    light = FLOATS @ np.array([0.299, 0.587, 0.114], np.float32)
    expected = {
        vision.AdjustBrightness(1.7): FLOATS * 1.7,
        vision.AdjustContrast(1.7): light.mean() + (FLOATS - light.mean()) * 1.7,
        vision.AdjustSaturation(0.4): light[..., None] + (FLOATS - light[..., None]) * 0.4,
        vision.AdjustGamma(0.7, 1.2): np.clip((1.2 * FLOATS) ** 0.7, 0, 1),
        vision.Solarize(0): 255 - FLOATS,
    }
    for operation, values in expected.items():
        found = operation(FLOATS)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, values, rtol=1e-5, atol=1e-5)
    turned = vision.AdjustHue(0.25)(FLOATS)
    for pixel, before in zip(turned.reshape(-1, 3), FLOATS.reshape(-1, 3), strict=True):
        h, s, v = colorsys.rgb_to_hsv(*before)
        np.testing.assert_allclose(pixel, colorsys.hsv_to_rgb((h + 0.25) % 1, s, v), atol=1e-5)


def test_hsv_as_colorsys_and_back() -> None:
    found = vision.RgbToHsv(is_hwc=True)(IMAGE)
    wanted = [[colorsys.rgb_to_hsv(*map(float, pixel)) for pixel in row] for row in IMAGE]
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, wanted, rtol=1e-12)
    np.testing.assert_allclose(vision.HsvToRgb(is_hwc=True)(found), IMAGE, rtol=1e-12)
    first = np.stack([FLOATS, FLOATS]).transpose(0, 3, 1, 2)  # several images, channels first
    hsv = vision.RgbToHsv()(first)
    assert hsv.shape == first.shape and hsv.dtype == np.float32
    np.testing.assert_allclose(vision.HsvToRgb()(hsv), first, atol=1e-6)
    with pytest.raises(ValueError, match="got 5 channels"):
        vision.RgbToHsv()(IMAGE.transpose(1, 0, 2))


def test_blur_is_a_sum_over_the_mirrored_image() -> None:
    found = vision.GaussianBlur(3, 0.8)(FLOATS)
    weights = np.exp(-np.array([1, 0, 1]) / (2 * 0.8**2))
    weights /= weights.sum()
    padded = np.pad(FLOATS.astype(np.float64), ((1, 1), (1, 1), (0, 0)), mode="reflect")
    wanted = sum(
        padded[i : i + 6, j : j + 5] * weights[i] * weights[j] for i in range(3) for j in range(3)
    )  # fmt: skip
    np.testing.assert_allclose(found, wanted, atol=1e-6)
    np.testing.assert_array_equal(vision.GaussianBlur(3)(FLOATS), vision.GaussianBlur(3, 0.8)(FLOATS))
    single = vision.GaussianBlur(5)(IMAGE[:1, :1])
    np.testing.assert_array_equal(single, IMAGE[:1, :1])


def test_maps_are_inverses_of_themselves() -> None:
    matrix = ops.affine(np.array([20.0]), np.array([[1.5, -2.0]]), np.array([1.25]), np.array([[8.0, 3.0]]), (7.0, 5.0))
    point = np.array([7.0 + 1.5, 5.0 - 2.0, 1.0])
    np.testing.assert_allclose(matrix[0] @ point, [7.0, 5.0], atol=1e-12)
    assert np.linalg.det(matrix[0, :, :2]) == pytest.approx(1 / 1.25**2)
    projective = ops.projective(np.array([START], float), np.array([END], float))[0]
    for start, end in zip(START, END, strict=True):
        x, y, z = projective @ [*end, 1.0]
        np.testing.assert_allclose([x / z, y / z], start, atol=1e-9)


def test_random_affine_without_freedom_is_affine() -> None:
    fixed = vision.Affine(15, (0.1, -0.1), 1.1, (10, 5), Inter.BILINEAR)(LARGE)
    drawn = vision.RandomAffine((15, 15), (0.1, 0.1, -0.1, -0.1), (1.1, 1.1), (10, 10, 5, 5), Inter.BILINEAR)(LARGE)
    np.testing.assert_array_equal(drawn, fixed)
    np.testing.assert_array_equal(vision.RandomPerspective(0.0, 1.0, Inter.NEAREST)(LARGE), LARGE)
    np.testing.assert_array_equal(vision.RandomPerspective(prob=0.0)(LARGE), LARGE)


# Cuts


def test_crops_patches_and_padding() -> None:
    five = vision.FiveCrop((3, 4))(LARGE)
    corners = LARGE[:3, :4], LARGE[:3, -4:], LARGE[-3:, :4], LARGE[-3:, -4:], LARGE[4:7, 5:9]
    for found, wanted in zip(five, corners, strict=True):
        np.testing.assert_array_equal(found, wanted)
    ten = vision.TenCrop((3, 4), True)(LARGE)
    np.testing.assert_array_equal(np.stack(ten[5:]), np.stack(vision.FiveCrop((3, 4))(LARGE[::-1])))
    np.testing.assert_array_equal(vision.TenCrop(3)(LARGE)[6], LARGE[:3, ::-1][:, -3:])
    np.testing.assert_array_equal(vision.SlicePatches()(IMAGE), IMAGE)
    patches = vision.SlicePatches(2, 3, fill_value=7)(IMAGE)
    assert [p.shape for p in patches] == [(3, 2, 3)] * 6
    np.testing.assert_array_equal(patches[4], IMAGE[3:, 2:4])
    assert (patches[5][:, 1] == 7).all() and (patches[5][:, 0] == IMAGE[3:, 4]).all()
    dropped = vision.SlicePatches(4, 2, vision.SliceMode.DROP)(IMAGE)
    np.testing.assert_array_equal(np.stack(dropped[:2]), [IMAGE[:1, :2], IMAGE[:1, 2:4]])
    padded = vision.PadToSize((9, 8), None, (1, 2, 3))(IMAGE)
    np.testing.assert_array_equal(padded[1:7, 1:6], IMAGE)
    assert padded.shape == (9, 8, 3) and (padded[0] == [1, 2, 3]).all() and (padded[:, 7] == [1, 2, 3]).all()
    edge = vision.PadToSize(9, (2, 3), padding_mode=Border.EDGE)(IMAGE)
    np.testing.assert_array_equal(edge, np.pad(IMAGE, ((2, 1), (3, 1), (0, 0)), mode="edge"))
    data = ds.NumpySlicesDataset(LARGE[None], ["image"], shuffle=False)
    data = data.map(vision.FiveCrop(3), ["image"], ["a", "b", "c", "d", "e"])
    (row,) = data.create_tuple_iterator(num_epochs=1, output_numpy=True)
    assert [column.shape for column in row] == [(3, 3, 3)] * 5


def test_erase_pads_and_converts() -> None:
    written = IMAGE.copy()
    vision.Erase(0, 0, 6, 1, (1, 2, 3), inplace=True)(written)
    assert (written[:, 0] == [1, 2, 3]).all() and (written[:, 1:] == IMAGE[:, 1:]).all()
    normal = vision.NormalizePad([1, 2, 3], [4, 5, 6])(IMAGE)
    np.testing.assert_array_equal(normal[..., :3], vision.Normalize([1, 2, 3], [4, 5, 6])(IMAGE))
    assert normal.shape == (6, 5, 4) and not normal[..., 3].any()
    first = vision.NormalizePad([1, 2, 3], [4, 5, 6], is_hwc=False)(IMAGE.transpose(2, 0, 1))
    np.testing.assert_array_equal(first, normal.transpose(2, 0, 1))
    mean, matrix = np.arange(6.0), np.random.RandomState(3).rand(6, 6)
    small = FLOATS[:1, :2].transpose(2, 0, 1)
    np.testing.assert_allclose(
        vision.LinearTransformation(matrix, mean)(small), ((small.ravel() - mean) @ matrix).reshape(small.shape)
    )
    rgba = vision.ConvertColor(ConvertMode.COLOR_BGR2RGBA)(IMAGE)
    np.testing.assert_array_equal(rgba[..., :3], IMAGE[..., ::-1])
    assert (rgba[..., 3] == 255).all() and (vision.ConvertColor(ConvertMode.COLOR_RGB2RGBA)(FLOATS)[..., 3] == 1).all()
    gray = vision.ConvertColor(ConvertMode.COLOR_BGRA2GRAY)(vision.ConvertColor(ConvertMode.COLOR_RGB2BGRA)(IMAGE))
    np.testing.assert_array_equal(gray, vision.Grayscale()(IMAGE))
    assert vision.ConvertColor(ConvertMode.COLOR_GRAY2RGB)(gray).shape == (6, 5, 3)
    assert vision.ToType(np.float32)(IMAGE).dtype == np.float32
    np.testing.assert_array_equal(vision.ToNumpy()(Image.fromarray(IMAGE)), IMAGE)


# Policies


def applied(name: str, magnitude: float) -> np.ndarray:
    policy = vision.RandAugment()
    return policy._applied(Rng(0, np.arange(1)), name, magnitude, LARGE[None])[0]


def test_operations_of_policies() -> None:
    width, height = LARGE.shape[1::-1]
    for name, magnitude, wanted in (
        ("Identity", 0, LARGE), ("Invert", 0, 255 - LARGE), ("Posterize", 5, vision.Posterize(5)(LARGE)),
        ("Solarize", 100, np.where(LARGE >= 100, 255 - LARGE, LARGE)), ("Equalize", 0, vision.Equalize()(LARGE)),
        ("AutoContrast", 0, vision.AutoContrast()(LARGE)), ("Brightness", 0.3, vision.AdjustBrightness(1.3)(LARGE)),
        ("Color", -0.9, vision.AdjustSaturation(0.1)(LARGE)), ("Contrast", 0.3, vision.AdjustContrast(1.3)(LARGE)),
        ("Sharpness", 0.3, vision.AdjustSharpness(1.3)(LARGE)), ("Rotate", 30, vision.Rotate(30)(LARGE)),
        ("ShearX", 0.3, vision.Affine(0, (0, 0), 1, np.degrees(0.3))(LARGE)),
        ("ShearY", -0.3, vision.Affine(0, (0, 0), 1, (0, -np.degrees(0.3)))(LARGE)),
        ("TranslateX", 3, vision.Affine(0, (3 / width, 0), 1, 0)(LARGE)),
        ("TranslateY", -2, vision.Affine(0, (0, -2 / height), 1, 0)(LARGE)),
    ):  # fmt: skip
        np.testing.assert_array_equal(applied(name, magnitude), wanted, name)
    np.testing.assert_array_equal(applied("TranslateX", 3)[:, 3:], LARGE[:, :-3])


def test_policies_draw_from_their_spaces() -> None:
    rng = Rng(5, np.arange(6000))
    steps = vision.RandAugment(1, 30, 31).drawn(rng, 331, 662)
    drawn = {step for ((step),) in steps}
    names = {name for name, _ in drawn}
    assert len(names) == 14 and {m for n, m in drawn if n == "TranslateX"} == {300.0, -300.0}
    assert {m for n, m in drawn if n == "TranslateY"} == {150.0, -150.0}
    assert {m for n, m in drawn if n == "Posterize"} == {4.0} and {m for n, m in drawn if n == "Solarize"} == {0.0}
    counts = [sum(name == of[0][0] for of in steps) for name in names]
    assert min(counts) > 6000 / 14 * 0.8 and max(counts) < 6000 / 14 * 1.2
    wide = {step for ((step),) in vision.TrivialAugmentWide(5).drawn(Rng(5, np.arange(6000)), 32, 32)}
    assert sorted({abs(m) for n, m in wide if n == "Rotate"}) == [0.0, 33.75, 67.5, 101.25, 135.0]
    assert sorted({m for n, m in wide if n == "Posterize"}) == [2.0, 4.0, 5.0, 6.0, 8.0]
    assert vision.RandAugment(0)(LARGE).tolist() == LARGE.tolist()


def test_the_policies_of_the_paper() -> None:
    for policy, first, last in (
        ("IMAGENET", (("Posterize", 0.4, 8), ("Rotate", 0.6, 9)), (("Equalize", 0.8, 0), ("Equalize", 0.6, 0))),
        ("CIFAR10", (("Invert", 0.1, 0), ("Contrast", 0.2, 6)), (("TranslateY", 0.7, 9), ("AutoContrast", 0.9, 0))),
        ("SVHN", (("ShearX", 0.9, 4), ("Invert", 0.2, 0)), (("ShearX", 0.7, 2), ("Invert", 0.1, 0))),
    ):
        pairs = policies._parsed(policies._POLICIES[vision.AutoAugmentPolicy[policy]])
        assert len(pairs) == 25 and pairs[0] == first and pairs[-1] == last
        steps = vision.AutoAugment(vision.AutoAugmentPolicy[policy]).drawn(Rng(1, np.arange(4000)), 32, 32)
        assert {len(of) for of in steps} == {0, 1, 2}
        wanted = sum(prob for pair in pairs for _, prob, _ in pair) / 25
        assert sum(map(len, steps)) / 4000 == pytest.approx(wanted, abs=0.05)


def test_policies_of_given_operations() -> None:
    darker, flipped = (lambda x: x // 2), vision.HorizontalFlip()
    kinds = {x.tobytes() for x in (LARGE, LARGE // 2, LARGE[:, ::-1], LARGE[:, ::-1] // 2)}
    uniform = vision.UniformAugment([darker, flipped], 2)
    assert {uniform(LARGE).tobytes() for _ in range(60)} == kinds
    chosen = vision.RandomSelectSubpolicy([[(darker, 1.0)], [(flipped, 1.0), (darker, 0.0)]])
    assert {chosen(LARGE).tobytes() for _ in range(40)} == {(LARGE // 2).tobytes(), LARGE[:, ::-1].tobytes()}


def test_mix_up_keeps_its_shares() -> None:
    images, labels = np.random.RandomState(4).rand(3, 4, 5, 2), np.eye(3)
    mixed, shares = vision.MixUp(3, 0.4)(images, labels)
    own = shares[np.arange(3), np.arange(3)]
    np.testing.assert_allclose(shares[np.arange(3), (np.arange(3) + 1) % 3], 1 - own)
    by = own[:, None, None, None]
    np.testing.assert_allclose(mixed, by * images + (1 - by) * np.roll(images, -1, axis=0))
    several = vision.MixUp(3, 0.4, is_single=False)
    np.testing.assert_array_equal(several(images, labels)[0], images)
    assert not np.array_equal(several(images, labels[::-1])[1], labels[::-1])


# Boxes

BOXES = np.array([[1, 2, 4, 5, 9], [6, 0, 8, 12, 8]], np.float64)


def test_boxes_go_with_the_image() -> None:
    image, boxes = vision.RandomHorizontalFlipWithBBox(1.0)(LARGE, BOXES)
    np.testing.assert_array_equal(image, LARGE[:, ::-1])
    assert boxes.dtype == np.float32 and boxes.tolist() == [[9, 2, 4, 5, 9], [0, 0, 8, 12, 8]]
    image, boxes = vision.RandomVerticalFlipWithBBox(1.0)(LARGE, BOXES)
    np.testing.assert_array_equal(image, LARGE[::-1])
    assert boxes.tolist() == [[1, 5, 4, 5, 9], [6, 0, 8, 12, 8]]
    assert vision.RandomVerticalFlipWithBBox(0.0)(LARGE, BOXES)[1].tolist() == BOXES.tolist()
    image, boxes = vision.ResizeWithBBox((6, 28))(LARGE, BOXES)
    np.testing.assert_array_equal(image, vision.Resize((6, 28))(LARGE))
    assert boxes.tolist() == [[2, 1, 8, 2.5, 9], [12, 0, 16, 6, 8]]
    assert vision.RandomResizeWithBBox((6, 28))(LARGE, BOXES)[1].tolist() == boxes.tolist()


def test_boxes_of_parts() -> None:
    numbered = np.arange(12 * 14, dtype=np.int32).reshape(12, 14)
    for _ in range(30):
        part, boxes = vision.RandomCropWithBBox((4, 5), padding=(1, 2, 0, 0), fill_value=0)(numbered + 1, BOXES)
        inside = np.argwhere(part)[0]
        top, left = np.divmod(part[tuple(inside)] - 1, 14) - inside
        wanted = []
        for x, y, w, h, label in BOXES:
            x0, y0, x1, y1 = (
                np.clip(v - o, 0, n) for v, o, n in ((x, left, 5), (y, top, 4), (x + w, left, 5), (y + h, top, 4))
            )
            if x + w >= left and x <= left + 5 and y + h >= top and y <= top + 4:
                wanted.append([x0, y0, x1 - x0, y1 - y0, label])
        assert boxes.tolist() == wanted
    image, boxes = vision.RandomResizedCropWithBBox((8, 9), (0.3, 0.5))(LARGE, BOXES)
    assert image.shape == (8, 9, 3) and (boxes[:, :2] + boxes[:, 2:4] <= [9.01, 8.01]).all()
    _, boxes = vision.RandomResizedCropWithBBox((24, 28), (1, 1), (14 / 12, 14 / 12))(LARGE, BOXES)
    np.testing.assert_array_equal(boxes[:, :4], BOXES[:, :4] * 2)
    augmented, boxes = vision.BoundingBoxAugment(vision.VerticalFlip(), 0.5)(LARGE, BOXES)
    changed = [augmented[2:7, 1:5].tolist() == LARGE[2:7, 1:5][::-1].tolist(),
               augmented[:, 6:].tolist() == LARGE[::-1, 6:].tolist()]  # fmt: skip
    assert sum(changed) == 1 and boxes.tolist() == BOXES.tolist()
    shrunk, _ = vision.BoundingBoxAugment(vision.Resize((2, 2)), 1.0)(LARGE, BOXES)
    assert shrunk.shape == LARGE.shape and not np.array_equal(shrunk, LARGE)


# Files


def test_files_of_images(tmp_path: Path) -> None:
    png, jpeg, raw = (str(tmp_path / name) for name in ("a.png", "a.jpg", "a.raw"))
    vision.write_png(png, IMAGE)
    np.testing.assert_array_equal(vision.read_image(png), IMAGE)
    np.testing.assert_array_equal(vision.read_file(png), vision.encode_png(IMAGE))
    np.testing.assert_array_equal(vision.Decode()(vision.read_file(png)), IMAGE)
    assert vision.read_image(png, vision.ImageReadMode.GRAYSCALE).shape == (6, 5, 1)
    vision.write_png(png, IMAGE[..., :1])
    np.testing.assert_array_equal(vision.read_image(png), IMAGE[..., :1])
    assert vision.read_image(png, vision.ImageReadMode.COLOR).shape == (6, 5, 3)
    smooth = np.broadcast_to(np.arange(0, 240, 8, np.uint8)[:, None], (30, 30))
    vision.write_jpeg(jpeg, smooth, 100)
    assert np.abs(vision.read_image(jpeg)[..., 0].astype(int) - smooth).max() <= 2
    assert len(vision.encode_jpeg(LARGE, 10)) < len(vision.encode_jpeg(LARGE, 100))
    vision.write_file(raw, np.arange(5, dtype=np.uint8))
    assert vision.read_file(raw).tolist() == [0, 1, 2, 3, 4]
    assert vision.get_image_size(IMAGE) == [6, 5] == vision.get_image_size(Image.fromarray(IMAGE))
    assert vision.get_image_num_channels(IMAGE) == 3 and vision.get_image_num_channels(IMAGE[..., 0]) == 1
    for mistake, error in (
        (lambda: vision.read_image(raw), ValueError), (lambda: vision.read_file("nowhere"), FileNotFoundError),
        (lambda: vision.write_file(raw, IMAGE), TypeError), (lambda: vision.encode_png(FLOATS), TypeError),
        (lambda: vision.encode_jpeg(IMAGE, 0), ValueError), (lambda: vision.read_file(3), TypeError),
    ):  # fmt: skip
        with pytest.raises(error):
            mistake()


@pytest.mark.parametrize(
    ("mistake", "error"),
    [
        (lambda: vision.AdjustSharpness(-1.0), ValueError),
        (lambda: vision.GaussianBlur(4), ValueError),
        (lambda: vision.GaussianBlur(3, 0.0), ValueError),
        (lambda: vision.GaussianBlur(3, (1.0, 1.0, 1.0)), ValueError),
        (lambda: vision.Affine(1, (2, 0), 1, 0), ValueError),
        (lambda: vision.Affine(1, (0, 0), 0, 0), ValueError),
        (lambda: vision.Affine(1, (0, 0), 1, (1, 2, 3)), ValueError),
        (lambda: vision.Affine(1, (0, 0), 1, 0, Inter.ANTIALIAS), ValueError),
        (lambda: vision.RandomAffine(-5), ValueError),
        (lambda: vision.RandomAffine(5, (0.1, 0.2, 0.3)), ValueError),
        (lambda: vision.RandomAffine(5, scale=(0, 1)), ValueError),
        (lambda: vision.Perspective(START[:3], END), ValueError),
        (lambda: vision.Perspective(START, [[0, 0], [1, 1], [2, 2], [3, 3]])(IMAGE), ValueError),
        (lambda: vision.RandomPerspective(1.5), ValueError),
        (lambda: vision.ResizedCrop(3, 0, 4, 3, 5)(IMAGE), ValueError),
        (lambda: vision.PadToSize(4)(IMAGE), ValueError),
        (lambda: vision.PadToSize(9, (1, 2, 3)), ValueError),
        (lambda: vision.FiveCrop(7)(IMAGE), ValueError),
        (lambda: vision.SlicePatches(7, 1, vision.SliceMode.DROP)(IMAGE), ValueError),
        (lambda: vision.SlicePatches(fill_value=256), ValueError),
        (lambda: vision.Erase(4, 0, 3, 1)(IMAGE), ValueError),
        (lambda: vision.Erase(0, 0, 1, 1, 256), ValueError),
        (lambda: vision.NormalizePad([1], [1], "float16"), ValueError),
        (lambda: vision.LinearTransformation(np.eye(3), np.zeros(2)), ValueError),
        (lambda: vision.LinearTransformation(np.eye(3), np.zeros(3))(IMAGE), ValueError),
        (lambda: vision.RandomLighting(-1.0), ValueError),
        (lambda: vision.ConvertColor(ConvertMode.COLOR_RGBA2BGR)(IMAGE), ValueError),
        (lambda: vision.ConvertColor(4), TypeError),
        (lambda: vision.RgbToHsv(1), TypeError),
        (lambda: vision.RandAugment(magnitude=31), ValueError),
        (lambda: vision.RandAugment()(FLOATS), TypeError),
        (lambda: vision.AutoAugment("svhn"), TypeError),
        (lambda: vision.TrivialAugmentWide(1), ValueError),
        (lambda: vision.UniformAugment([], 1), TypeError),
        (lambda: vision.UniformAugment([abs], 2), ValueError),
        (lambda: vision.RandomSelectSubpolicy([[]]), ValueError),
        (lambda: vision.RandomSelectSubpolicy([[(abs, 2.0)]]), ValueError),
        (lambda: vision.MixUp(2, 1.0)(np.zeros((3, 2, 2, 1)), np.eye(3)), ValueError),
        (lambda: vision.RandomHorizontalFlipWithBBox()(LARGE), ValueError),
        (lambda: vision.RandomHorizontalFlipWithBBox()(LARGE, BOXES[:, :3]), ValueError),
        (lambda: vision.RandomHorizontalFlipWithBBox()(LARGE, BOXES + 1), ValueError),
        (lambda: vision.RandomCropWithBBox(20)(LARGE, BOXES), ValueError),
        (lambda: vision.BoundingBoxAugment(3), TypeError),
    ],
)
def test_errors(mistake: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        mistake()
