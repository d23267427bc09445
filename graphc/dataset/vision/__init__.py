"""Image operations for `Dataset.map`: arrays [H, W], [H, W, C] or PIL images in, arrays out.

    dataset.map([vision.Resize((32, 32)), vision.Rescale(1 / 255, 0), vision.HWC2CHW()], "image")

All work on a whole portion of images at once where these agree in shape. Random ones draw from the sample's place in
the epoch (see `transforms`), and do the same to every column they are given.
"""

from graphc.dataset.images import Border, Inter
from graphc.dataset.vision.erasing import CutOut, RandomErasing
from graphc.dataset.vision.formats import HWC2CHW, Decode, ToPIL, ToTensor
from graphc.dataset.vision.mixes import CutMixBatch, ImageBatchFormat, MixUpBatch
from graphc.dataset.vision.orientation import (
    HorizontalFlip,
    RandomHorizontalFlip,
    RandomRotation,
    RandomVerticalFlip,
    Rotate,
    VerticalFlip,
)
from graphc.dataset.vision.sizes import (
    CenterCrop,
    Crop,
    Pad,
    RandomCrop,
    RandomCropDecodeResize,
    RandomResizedCrop,
    Resize,
)
from graphc.dataset.vision.tones import (
    AdjustBrightness,
    AdjustContrast,
    AdjustGamma,
    AdjustHue,
    AdjustSaturation,
    AutoContrast,
    Equalize,
    Posterize,
    RandomColor,
    RandomGrayscale,
    RandomPosterize,
    RandomSharpness,
    RandomSolarize,
    Solarize,
)
from graphc.dataset.vision.values import Grayscale, Invert, Normalize, RandomColorAdjust, Rescale

__all__ = [
    "HWC2CHW",
    "AdjustBrightness",
    "AdjustContrast",
    "AdjustGamma",
    "AdjustHue",
    "AdjustSaturation",
    "AutoContrast",
    "Border",
    "CenterCrop",
    "Crop",
    "CutMixBatch",
    "CutOut",
    "Decode",
    "Equalize",
    "Grayscale",
    "HorizontalFlip",
    "ImageBatchFormat",
    "Inter",
    "Invert",
    "MixUpBatch",
    "Normalize",
    "Pad",
    "Posterize",
    "RandomColor",
    "RandomColorAdjust",
    "RandomCrop",
    "RandomCropDecodeResize",
    "RandomErasing",
    "RandomGrayscale",
    "RandomHorizontalFlip",
    "RandomPosterize",
    "RandomResizedCrop",
    "RandomRotation",
    "RandomSharpness",
    "RandomSolarize",
    "RandomVerticalFlip",
    "Rescale",
    "Resize",
    "Rotate",
    "Solarize",
    "ToPIL",
    "ToTensor",
    "VerticalFlip",
]
