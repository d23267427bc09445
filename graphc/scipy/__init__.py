"""What MindSpore has under `mindspore.scipy`: linear algebra and cosine transforms under SciPy's names."""

from graphc.scipy import fft, linalg

__all__ = ["fft", "linalg"]
