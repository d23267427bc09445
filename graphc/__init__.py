"""graphc: a graph-compiling deep-learning framework with MindSpore's API.

    import graphc as ms
    from graphc import Tensor, nn, ops
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from graphc import aliases, amp, dtype, log, nn, ops, train
from graphc.amp import DynamicLossScaleManager, FixedLossScaleManager
from graphc.anomaly import detect_anomaly
from graphc.context import (
    COMPATIBLE,
    GRAPH_MODE,
    LAX,
    PYNATIVE_MODE,
    STRICT,
    get_context,
    set_context,
    set_device,
    set_recursion_limit,
)
from graphc.dispatch import set_kernel_runner, set_shortcut
from graphc.dtype import (
    SYNONYMS,
    Type,
    bfloat16,
    bool_,
    complex64,
    complex128,
    dtype_to_nptype,
    dtype_to_pytype,
    float16,
    float32,
    float64,
    int8,
    int16,
    int32,
    int64,
    missing,
    pytype_to_dtype,
    uint8,
    uint16,
    uint32,
)
from graphc.export import export, load
from graphc.gradients import GradOperation, _no_grad, get_grad, grad, jacfwd, jacrev, jvp, value_and_grad, vjp
from graphc.hints import JitConfig, jit_class, lazy_inline, mutable, no_inline, recompute, set_deterministic
from graphc.jit import jit
from graphc.often import shortcut
from graphc.ops.sparse_tensors import COOTensor, CSRTensor, RowTensor
from graphc.ops.storage import frombuffer
from graphc.parallel import (
    ParallelMode,
    get_auto_parallel_context,
    reset_auto_parallel_context,
    set_auto_parallel_context,
)
from graphc.parameter import Parameter, ParameterTuple
from graphc.profile import Profiler, profile
from graphc.random import (
    Generator,
    default_generator,
    get_rng_state,
    get_seed,
    initial_seed,
    manual_seed,
    seed,
    set_rng_state,
    set_seed,
)
from graphc.serialization import load_checkpoint, load_param_into_net, save_checkpoint
from graphc.tensor import Tensor, from_numpy, is_tensor, settle, tensor
from graphc.train.model import Model
from graphc.train.sink import DatasetHelper, data_sink
from graphc.vmap import vmap

if TYPE_CHECKING:
    from graphc.ir import TensorType
    from graphc.op import Op

__all__ = [
    "COMPATIBLE", "GRAPH_MODE", "LAX", "PYNATIVE_MODE", "STRICT", "COOTensor", "CSRTensor", "DatasetHelper",
    "DynamicLossScaleManager", "FixedLossScaleManager", "Generator", "GradOperation", "JitConfig", "Model",
    "ParallelMode", "Parameter", "ParameterTuple", "Profiler", "RowTensor", "SparseTensor", "Tensor", "Type",
    "_no_grad", "amp", "bfloat16", "bool_", "complex64", "complex128", "data_sink", "default_generator",
    "detect_anomaly", "dtype_to_nptype", "dtype_to_pytype", "export", "float16", "float32", "float64", "from_numpy",
    "frombuffer", "get_auto_parallel_context", "get_context", "get_grad", "get_py_obj_dtype", "get_rng_state",
    "get_seed", "grad", "initial_seed", "int8", "int16", "int32", "int64", "is_tensor", "jacfwd", "jacrev", "jit",
    "jit_class", "jvp", "lazy_inline", "load", "load_checkpoint", "load_param_into_net", "log", "manual_seed",
    "ms_class", "ms_function", "mutable", "nn", "no_inline", "ops", "profile", "pytype_to_dtype", "recompute",
    "reset_auto_parallel_context", "run_check", "save_checkpoint", "seed", "set_auto_parallel_context", "set_context",
    "set_deterministic", "set_device", "set_recursion_limit", "set_rng_state", "set_seed", "synchronize", "tensor",
    "train", "uint8", "uint16", "uint32", "value_and_grad", "vjp", "vmap",
]  # fmt: skip


def _run_kernel(op: Op, operands: tuple[Tensor, ...], attrs: dict[str, Any], type_: TensorType) -> Tensor:
    from graphc.alone import run_kernel  # brings llvmlite, which takes a while to load

    return run_kernel(op, operands, attrs, type_)


set_kernel_runner(_run_kernel)
set_shortcut(shortcut)
aliases.install("graphc")

ms_function, ms_class = jit, jit_class  # their names in MindSpore 1
SparseTensor = COOTensor  # likewise

__version__ = "0.1.0"


def synchronize() -> None:
    """Waits until all that was called has been computed."""
    settle()


def get_py_obj_dtype(obj: Any) -> Any:
    """The element type of what Python calls numbers, and of tensors: int64 of ints, float32 of floats, bool of bools.

    Raises:
        TypeError: neither a number nor a tensor, nor a type of numbers.
    """
    kind = obj if isinstance(obj, type) else type(obj)
    found = {bool: bool_, int: int64, float: float32}.get(kind)
    return obj.dtype if isinstance(obj, Tensor) else found or dtype.dtype_of(obj)


def run_check() -> None:
    """Compiles and runs a small function, and prints that graphc works.

    Raises:
        RuntimeError: it computed something else than it should.
    """
    found = jit(lambda x: ops.matmul(x, x).sum())(ops.ones((8, 8)))
    if found.item() != 512:
        raise RuntimeError(f"run_check: expected 512, got {found}")
    print(f"graphc {__version__}: compiled code works")


_OF_DEVICES = {
    "Event", "Stream", "StreamCtx", "communication_stream", "current_stream", "default_stream", "dispatch_threads_num",
    "empty_cache", "get_current_device", "launch_blocking", "max_memory_allocated", "max_memory_reserved",
    "memory_allocated", "memory_reserved", "memory_stats", "reset_max_memory_allocated", "reset_max_memory_reserved",
    "reset_peak_memory_stats", "set_cpu_affinity", "set_cur_stream", "set_kernel_launch_group", "set_memory",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    """What is loaded when first named, the names of `graphc.train` and `graphc.dtype` that MindSpore has here too."""
    if name in ("boost", "dataset", "devices", "experimental", "mint", "numpy", "runtime", "scipy", "vision"):
        return importlib.import_module(f"graphc.{name}")
    if name in train.__all__ or name in ("LossScaleManager", "build_train_network", "constexpr"):
        home: Any = train if name in train.__all__ else ops if name == "constexpr" else amp
        return getattr(home, name)
    if name in SYNONYMS:
        return SYNONYMS[name]
    if name in _OF_DEVICES:
        return getattr(importlib.import_module("graphc.devices"), name)
    if name == "get_level":
        return log.get_level
    raise missing("graphc", name)
