"""Whole programs, each buffer of which lies between pages that cannot be touched: kernel by kernel, unit by unit."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Sequence

import numpy as np
import op_samples
import op_samples_nn
import pytest
from guarded import guarded
from modes import compiled
from op_samples import Sample
from reference import assert_same
from stages import graph_of

import graphc as ms
from graphc import Tensor, ops
from graphc.compiler import compile_program
from graphc.ir import Graph, Node
from graphc.irtext import node_names
from graphc.loops import Buffer
from graphc.op import TABLE
from graphc.runtime import jit
from graphc.runtime.program import Code
from graphc.trace import trace

SAMPLES = {**op_samples.SAMPLES, **op_samples_nn.SAMPLES}


def kernels(codes: Sequence[Code]) -> Iterator[Code]:
    for code in codes:
        yield from kernels(code.parts) if code.parts else (code,)


def check_nothing_outside(graph: Graph, inputs: Sequence[np.ndarray]) -> None:
    """Units in any order, in buffers against the page at their end, then at their beginning, compute what is wanted."""
    program, (wanted, _) = compile_program(graph), compiled(graph, inputs)
    codes, names = list(kernels(program.codes)), node_names(program.schedule.graph)
    native = jit.compile_text(program.texts(), list({code.name for code in codes}))
    rng = np.random.default_rng(0)

    def array(buffers: dict[Buffer, np.ndarray], node: Node) -> np.ndarray | None:
        return next((a for buffer, a in buffers.items() if buffer.name == names[node][1:]), None)

    for at_end in (True, False):
        wholes = {b.whole: None for code in codes for b in code.buffers}
        buffers = {b: guarded(np.full(b.elements, 77).astype(b.dtype.np), at_end) for b in wholes}
        for node, given in zip(program.schedule.graph.inputs, inputs, strict=True):
            if (own := array(buffers, node)) is not None:
                own[:] = given.reshape(-1)
        status = np.zeros(8, np.int64)
        for code in codes:
            call = native.function(code.name, None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)
            places = [buffers[b.whole][b.at :].ctypes.data for b in code.buffers]
            table = (ctypes.c_void_p * (len(places) + 1))(*places, status.ctypes.data)
            for unit in rng.permutation(code.units).tolist():
                call(ctypes.addressof(table), unit, unit + 1)
        assert not status.any()
        for node, result in zip(program.schedule.graph.outputs, wanted, strict=True):
            found = array(buffers, node)
            assert found is not None
            assert_same(found.reshape(result.shape), result)


@pytest.mark.parametrize(
    ("name", "sample"),
    [
        pytest.param(name, sample, id=f"{name}-{sample}")
        for name in ("to_tiles", "from_tiles", "first_places", "rows_or_zero", "scatter_add_rows")
        for sample in SAMPLES[name]
    ],
)  # fmt: skip
def test_kernels_of_ops(name: str, sample: Sample) -> None:
    graph = trace(lambda *x: TABLE[name](*x, **sample.attrs), tuple(map(Tensor, sample.operands)), {}, "f").graph
    check_nothing_outside(graph, sample.operands)


@pytest.mark.parametrize(
    ("images", "channels", "size"), [(1, 32, (9, 12)), (3, 33, (11, 14)), (16, 32, (8, 8)), (17, 32, (10, 9))]
)
def test_convolutions_and_their_gradients(images: int, channels: int, size: tuple[int, int]) -> None:
    def loss(x: Tensor, first: Tensor, second: Tensor) -> Tensor:
        h = ops.relu(ops.conv2d(x, first, pad_mode="same"))
        return (ops.conv2d(h, second, pad_mode="pad", padding=(2, 1, 0, 1)) ** 2).sum()

    rng = np.random.default_rng(1)
    shapes = ((images, channels, *size), (35, channels, 3, 3), (32, 35, 3, 3))
    inputs = [rng.standard_normal(shape).astype(np.float32) for shape in shapes]
    step = ms.value_and_grad(loss, (0, 1, 2))
    check_nothing_outside(trace(step, tuple(map(Tensor, inputs)), {}, "step").graph, inputs)


def test_a_table_of_which_few_rows_are_looked_up() -> None:
    graph = graph_of(
        """
        graph f(%t: f32[141,33], %i: i32[7], %u: f32[7,33]) {
          %0: f32[141,33] = broadcast_to(0.0, shape=(141, 33))
          %1: f32[141,33] = scatter_add(%0, %i, %u)
          %2: f32[141,33] = sub(%t, %1)
          return %2
        }"""
    )
    rng = np.random.default_rng(1)
    inputs = [rng.standard_normal(node.shape).astype(node.dtype.np) for node in graph.inputs]
    inputs[1] = np.array([140, 3, 0, 3, 140, 139, 1], np.int32)
    check_nothing_outside(graph, inputs)
