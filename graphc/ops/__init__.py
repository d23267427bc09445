"""The operations: `graphc.ops`, by MindSpore's names and arguments.

Functions (`ops.softmax(x)`), and the older classes (`ops.Softmax()(x)`) of `graphc.ops.primitives`. The modules beside
this one hold the op table, one family each.
"""
# ruff: noqa: F403 (each module says in its `__all__` what users see)

from __future__ import annotations

import sys
from typing import Any

from graphc.gradients import (
    GradOperation as GradOperation,
)
from graphc.gradients import (
    grad as grad,
)
from graphc.gradients import (
    jacrev as jacrev,
)
from graphc.gradients import (
    jvp as jvp,
)
from graphc.gradients import (
    stop_gradient as stop_gradient,
)
from graphc.gradients import (
    value_and_grad as value_and_grad,
)
from graphc.gradients import (
    vjp as vjp,
)
from graphc.ops import methods as methods  # gives Tensor its methods
from graphc.ops.composite import (
    batch_norm as batch_norm,
)
from graphc.ops.composite import (
    cdist as cdist,
)
from graphc.ops.composite import (
    celu as celu,
)
from graphc.ops.composite import (
    cosine_similarity as cosine_similarity,
)
from graphc.ops.composite import (
    elu as elu,
)
from graphc.ops.composite import (
    embedding as embedding,
)
from graphc.ops.composite import (
    fast_gelu as fast_gelu,
)
from graphc.ops.composite import (
    gelu as gelu,
)
from graphc.ops.composite import (
    glu as glu,
)
from graphc.ops.composite import (
    group_norm as group_norm,
)
from graphc.ops.composite import (
    hardshrink as hardshrink,
)
from graphc.ops.composite import (
    hardsigmoid as hardsigmoid,
)
from graphc.ops.composite import (
    hardswish as hardswish,
)
from graphc.ops.composite import (
    hardtanh as hardtanh,
)
from graphc.ops.composite import (
    instance_norm as instance_norm,
)
from graphc.ops.composite import (
    l2_normalize as l2_normalize,
)
from graphc.ops.composite import (
    layer_norm as layer_norm,
)
from graphc.ops.composite import (
    leaky_relu as leaky_relu,
)
from graphc.ops.composite import (
    log_softmax as log_softmax,
)
from graphc.ops.composite import (
    logsigmoid as logsigmoid,
)
from graphc.ops.composite import (
    lrn as lrn,
)
from graphc.ops.composite import (
    mish as mish,
)
from graphc.ops.composite import (
    pixel_shuffle as pixel_shuffle,
)
from graphc.ops.composite import (
    pixel_unshuffle as pixel_unshuffle,
)
from graphc.ops.composite import (
    prelu as prelu,
)
from graphc.ops.composite import (
    relu6 as relu6,
)
from graphc.ops.composite import (
    rms_norm as rms_norm,
)
from graphc.ops.composite import (
    scaled_dot_product_attention as scaled_dot_product_attention,
)
from graphc.ops.composite import (
    selu as selu,
)
from graphc.ops.composite import (
    silu as silu,
)
from graphc.ops.composite import (
    softmax as softmax,
)
from graphc.ops.composite import (
    softmin as softmin,
)
from graphc.ops.composite import (
    softplus as softplus,
)
from graphc.ops.composite import (
    softshrink as softshrink,
)
from graphc.ops.composite import (
    softsign as softsign,
)
from graphc.ops.composite import (
    tanhshrink as tanhshrink,
)
from graphc.ops.composite import (
    threshold as threshold,
)
from graphc.ops.composite import (
    unfold as unfold,
)
from graphc.ops.control import *
from graphc.ops.conv import (
    conv1d as conv1d,
)
from graphc.ops.conv import (
    conv2d as conv2d,
)
from graphc.ops.conv import (
    conv3d as conv3d,
)
from graphc.ops.conv import (
    conv_transpose as conv_transpose,
)
from graphc.ops.creation import *
from graphc.ops.elementwise import (
    cast as cast,
)
from graphc.ops.functions import *
from graphc.ops.gather import *
from graphc.ops.linalg import (
    addmm as addmm,
)
from graphc.ops.linalg import (
    addmv as addmv,
)
from graphc.ops.linalg import (
    addr as addr,
)
from graphc.ops.linalg import (
    baddbmm as baddbmm,
)
from graphc.ops.linalg import (
    bmm as bmm,
)
from graphc.ops.linalg import (
    contract as contract,
)
from graphc.ops.linalg import (
    dense as dense,
)
from graphc.ops.linalg import (
    dot as dot,
)
from graphc.ops.linalg import (
    einsum as einsum,
)
from graphc.ops.linalg import (
    inner as inner,
)
from graphc.ops.linalg import (
    matmul as matmul,
)
from graphc.ops.linalg import (
    mm as mm,
)
from graphc.ops.linalg import (
    mv as mv,
)
from graphc.ops.linalg import (
    outer as outer,
)
from graphc.ops.linalg import (
    tensor_dot as tensor_dot,
)
from graphc.ops.loss import (
    binary_cross_entropy as binary_cross_entropy,
)
from graphc.ops.loss import (
    binary_cross_entropy_with_logits as binary_cross_entropy_with_logits,
)
from graphc.ops.loss import (
    cosine_embedding_loss as cosine_embedding_loss,
)
from graphc.ops.loss import (
    cross_entropy as cross_entropy,
)
from graphc.ops.loss import (
    gaussian_nll_loss as gaussian_nll_loss,
)
from graphc.ops.loss import (
    hinge_embedding_loss as hinge_embedding_loss,
)
from graphc.ops.loss import (
    huber_loss as huber_loss,
)
from graphc.ops.loss import (
    kl_div as kl_div,
)
from graphc.ops.loss import (
    l1_loss as l1_loss,
)
from graphc.ops.loss import (
    margin_ranking_loss as margin_ranking_loss,
)
from graphc.ops.loss import (
    mse_loss as mse_loss,
)
from graphc.ops.loss import (
    nll_loss as nll_loss,
)
from graphc.ops.loss import (
    smooth_l1_loss as smooth_l1_loss,
)
from graphc.ops.loss import (
    soft_margin_loss as soft_margin_loss,
)
from graphc.ops.loss import (
    softmax_cross_entropy_with_logits as softmax_cross_entropy_with_logits,
)
from graphc.ops.loss import (
    triplet_margin_loss as triplet_margin_loss,
)
from graphc.ops.pool import (
    adaptive_avg_pool1d as adaptive_avg_pool1d,
)
from graphc.ops.pool import (
    adaptive_avg_pool2d as adaptive_avg_pool2d,
)
from graphc.ops.pool import (
    adaptive_avg_pool3d as adaptive_avg_pool3d,
)
from graphc.ops.pool import (
    adaptive_max_pool1d as adaptive_max_pool1d,
)
from graphc.ops.pool import (
    adaptive_max_pool2d as adaptive_max_pool2d,
)
from graphc.ops.pool import (
    adaptive_max_pool3d as adaptive_max_pool3d,
)
from graphc.ops.pool import (
    avg_pool1d as avg_pool1d,
)
from graphc.ops.pool import (
    avg_pool2d as avg_pool2d,
)
from graphc.ops.pool import (
    avg_pool3d as avg_pool3d,
)
from graphc.ops.pool import (
    max_pool1d as max_pool1d,
)
from graphc.ops.pool import (
    max_pool2d as max_pool2d,
)
from graphc.ops.pool import (
    max_pool3d as max_pool3d,
)
from graphc.ops.primitives import PRIMITIVES
from graphc.ops.primitives import Primitive as Primitive
from graphc.ops.random import (
    bernoulli as bernoulli,
)
from graphc.ops.random import (
    dropout as dropout,
)
from graphc.ops.random import (
    dropout1d as dropout1d,
)
from graphc.ops.random import (
    dropout2d as dropout2d,
)
from graphc.ops.random import (
    dropout3d as dropout3d,
)
from graphc.ops.random import (
    gumbel_softmax as gumbel_softmax,
)
from graphc.ops.random import (
    laplace as laplace,
)
from graphc.ops.random import (
    multinomial as multinomial,
)
from graphc.ops.random import (
    normal as normal,
)
from graphc.ops.random import (
    rand as rand,
)
from graphc.ops.random import (
    rand_like as rand_like,
)
from graphc.ops.random import (
    randint as randint,
)
from graphc.ops.random import (
    randint_like as randint_like,
)
from graphc.ops.random import (
    randn as randn,
)
from graphc.ops.random import (
    randn_like as randn_like,
)
from graphc.ops.random import (
    random_categorical as random_categorical,
)
from graphc.ops.random import (
    randperm as randperm,
)
from graphc.ops.random import (
    rrelu as rrelu,
)
from graphc.ops.random import (
    shuffle as shuffle,
)
from graphc.ops.random import (
    standard_laplace as standard_laplace,
)
from graphc.ops.random import (
    standard_normal as standard_normal,
)
from graphc.ops.random import (
    truncated_normal as truncated_normal,
)
from graphc.ops.random import (
    uniform as uniform,
)
from graphc.ops.reduce import *
from graphc.ops.resize import (
    grid_sample as grid_sample,
)
from graphc.ops.resize import (
    interpolate as interpolate,
)
from graphc.ops.resize import (
    upsample as upsample,
)
from graphc.ops.scan import *
from graphc.ops.shape import *

operations = functional = composite = sys.modules[__name__]  # MindSpore's older names of parts of this module


def __getattr__(name: str) -> Any:
    """The classes of `graphc.ops.primitives`, by name."""
    if name in PRIMITIVES:
        return PRIMITIVES[name]
    raise AttributeError(f"module 'graphc.ops' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *PRIMITIVES})
