"""The compiler: its stages in order, each as text, and what it keeps."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np
import pytest
from graphs import Made, graphs
from hypothesis import given, settings
from reference import assert_same
from stages import graph_of, training_step

import graphc as ms
from graphc import Parameter, Tensor, alone, compiler, nn, ops
from graphc.compiler import GRAPH_PASSES, STAGES, compile_program, stage_texts
from graphc.ir import Graph, GraphError, Node, TensorType, input_node
from graphc.irtext import parse
from graphc.programs import compile_graph
from graphc.runtime import pool

SMALL = """
    graph f(%x: f32[4,6]; %w: f32[6,8]) {
      %0: f32[4,8] = matmul(%x, %w, transpose_a=False, transpose_b=False)
      %1: f32[4,8] = identity(%0)
      %2: f32[4,8] = tanh(%1)
      %3: f32[4,8] = tanh(%0)
      %4: f32[4,8] = add(%2, %3)
      return %4
    }"""


def test_every_stage_prints_itself_in_order() -> None:
    texts = dict(stage_texts(graph_of(SMALL)))
    assert tuple(texts) == STAGES
    assert texts["traced"].startswith("graph f(%x: f32[4,6]; %w: f32[6,8]) {") and "identity" in texts["traced"]
    assert "identity" not in texts["simplify"]
    assert texts["simplify"].count("tanh") == 2 and texts["cse"].count("tanh") == 1
    assert texts["schedule"].startswith("schedule f {") and "tiled matmul" in texts["schedule"]
    assert texts["memory"].startswith("memory f: arena") and texts["kernels"].startswith("kernel ")
    assert "define void @k_matmul" in texts["llvm"] and "define i64 @step_" in texts["llvm"]
    assert "ret" in texts["asm"]


def test_graph_stages_can_be_read_back() -> None:
    for name, text in stage_texts(training_step(16)):
        if name in ("traced", "layout", *(p.__name__ for p in GRAPH_PASSES)):
            assert str(parse(text)) == text, name


def test_compiling_is_deterministic() -> None:
    one, two = ([*stage_texts(training_step(4))] for _ in range(2))
    for (name, text), (_, again) in zip(one, two, strict=True):
        assert text == again, name


@settings(max_examples=25, deadline=None, derandomize=True)
@given(graphs(most=8))
def test_random_graphs_print_every_stage(made: Made) -> None:
    for name, text in stage_texts(made.graph):
        assert text, name
        if name in ("traced", "layout", *(p.__name__ for p in GRAPH_PASSES)):
            assert str(parse(text)) == text


def test_a_graph_that_breaks_a_rule_is_not_compiled() -> None:
    x = input_node("x", TensorType((3,), ms.float32))
    wrong = Node("tanh", (x,), {}, TensorType((4,), ms.float32))
    with pytest.raises(GraphError, match=r"tanh has type f32\[4\], its rule says f32\[3\]"):
        compile_program(Graph("f", (x,), (wrong,)))


def test_a_pass_that_breaks_a_graph_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def breaking(graph: Graph) -> Graph:
        (x,) = graph.inputs
        return Graph(graph.name, graph.inputs, (Node("neg", (x,), {}, TensorType((9,), x.dtype)),))

    monkeypatch.setattr(compiler, "GRAPH_PASSES", (breaking,))
    with pytest.raises(GraphError, match="neg has type"):
        compile_program(graph_of("graph f(%x: f32[3]) {\n  %0: f32[3] = neg(%x)\n  return %0\n}"))


def test_a_program_can_be_used_more_than_once() -> None:
    """Each executable has memory of its own, and is bound to tensors of its own."""
    graph = graph_of(SMALL)
    one, two = (Parameter(np.full((6, 8), k, np.float32), "w") for k in (1.0, 2.0))
    x = Tensor(np.full((4, 6), 0.125, np.float32))
    first, second = compile_graph(graph, [one]), compile_graph(graph, [two])
    found = first([x])[0].asnumpy(), second([x])[0].asnumpy()
    assert_same(first([x])[0].asnumpy(), found[0])
    for result, total in zip(found, (0.75, 1.5), strict=True):
        assert (result == np.float32(2) * ops.tanh(Tensor(total)).asnumpy()).all()


def test_equal_kernels_are_compiled_once() -> None:
    """The same computation twice in a graph is one function."""
    program = compile_program(
        graph_of(
            """
            graph f(%x: f32[100], %y: f32[100]) {
              %0: f32[100] = exp(%x)
              %1: f32[100] = cumsum(%0, axis=0)
              %2: f32[100] = exp(%y)
              %3: f32[100] = cumsum(%2, axis=0)
              return %1, %3
            }"""
        )
    )
    assert len(program.codes) == 4 and len({code.name for code in program.codes}) == 2
    assert len(program.texts()) == 4


def test_the_step_of_an_op_is_kept_for_eager_mode() -> None:
    x = Tensor(np.linspace(-1, 1, 11, dtype=np.float32))
    before = len(alone._kernels)
    ops.tanh(x)
    once = len(alone._kernels)
    ops.tanh(x * 2)
    assert once == len(alone._kernels) <= before + 1


def test_names_of_functions_hold_nothing_llvm_would_not_take() -> None:
    program = compile_program(training_step(4))
    assert all(re.fullmatch(r"k_\w+", code.name) for code in program.codes)


def test_importing_graphc_loads_no_compiler() -> None:
    """llvmlite comes when something is compiled."""
    import subprocess

    check = "import sys, graphc; assert 'llvmlite' not in sys.modules; print(graphc.Tensor([1.0]) + 1)"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[2.]"


def test_dumps_are_what_the_stages_say(tmp_path: Path) -> None:
    ms.set_context(save_graphs=True, save_graphs_path=tmp_path)
    net = nn.Dense(3, 2)
    ms.set_context(mode=ms.GRAPH_MODE)
    net(Tensor(np.ones((4, 3), np.float32)))
    (folder,) = tmp_path.iterdir()
    for path in sorted(folder.iterdir()):
        text = path.read_text()
        assert text.endswith("\n") and text.strip(), path.name
    graph = parse((folder / "00_traced.txt").read_text())
    assert [n.attrs["name"] for n in graph.inputs] == ["x", "weight", "bias"]


def test_batches_of_other_sizes_share_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a batch changes is how many units of work there are; not the text, where all vectors are full."""
    monkeypatch.setattr(pool, "most_threads", lambda: 2)  # chains have blocks for so many, wherever this runs
    one, other = (compile_program(training_step(batch)) for batch in (64, 32))
    known = {code.name for code in one.codes}
    again = [code for code in other.codes if code.name in known]
    assert len(again) > len(other.codes) // 2
