"""NumPy's names for the ops, as `mindspore.numpy` has them: `mnp.arange(5)`, `mnp.sum(x, axis=0, keepdims=True)`.

Arguments are named and ordered as NumPy's. Whole numbers are int32 and others float32 where the program does not say,
as in MindSpore. What NumPy calls as `graphc.ops` does is the same function.
"""
# ruff: noqa: F403 (each module says in its `__all__` what users see)

from __future__ import annotations

import math

from graphc import aliases
from graphc.dtype import (
    DType,
    bool_,
    complex64,
    complex128,
    float16,
    float32,
    float64,
    int8,
    int16,
    int32,
    int64,
    missing,
    uint8,
    uint16,
    uint32,
)
from graphc.numpy import (
    arithmetic,
    creation,
    fft,
    places,
    polynomials,
    reductions,
    selection,
    sets,
    shapes,
    statistics,
    ufuncs,
)
from graphc.numpy.arithmetic import *
from graphc.numpy.creation import *
from graphc.numpy.places import *
from graphc.numpy.polynomials import *
from graphc.numpy.reductions import *
from graphc.numpy.selection import *
from graphc.numpy.sets import *
from graphc.numpy.shapes import *
from graphc.numpy.statistics import *
from graphc.numpy.ufuncs import *

__all__ = [
    "amax", "amin", "bool_", "complex64", "complex128", "e", "fft", "float16", "float32", "float64", "inf", "int8",
    "int16", "int32", "int64", "nan", "pi", "uint8", "uint16", "uint32",
]  # fmt: skip
__all__ += arithmetic.__all__
__all__ += creation.__all__
__all__ += places.__all__
__all__ += polynomials.__all__
__all__ += reductions.__all__
__all__ += selection.__all__
__all__ += sets.__all__
__all__ += shapes.__all__
__all__ += statistics.__all__
__all__ += ufuncs.__all__

pi, e, inf, nan = math.pi, math.e, math.inf, math.nan

amax, amin = reductions.max, reductions.min


def __getattr__(name: str) -> DType:
    raise missing("graphc.numpy", name)


aliases.attach(__name__)
