"""What MindSpore has under `mindspore.scipy`: linear algebra under SciPy's names."""

from graphc.scipy import linalg

__all__ = ["linalg"]
