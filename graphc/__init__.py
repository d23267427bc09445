"""graphc: a graph-compiling deep-learning framework whose user writes MindSpore."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graphc.context import GRAPH_MODE, PYNATIVE_MODE, get_context, set_context, set_device
from graphc.dispatch import set_kernel_runner
from graphc.dtype import bool_, float32, float64, int32, int64, uint8
from graphc.gradients import grad, jvp, value_and_grad, vjp
from graphc.jit import jit
from graphc.tensor import Parameter, ParameterTuple, Tensor, from_numpy, is_tensor, tensor

if TYPE_CHECKING:
    from graphc.ir import TensorType
    from graphc.op import Op


def _run_kernel(op: Op, operands: tuple[Tensor, ...], attrs: dict[str, Any], type_: TensorType) -> Tensor:
    from graphc.compiler import run_kernel  # brings llvmlite, which takes a while to load

    return run_kernel(op, operands, attrs, type_)


set_kernel_runner(_run_kernel)

from graphc import ops  # noqa: E402
from graphc import nn  # noqa: E402
