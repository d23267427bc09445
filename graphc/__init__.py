"""graphc: a graph-compiling deep-learning framework whose user writes MindSpore.

    import graphc as ms
    from graphc import Tensor, nn, ops
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from graphc.context import GRAPH_MODE, PYNATIVE_MODE, get_context, set_context, set_device
from graphc.dispatch import set_kernel_runner
from graphc.dtype import bool_, float32, float64, int32, int64, uint8
from graphc.gradients import GradOperation, grad, jacrev, jvp, value_and_grad, vjp
from graphc.jit import jit
from graphc.tensor import Parameter, ParameterTuple, Tensor, from_numpy, is_tensor, tensor

if TYPE_CHECKING:
    from graphc.ir import TensorType
    from graphc.op import Op


def _run_kernel(op: Op, operands: tuple[Tensor, ...], attrs: dict[str, Any], type_: TensorType) -> Tensor:
    from graphc.compiler import run_kernel  # brings llvmlite, which takes a while to load

    return run_kernel(op, operands, attrs, type_)


set_kernel_runner(_run_kernel)

from graphc import ops  # noqa: E402  (ops run through what was just set)
from graphc import nn  # noqa: E402, I001
from graphc.random import get_seed, set_seed  # noqa: E402
from graphc.serialization import load_checkpoint, load_param_into_net, save_checkpoint  # noqa: E402
from graphc.train.model import Model  # noqa: E402

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Packages that are loaded when first named: `graphc.dataset`, `graphc.vision`, `graphc.experimental`."""
    if name in ("dataset", "experimental", "vision"):
        return importlib.import_module(f"graphc.{name}")
    raise AttributeError(f"module 'graphc' has no attribute {name!r}")
