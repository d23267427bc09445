"""Augmentation policies: operations drawn at random for each image, and how strong they are.

RandAugment (Cubuk et al. 2020), AutoAugment (Cubuk et al. 2019) and TrivialAugmentWide (Mueller, Hutter 2021) draw from
one set of operations on uint8 images [H, W, 3], and differ in how they draw; `UniformAugment` and
`RandomSelectSubpolicy` draw from operations that the program gives.
"""

import math
from abc import abstractmethod
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Any

import numpy as np

from graphc.dataset import images as ops
from graphc.dataset.check import check_int
from graphc.dataset.images import Inter
from graphc.dataset.rng import Rng
from graphc.dataset.transforms import Chain, Transform, check_probability
from graphc.dataset.vision.image_transform import (
    ImageTransform,
    check_uint8,
    parse_fill,
    parse_member,
)
from graphc.dataset.vision.orientation import Rotate
from graphc.dataset.vision.tones import AutoContrast, Equalize, Posterize, Solarize
from graphc.dataset.vision.warps import Affine

__all__ = [
    "AutoAugment", "AutoAugmentPolicy", "RandAugment", "RandomSelectSubpolicy", "TrivialAugmentWide", "UniformAugment",
]  # fmt: skip

Magnitudes = tuple[np.ndarray, bool]
"""How strong an operation is at each level, and whether that may be either way."""

_NONE: Magnitudes = (np.zeros(0), False)
_PAPER_SIZE = 331
"""Images of this size, in the papers, are moved by up to 150 pixels."""


def _space(
    levels: int, shear: float, shift: tuple[float, float], turn: float, tone: float, bits: int
) -> dict[str, Magnitudes]:
    """The operations, each with magnitudes from none to the greatest given; images keep 8 to 8 - `bits` bits."""

    def up_to(most: float) -> Magnitudes:
        return np.linspace(0.0, most, levels), True

    kept = 8 - np.rint(np.arange(levels) / ((levels - 1) / bits))
    return {
        "Identity": _NONE,
        "ShearX": up_to(shear), "ShearY": up_to(shear), "TranslateX": up_to(shift[0]), "TranslateY": up_to(shift[1]),
        "Rotate": up_to(turn), "Brightness": up_to(tone), "Color": up_to(tone), "Contrast": up_to(tone),
        "Sharpness": up_to(tone), "Posterize": (kept, False), "Solarize": (np.linspace(255.0, 0.0, levels), False),
        "AutoContrast": _NONE, "Equalize": _NONE, "Invert": _NONE,
    }  # fmt: skip


class _Policy(ImageTransform):
    """Applies operations by name."""

    def __init__(self, interpolation: Inter, fill_value: int | Sequence[int]) -> None:
        name = type(self).__name__
        self._inter = parse_member(
            f"{name}: interpolation", interpolation, [Inter.NEAREST, Inter.BILINEAR, Inter.BICUBIC, Inter.AREA]
        )
        parse_fill(name, fill_value)
        self._fill = fill_value

    @abstractmethod
    def drawn(self, rng: Rng, height: int, width: int) -> list[list[tuple[str, float]]]:
        """For every sample the operations to apply, with their magnitudes."""

    def images(self, rng: Rng, images: np.ndarray) -> np.ndarray:
        check_uint8(type(self).__name__, images, 3)
        out = images.copy()
        for i, steps in enumerate(self.drawn(rng, *images.shape[1:3])):
            for name, magnitude in steps:
                out[i : i + 1] = self._applied(rng, name, magnitude, out[i : i + 1])
        return out

    def _applied(self, rng: Rng, name: str, magnitude: float, image: np.ndarray) -> np.ndarray:
        if name in _TONES:
            return _TONES[name](image, np.array([1 + magnitude]))
        operation = self._operation(name, magnitude, image.shape[1], image.shape[2])
        return image if operation is None else np.asarray(operation.images(rng, image))

    def _operation(self, name: str, magnitude: float, height: int, width: int) -> ImageTransform | None:
        if name in ("ShearX", "ShearY"):
            lean = math.degrees(magnitude)
            shear = (lean, 0.0) if name == "ShearX" else (0.0, lean)
            return Affine(0, (0, 0), 1, shear, self._inter, self._fill)
        if name in ("TranslateX", "TranslateY"):
            move = (magnitude / width, 0.0) if name == "TranslateX" else (0.0, magnitude / height)
            return Affine(0, tuple(np.clip(move, -1, 1)), 1, 0, self._inter, self._fill)
        if name == "Rotate":
            inter = Inter.BILINEAR if self._inter is Inter.AREA else self._inter
            return Rotate(magnitude, inter, fill_value=self._fill)
        if name == "Posterize":
            return Posterize(int(magnitude))
        if name == "Solarize":
            return Solarize(magnitude)
        return _PLAIN.get(name)


_TONES: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "Brightness": ops.adjust_brightness, "Color": ops.adjust_saturation, "Contrast": ops.adjust_contrast,
    "Sharpness": ops.adjust_sharpness,
}  # fmt: skip


class _Invert(ImageTransform):
    def images(self, rng: Rng, images: np.ndarray) -> np.ndarray:
        return 255 - images


_PLAIN: dict[str, ImageTransform] = {
    "AutoContrast": AutoContrast(), "Equalize": Equalize(), "Invert": _Invert()
}  # fmt: skip


def _from_space(
    rng: Rng, space: dict[str, Magnitudes], names: list[str], level: Callable[[int], np.ndarray]
) -> list[tuple[str, float]]:
    """For every sample an operation of the space, at a level drawn or given, either way where that may be."""
    chosen, levels, signs = rng.integers(0, len(names)), level(len(rng)), rng.integers(0, 2)
    found = []
    for which, at, sign in zip(chosen.tolist(), levels.tolist(), signs.tolist(), strict=True):
        magnitudes, signed = space[names[which]]
        magnitude = float(magnitudes[at]) if len(magnitudes) else 0.0
        found.append((names[which], -magnitude if signed and sign else magnitude))
    return found


_DRAWN = [
    "Identity", "ShearX", "ShearY", "TranslateX", "TranslateY", "Rotate", "Brightness", "Color", "Contrast",
    "Sharpness", "Posterize", "Solarize", "AutoContrast", "Equalize",
]  # fmt: skip


class RandAugment(_Policy):
    """Apply operations drawn at random to an image, all of one magnitude.

    Args:
        num_ops: how many, one after the other.
        magnitude: their level, below `num_magnitude_bins`.
        num_magnitude_bins: how many levels there are, at least 2.
        interpolation: `Inter.NEAREST`, `BILINEAR`, `BICUBIC` or `AREA`, where points move.
        fill_value: colour of what comes from outside, a number or three.
    """

    def __init__(
        self, num_ops: int = 2, magnitude: int = 9, num_magnitude_bins: int = 31,
        interpolation: Inter = Inter.NEAREST, fill_value: int | Sequence[int] = 0,
    ) -> None:
        super().__init__(interpolation, fill_value)
        self._count = check_int("RandAugment: num_ops", num_ops, 0)
        self._levels = check_int("RandAugment: num_magnitude_bins", num_magnitude_bins, 2)
        self._level = check_int("RandAugment: magnitude", magnitude, 0, self._levels - 1)

    def drawn(self, rng: Rng, height: int, width: int) -> list[list[tuple[str, float]]]:
        shift = 150.0 / _PAPER_SIZE * width, 150.0 / _PAPER_SIZE * height
        space = _space(self._levels, 0.3, shift, 30.0, 0.9, 4)
        steps = [_from_space(rng, space, _DRAWN, lambda n: np.full(n, self._level)) for _ in range(self._count)]
        return [list(of_sample) for of_sample in zip(*steps, strict=True)] or [[] for _ in range(len(rng))]


class TrivialAugmentWide(_Policy):
    """Apply one operation to an image, itself and its magnitude drawn at random.

    Args:
        num_magnitude_bins: how many levels there are, at least 2.
        interpolation, fill_value: as in `RandAugment`.
    """

    def __init__(
        self, num_magnitude_bins: int = 31, interpolation: Inter = Inter.NEAREST,
        fill_value: int | Sequence[int] = 0,
    ) -> None:
        super().__init__(interpolation, fill_value)
        self._levels = check_int("TrivialAugmentWide: num_magnitude_bins", num_magnitude_bins, 2)

    def drawn(self, rng: Rng, height: int, width: int) -> list[list[tuple[str, float]]]:
        space = _space(self._levels, 0.99, (32.0, 32.0), 135.0, 0.99, 6)
        return [[step] for step in _from_space(rng, space, _DRAWN, lambda n: rng.integers(0, self._levels))]


class AutoAugmentPolicy(StrEnum):
    """The data set that a policy of `AutoAugment` was found on."""

    IMAGENET = "imagenet"
    CIFAR10 = "cifar10"
    SVHN = "svhn"


# Pairs of operations, each with its probability in tenths and, where it has one, its level (of ten).
_POLICIES = {
    AutoAugmentPolicy.IMAGENET: """
Posterize 4 8, Rotate 6 9; Solarize 6 5, AutoContrast 6; Equalize 8, Equalize 6; Posterize 6 7, Posterize 6 6
Equalize 4, Solarize 2 4; Equalize 4, Rotate 8 8; Solarize 6 3, Equalize 6; Posterize 8 5, Equalize 10
Rotate 2 3, Solarize 6 8; Equalize 6, Posterize 4 6; Rotate 8 8, Color 4 0; Rotate 4 9, Equalize 6
Equalize 0, Equalize 8; Invert 6, Equalize 10; Color 6 4, Contrast 10 8; Rotate 8 8, Color 10 2
Color 8 8, Solarize 8 7; Sharpness 4 7, Invert 6; ShearX 6 5, Equalize 10; Color 4 0, Equalize 6
Equalize 4, Solarize 2 4; Solarize 6 5, AutoContrast 6; Invert 6, Equalize 10; Color 6 4, Contrast 10 8
Equalize 8, Equalize 6
""",
    AutoAugmentPolicy.CIFAR10: """
Invert 1, Contrast 2 6; Rotate 7 2, TranslateX 3 9; Sharpness 8 1, Sharpness 9 3; ShearY 5 8, TranslateY 7 9
AutoContrast 5, Equalize 9; ShearY 2 7, Posterize 3 7; Color 4 3, Brightness 6 7; Sharpness 3 9, Brightness 7 9
Equalize 6, Equalize 5; Contrast 6 7, Sharpness 6 5; Color 7 7, TranslateX 5 8; Equalize 3, AutoContrast 4
TranslateY 4 3, Sharpness 2 6; Brightness 9 6, Color 2 8; Solarize 5 2, Invert 0; Equalize 2, AutoContrast 6
Equalize 2, Equalize 6; Color 9 9, Equalize 6; AutoContrast 8, Solarize 2 8; Brightness 1 3, Color 7 0
Solarize 4 5, AutoContrast 9; TranslateY 9 9, TranslateY 7 9; AutoContrast 9, Solarize 8 3; Equalize 8, Invert 1
TranslateY 7 9, AutoContrast 9
""",
    AutoAugmentPolicy.SVHN: """
ShearX 9 4, Invert 2; ShearY 9 8, Invert 7; Equalize 6, Solarize 6 6; Invert 9, Equalize 6; Equalize 6, Rotate 9 3
ShearX 9 4, AutoContrast 8; ShearY 9 8, Invert 4; ShearY 9 5, Solarize 2 6; Invert 9, AutoContrast 8
Equalize 6, Rotate 9 3; ShearX 9 4, Solarize 3 3; ShearY 8 8, Invert 7; Equalize 9, TranslateY 6 6
Invert 9, Equalize 6; Contrast 3 3, Rotate 8 4; Invert 8, TranslateY 0 2; ShearY 7 6, Solarize 4 8
Invert 6, Rotate 8 4; ShearY 3 7, TranslateX 9 3; ShearX 1 6, Invert 6; Solarize 7 2, TranslateY 6 7
ShearY 8 4, Invert 8; ShearX 7 9, TranslateY 8 3; ShearY 8 5, AutoContrast 7; ShearX 7 2, Invert 1
""",
}

Step = tuple[str, float, int]


def _parsed(policy: str) -> list[tuple[Step, Step]]:
    def step(text: str) -> Step:
        name, chance, *level = text.split()
        return name, int(chance) / 10, int(level[0]) if level else 0

    pairs = (pair.split(",") for line in policy.strip().splitlines() for pair in line.split(";"))
    return [(step(first), step(second)) for first, second in pairs]


class AutoAugment(_Policy):
    """Apply a pair of operations to an image, drawn from the 25 of a policy.

    Args:
        policy: an `AutoAugmentPolicy`.
        interpolation, fill_value: as in `RandAugment`.
    """

    def __init__(
        self, policy: AutoAugmentPolicy = AutoAugmentPolicy.IMAGENET, interpolation: Inter = Inter.NEAREST,
        fill_value: int | Sequence[int] = 0,
    ) -> None:
        super().__init__(interpolation, fill_value)
        self._pairs = _parsed(_POLICIES[parse_member("AutoAugment: policy", policy, list(AutoAugmentPolicy))])

    def drawn(self, rng: Rng, height: int, width: int) -> list[list[tuple[str, float]]]:
        shift = 150.0 / _PAPER_SIZE * width, 150.0 / _PAPER_SIZE * height
        space = _space(10, 0.3, shift, 30.0, 0.9, 4)
        chosen = rng.integers(0, len(self._pairs)).tolist()
        chances, signs = rng.uniform(size=2), rng.integers(0, 2, size=2)
        return [
            [
                (name, self._magnitude(space[name], level, bool(sign)))
                for (name, prob, level), chance, sign in zip(self._pairs[which], of_pair, ways, strict=True)
                if chance <= prob
            ]
            for which, of_pair, ways in zip(chosen, chances, signs, strict=True)
        ]

    @staticmethod
    def _magnitude(magnitudes: Magnitudes, level: int, sign: bool) -> float:
        values, signed = magnitudes
        magnitude = float(values[level]) if len(values) else 0.0
        return -magnitude if signed and sign else magnitude


# Of operations that the program gives


class UniformAugment(Transform):
    """Apply some of several operations to a sample, each of them with probability 1/2.

    Args:
        transforms: list of callables.
        num_ops: how many are drawn, at most as many as there are.
    """

    def __init__(self, transforms: Sequence[Callable[..., Any]], num_ops: int = 2) -> None:
        if not isinstance(transforms, (list, tuple)) or not transforms:
            raise TypeError(f"UniformAugment: got transforms {transforms!r}, expected a list of operations")
        self._steps = [Chain(transform) for transform in transforms]
        self._count = check_int("UniformAugment: num_ops", num_ops, 1)
        if self._count > len(self._steps):
            raise ValueError(f"UniformAugment: got num_ops {num_ops} for {len(self._steps)} operations")

    def sample(self, rng: Rng, *columns: Any) -> Any:
        drawn, chances = rng.order(len(self._steps))[0, : self._count].tolist(), rng.uniform(size=self._count)[0]
        for k, chance in zip(drawn, chances, strict=True):
            if chance < 0.5:
                columns = self._steps[k].sample(rng.fold(k), columns)
        return columns[0] if len(columns) == 1 else columns


class RandomSelectSubpolicy(Transform):
    """Apply the operations of one of several lists to a sample, each with its probability.

    Args:
        policy: list of lists of pairs: a callable, and its probability, 0 to 1.
    """

    def __init__(self, policy: Sequence[Sequence[tuple[Callable[..., Any], float]]]) -> None:
        name = "RandomSelectSubpolicy"
        if not isinstance(policy, (list, tuple)) or not policy or not all(policy):
            raise ValueError(f"{name}: got policy {policy!r}, expected lists of pairs (operation, probability)")
        self._lists = [
            [(Chain(operation), check_probability(f"{name}: prob", prob)) for operation, prob in steps]
            for steps in policy
        ]

    def sample(self, rng: Rng, *columns: Any) -> Any:
        steps = self._lists[int(rng.integers(0, len(self._lists))[0])]
        chances = rng.uniform(size=len(steps))[0]
        for k, ((operation, prob), chance) in enumerate(zip(steps, chances, strict=True)):
            if chance < prob:
                columns = operation.sample(rng.fold(k), columns)
        return columns[0] if len(columns) == 1 else columns
