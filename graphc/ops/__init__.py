"""The operations: `graphc.ops`, by MindSpore's names and arguments.

Functions (`ops.softmax(x)`), and the older classes (`ops.Softmax()(x)`) of `graphc.ops.primitives`. The modules beside
this one hold the op table, one family each.
"""
# ruff: noqa: F401, F403 (each module says in its `__all__` what users see)

from __future__ import annotations

import importlib
import sys
from types import FunctionType
from typing import Any

from graphc.eager import as_one_piece, at_once, of_ops
from graphc.gradients import GradOperation as GradOperation
from graphc.gradients import HookBackward as HookBackward
from graphc.gradients import InsertGradientOf as InsertGradientOf
from graphc.gradients import derivative as derivative
from graphc.gradients import get_grad as get_grad
from graphc.gradients import grad as grad
from graphc.gradients import jacfwd as jacfwd
from graphc.gradients import jacrev as jacrev
from graphc.gradients import jet as jet
from graphc.gradients import jvp as jvp
from graphc.gradients import linearize as linearize
from graphc.gradients import stop_gradient as stop_gradient
from graphc.gradients import value_and_grad as value_and_grad
from graphc.gradients import vjp as vjp
from graphc.ops import activation as _activation
from graphc.ops import adaptive_pool as _adaptive_pool
from graphc.ops import arrays as _arrays
from graphc.ops import attention as _attention
from graphc.ops import bessel as _bessel
from graphc.ops import boxes as _boxes
from graphc.ops import candidates as _candidates
from graphc.ops import complex_numbers as _complex_numbers
from graphc.ops import composite as _composite
from graphc.ops import conv as _conv
from graphc.ops import creation as _creation
from graphc.ops import ctc as _ctc
from graphc.ops import determinant as _determinant
from graphc.ops import draws as _draws
from graphc.ops import fourier as _fourier
from graphc.ops import fractional_pool as _fractional_pool
from graphc.ops import frequencies as _frequencies
from graphc.ops import functions as _functions
from graphc.ops import gamma_functions as _gamma_functions
from graphc.ops import gather as _gather
from graphc.ops import householder as _householder
from graphc.ops import incomplete_gamma as _incomplete_gamma
from graphc.ops import linalg as _linalg
from graphc.ops import loss as _loss
from graphc.ops import matrices as _matrices
from graphc.ops import methods  # gives Tensor its methods
from graphc.ops import multi_head as _multi_head
from graphc.ops import normalisation as _normalisation
from graphc.ops import one_hot as _one_hot
from graphc.ops import patches as _patches
from graphc.ops import pool as _pool
from graphc.ops import primitives_arrays as _rows  # more rows of the table of classes
from graphc.ops import primitives_complex as _complex
from graphc.ops import primitives_networks as _networks
from graphc.ops import primitives_numbers as _numbers
from graphc.ops import primitives_steps as _steps
from graphc.ops import random as _random
from graphc.ops import reduce as _reduce
from graphc.ops import resize as _resize
from graphc.ops import sample as _sample
from graphc.ops import scan as _scan
from graphc.ops import scatter as _scatter
from graphc.ops import segments as _segments
from graphc.ops import selection as _selection
from graphc.ops import sets as _sets
from graphc.ops import shape as _shape
from graphc.ops import solvers as _solvers
from graphc.ops import statistics as _statistics
from graphc.ops import summary as _summary
from graphc.ops import triangles as _triangles
from graphc.ops import unpool as _unpool
from graphc.ops import zeta as _zeta
from graphc.ops.activation import *
from graphc.ops.adaptive_pool import *
from graphc.ops.arrays import *
from graphc.ops.attention import *
from graphc.ops.bessel import *
from graphc.ops.boxes import *
from graphc.ops.candidates import *
from graphc.ops.complex_numbers import *
from graphc.ops.composite import *
from graphc.ops.control import *
from graphc.ops.conv import *
from graphc.ops.creation import *
from graphc.ops.ctc import *
from graphc.ops.custom import Custom as Custom
from graphc.ops.determinant import *
from graphc.ops.draws import *
from graphc.ops.elementwise import cast as cast
from graphc.ops.fourier import *
from graphc.ops.fractional_pool import *
from graphc.ops.frequencies import *
from graphc.ops.functions import *
from graphc.ops.gamma_functions import *
from graphc.ops.gather import *
from graphc.ops.householder import *
from graphc.ops.incomplete_gamma import *
from graphc.ops.inplace import *
from graphc.ops.linalg import *
from graphc.ops.loss import *
from graphc.ops.matrices import *
from graphc.ops.multi_head import *
from graphc.ops.normalisation import *
from graphc.ops.older import *
from graphc.ops.one_hot import *
from graphc.ops.patches import *
from graphc.ops.pool import *
from graphc.ops.primitive_classes import PRIMITIVES
from graphc.ops.primitive_classes import Primitive as Primitive
from graphc.ops.primitive_classes import PrimitiveWithCheck as PrimitiveWithCheck
from graphc.ops.primitive_classes import PrimitiveWithInfer as PrimitiveWithInfer
from graphc.ops.primitive_classes import prim_attr_register as prim_attr_register
from graphc.ops.primitives import ReduceOp as ReduceOp
from graphc.ops.primitives_pictures import *
from graphc.ops.random import *
from graphc.ops.reduce import *
from graphc.ops.resize import *
from graphc.ops.sample import *
from graphc.ops.scan import *
from graphc.ops.scatter import *
from graphc.ops.segments import *
from graphc.ops.selection import *
from graphc.ops.sets import *
from graphc.ops.shape import *
from graphc.ops.solvers import *
from graphc.ops.sparse_tensors import *
from graphc.ops.statistics import *
from graphc.ops.tapers import *
from graphc.ops.triangles import *
from graphc.ops.unpool import *
from graphc.ops.zeta import *

for _name in (
    *_activation.__all__, *_attention.__all__, *_boxes.__all__, *_composite.__all__, *_ctc.__all__,
    *_householder.__all__, *_loss.__all__, *_multi_head.__all__, *_normalisation.__all__, *_segments.__all__,
    "clip_by_global_norm", "clip_by_norm",
):  # fmt: skip
    globals()[_name] = as_one_piece(globals()[_name])
for _name in (
    *_adaptive_pool.__all__, *_conv.__all__, *_fourier.__all__, *_fractional_pool.__all__, *_gather.__all__,
    *_linalg.__all__, *_one_hot.__all__, *_pool.__all__, *_reduce.__all__, *_selection.__all__, *_shape.__all__,
    *_triangles.__all__,
):  # fmt: skip
    globals()[_name] = of_ops(globals()[_name])
for _module in (
    _arrays, _bessel, _complex_numbers, _determinant, _frequencies, _functions, _gamma_functions, _incomplete_gamma,
    _matrices, _patches, _resize, _sample, _scan, _scatter, _sets, _solvers, _statistics, _unpool, _zeta,
):  # fmt: skip
    for _name in _module.__all__:
        _function = globals()[_name]
        if isinstance(_function, FunctionType) and not hasattr(_function, "__wrapped__"):
            globals()[_name] = at_once(_function)
for _name in (*_candidates.__all__, *_creation.__all__, *_draws.__all__, *_random.__all__):
    globals()[_name] = at_once(globals()[_name])

operations = functional = composite = sys.modules[__name__]  # MindSpore's older names of parts of this module


def __getattr__(name: str) -> Any:
    """The classes of `graphc.ops.primitives`, by name, and what is built on this module: `vmap`, functions of `mint`.

    MindSpore calls `mint.split` and its like `split_ext` where this module has another `split`.
    """
    if name in PRIMITIVES:
        return PRIMITIVES[name]
    if name.endswith("_ext"):
        mint, short = importlib.import_module("graphc.mint"), name.removesuffix("_ext")
        home = mint if short in mint.__all__ else mint.functional
        if hasattr(home, short):
            return getattr(home, short)
    if name == "conv_transpose2d":
        return importlib.import_module("graphc.mint").functional.conv_transpose2d
    if name == "vmap":
        from graphc.vmap import vmap  # written with this module

        return vmap
    raise AttributeError(f"module 'graphc.ops' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *PRIMITIVES})
