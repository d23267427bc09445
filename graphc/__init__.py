"""graphc: a graph-compiling deep-learning framework whose user writes MindSpore.

    import graphc as ms
    from graphc import Tensor, nn, ops
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from graphc import nn, ops, train
from graphc.context import GRAPH_MODE, PYNATIVE_MODE, get_context, set_context, set_device
from graphc.dispatch import set_kernel_runner
from graphc.dtype import bool_, float32, float64, int32, int64, uint8
from graphc.gradients import GradOperation, grad, jacrev, jvp, value_and_grad, vjp
from graphc.jit import jit
from graphc.random import get_seed, set_seed
from graphc.serialization import load_checkpoint, load_param_into_net, save_checkpoint
from graphc.tensor import Parameter, ParameterTuple, Tensor, from_numpy, is_tensor, tensor
from graphc.train.model import Model

if TYPE_CHECKING:
    from graphc.ir import TensorType
    from graphc.op import Op

__all__ = [
    "GRAPH_MODE",
    "PYNATIVE_MODE",
    "GradOperation",
    "Model",
    "Parameter",
    "ParameterTuple",
    "Tensor",
    "bool_",
    "float32",
    "float64",
    "from_numpy",
    "get_context",
    "get_seed",
    "grad",
    "int32",
    "int64",
    "is_tensor",
    "jacrev",
    "jit",
    "jvp",
    "load_checkpoint",
    "load_param_into_net",
    "nn",
    "ops",
    "save_checkpoint",
    "set_context",
    "set_device",
    "set_seed",
    "tensor",
    "train",
    "uint8",
    "value_and_grad",
    "vjp",
]


def _run_kernel(op: Op, operands: tuple[Tensor, ...], attrs: dict[str, Any], type_: TensorType) -> Tensor:
    from graphc.compiler import run_kernel  # brings llvmlite, which takes a while to load

    return run_kernel(op, operands, attrs, type_)


set_kernel_runner(_run_kernel)

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Packages that are loaded when first named: `graphc.dataset`, `graphc.vision`, `graphc.experimental`."""
    if name in ("dataset", "experimental", "vision"):
        return importlib.import_module(f"graphc.{name}")
    raise AttributeError(f"module 'graphc' has no attribute {name!r}")
