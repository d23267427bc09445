"""`graphc.mint.special`: special functions."""

from graphc.mint.nn.functional import log_softmax
from graphc.ops import erfc, exp2, expm1, log1p, round, sinc

__all__ = ["erfc", "exp2", "expm1", "log1p", "log_softmax", "round", "sinc"]
