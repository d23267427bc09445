"""`masked_matmul`: a product of matrices of which a mask leaves whole blocks out.

The compiler's pass `masked` makes it of `matmul`, whose values it has; users have no need of it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.ir import TensorType
from graphc.op import define_op
from graphc.ops.linalg import matmul_, matmul_lower


def _masked_type(x: TensorType, y: TensorType, *, where: int, **attrs: bool) -> TensorType:
    if where not in (0, 1, 2):
        raise ValueError(f"masked_matmul: expected where to be an operand, 0 or 1, or the result, 2, got {where}")
    return matmul_.infer(x, y, **attrs)


@define_op(infer=_masked_type, exact=False, traits="contraction")
def masked_matmul(
    x: np.ndarray, y: np.ndarray, *, where: int, transpose_a: bool = False, transpose_b: bool = False
) -> np.ndarray:
    """The product of matrices, `[..., M, K] @ [..., K, N]` to `[..., M, N]`, as of `matmul`.

    Args:
        where: changes no value: what a mask empties in whole blocks, an operand (0 or 1), of which these are +0.0, or
            the result (2), of which these are not taken.
    """
    product: np.ndarray = matmul_.meaning(x, y, transpose_a=transpose_a, transpose_b=transpose_b)
    return product


@masked_matmul.def_lower
def masked_matmul_lower(b: Any, index: Any, x: Any, y: Any, *, where: int, **attrs: bool) -> Any:
    return matmul_lower(b, index, x, y, **attrs)
