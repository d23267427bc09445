"""Image operations for `Dataset.map`: arrays [H, W], [H, W, C] or PIL images in, arrays out.

    dataset.map([vision.Resize((32, 32)), vision.Rescale(1 / 255, 0), vision.HWC2CHW()], "image")

All work on a whole portion of images at once where these agree in shape. Random ones draw from the sample's place in
the epoch (see `transforms`), and do the same to every column they are given.
"""
# ruff: noqa: F403 (each module says in its `__all__` what users see)

from graphc.dataset.images import Border as Border
from graphc.dataset.images import Inter as Inter
from graphc.dataset.vision.bounding_boxes import *
from graphc.dataset.vision.cuts import *
from graphc.dataset.vision.erasing import *
from graphc.dataset.vision.formats import *
from graphc.dataset.vision.mixes import *
from graphc.dataset.vision.orientation import *
from graphc.dataset.vision.picture_files import *
from graphc.dataset.vision.policies import *
from graphc.dataset.vision.sizes import *
from graphc.dataset.vision.tones import *
from graphc.dataset.vision.values import *
from graphc.dataset.vision.warps import *

__all__ = sorted(name for name, value in vars().items() if getattr(value, "__module__", "").startswith("graphc."))
