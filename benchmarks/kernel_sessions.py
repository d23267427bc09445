"""Calls of single kernels (`kernel_cases`) in graphc and in PyTorch, for a worker to time."""

from __future__ import annotations

import time
from typing import Any

import numpy as np


def operands(case: dict[str, Any]) -> dict[str, np.ndarray]:
    """The same numbers in every framework."""
    rng = np.random.default_rng(0)
    return {
        name: rng.integers(0, case["below"][name], shape) if name in case["below"]
        else rng.standard_normal(shape).astype(np.float32)
        for name, shape in case["operands"].items()
    }  # fmt: skip


def touch_memory(nbytes: int) -> None:
    """Has the system give this process so much memory, which is then free for results (see `kernels.KEEP_MEMORY`)."""
    np.ones(nbytes, np.uint8)


class GraphcKernel:
    """The expression, compiled by `jit`."""

    def __init__(self, case: dict[str, Any], variant: str, threads: int) -> None:
        import graphc as ms
        from graphc import nn, ops

        ms.set_context(mode=ms.GRAPH_MODE, runtime_num_threads=threads)
        tensors = {name: ms.Tensor(value) for name, value in operands(case).items()}
        scope: dict[str, Any] = {"ms": ms, "nn": nn, "ops": ops, **tensors}
        exec(case["setup"].get("graphc", ""), scope)
        function = ms.jit(eval(f"lambda {', '.join(tensors)}: {case['graphc']}", scope))
        self._function, self._arguments = function, tuple(tensors.values())
        self.result: Any = None

    def step(self) -> None:
        """Makes the call; the last result's memory is free for this one's."""
        self.result = None
        self.result = self._function(*self._arguments)

    def sync(self) -> None:
        """A call is done when it returns."""

    def digest(self) -> float:
        """A number by which results can be compared."""
        return digest([t.asnumpy() for t in leaves(self.result) if hasattr(t, "asnumpy")])


class TorchKernel:
    """The expression in eager mode, with images as they are or channels last, whichever is faster."""

    def __init__(self, case: dict[str, Any], variant: str, threads: int) -> None:
        import torch

        torch.set_num_threads(threads)
        layouts = [torch.contiguous_format]
        if any(len(shape) == 4 for shape in case["operands"].values()) and case["family"] == "convolution":
            layouts.append(torch.channels_last)
        calls = [self._call(case, layout) for layout in layouts]
        self._compute = min(calls, key=_seconds) if len(calls) > 1 else calls[0]
        self.result: Any = None

    @staticmethod
    def _call(case: dict[str, Any], layout: Any) -> Any:
        import torch
        import torch.nn.functional as F

        tensors = {name: torch.from_numpy(value) for name, value in operands(case).items()}
        tensors = {n: t.contiguous(memory_format=layout) if t.ndim == 4 else t for n, t in tensors.items()}
        scope: dict[str, Any] = {"torch": torch, "F": F, "aten": torch.ops.aten, **tensors}
        exec(case["setup"].get("torch", ""), scope)
        return eval(f"lambda: {case['torch']}", scope)

    def step(self) -> None:
        """Makes the call; the last result's memory is free for this one's."""
        self.result = None
        self.result = self._compute()

    def sync(self) -> None:
        """A call is done when it returns."""

    def digest(self) -> float:
        """A number by which results can be compared."""
        return digest([t.detach().numpy() for t in leaves(self.result) if hasattr(t, "numpy")])


def _seconds(call: Any) -> float:
    call()
    times = []
    for _ in range(5):
        start = time.process_time()
        call()
        times.append(time.process_time() - start)
    return min(times)


def leaves(value: Any) -> list[Any]:
    """The tensors in nested tuples."""
    return [leaf for item in value for leaf in leaves(item)] if isinstance(value, (tuple, list)) else [value]


def digest(arrays: list[np.ndarray]) -> float:
    """The mean of absolute values, over all arrays together."""
    return float(sum(np.abs(a.astype(np.float64)).mean() for a in arrays))


SESSIONS = {"graphc": GraphcKernel, "torch": TorchKernel}
