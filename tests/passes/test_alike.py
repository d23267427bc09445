"""Groups that do the same: found, and nothing else taken for the same."""

from __future__ import annotations

from textwrap import dedent

import numpy as np
import pytest
from graphs import Made, graphs
from hypothesis import given, settings
from stages import graph_of, training_step
from unrolled import Unrolled

import graphc as ms
import graphc.compiler
from graphc import Tensor, nn, ops
from graphc.compiler import compile_program
from graphc.ir import Graph
from graphc.passes.alike import alike
from graphc.passes.fuse import fuse
from graphc.schedule import Group, Layout, Schedule, Twin
from graphc.trace import trace

LAYERS = """
    graph f(%x: f32[4,8]; %v: f32[8,8], %w: f32[8,8]) {
      %0: f32[4,8] = matmul(%x, %v, transpose_a=False, transpose_b=True)
      %1: f32[4,8] = tanh(%0)
      %2: f32[4,8] = matmul(%1, %w, transpose_a=False, transpose_b=True)
      %3: f32[4,8] = tanh(%2)
      %4: f32[4,8] = matmul(%3, %w, transpose_a=False, transpose_b=False)
      %5: f32[4,8] = tanh(%4)
      return %5
    }"""


def numbers(schedule: Schedule) -> list[int]:
    """For each group the number of the one whose kernel computes it."""
    twins = alike(schedule)
    return [schedule.groups.index(twins[group].first) for group in schedule.groups]


def test_groups_of_equal_layers_are_one() -> None:
    schedule = fuse(graph_of(LAYERS), {})
    assert numbers(schedule) == [0, 0, 2]
    first, second, _ = schedule.groups
    twin = alike(schedule)[second]
    x, v, w = schedule.graph.inputs
    assert [twin.own(n) for n in (x, v, *first.nodes)] == [first.nodes[-1], w, *second.nodes]
    assert alike(schedule)[first].own(x) is x


PAIR = "graph f(%x: f32[9], %y: f32[9]) {{\n  %0: f32[9] = {}\n  %1: f32[9] = {}\n  return %0, %1\n}}"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("add(%x, %x)", "add(%y, %y)", True),
        ("add(%x, %y)", "add(%y, %x)", True),  # of buffers in another order
        ("add(%x, %x)", "add(%x, %y)", False),
        ("mul(%x, %x)", "add(%y, %y)", False),
        ("flip(%x, axes=(0,))", "flip(%y, axes=())", False),
        ("cumsum(%x, axis=0)", "cumsum(%y, axis=0)", True),
    ],
)
def test_what_makes_two_groups_one(one: str, other: str, same: bool) -> None:
    assert numbers(fuse(graph_of(dedent(PAIR).format(one, other)), {})) == [0, 0 if same else 1]


CONSTANTS = """
    graph f(%x: f32[9]) {
      %0: f32[9] = broadcast_to(0.0, shape=(9,))
      %1: f32[9] = mul(%x, %0)
      %2: f32[9] = broadcast_to(-0.0, shape=(9,))
      %3: f32[9] = mul(%x, %2)
      return %1, %3
    }"""

TYPES = """
    graph f(%x: f32[9], %y: f64[9]) {
      %0: f32[9] = neg(%x)
      %1: f64[9] = neg(%y)
      return %0, %1
    }"""


@pytest.mark.parametrize("text", [CONSTANTS, TYPES], ids=["constants", "types"])
def test_constants_and_types_count(text: str) -> None:
    assert numbers(fuse(graph_of(text), {})) == [0, 1]


def test_layouts_count() -> None:
    graph = graph_of(PAIR.format("add(%x, %x)", "add(%y, %y)").replace("[9]", "[16,9]"))
    blocked = {graph.outputs[0]: Layout((16, 9), True)}
    assert numbers(fuse(graph, {})) == [0, 0]
    assert numbers(fuse(graph, blocked)) == [0, 1]


def alone(schedule: Schedule) -> dict[Group, Twin]:
    return {group: Twin(group, {}) for group in schedule.groups}


def check_programs(graph: Graph) -> None:
    """With every group lowered by itself, code and homes are the same; of what is moved, there may be more code."""
    program = compile_program(graph)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(graphc.compiler, "alike", alone)
        plain = compile_program(graph)
    if any(twin.moved for twin in alike(program.schedule).values()) and program.texts() != plain.texts():
        assert {code.text for code in program.codes} < {code.text for code in plain.codes}
        return
    assert program.texts() == plain.texts()
    assert program.binary() == plain.binary()
    assert [[str(b) for b in code.buffers] for code in program.codes] == [
        [str(b) for b in code.buffers] for code in plain.codes
    ]
    for number, group in enumerate(program.schedule.runs):
        if isinstance(group, Group) and program.kernel(group) is not None and program.checks[number]:
            assert program.check(number, 0) == _by_place(plain.check(number, 0), plain, program)


def _by_place(found: tuple[object, str, int], of: object, to: object) -> tuple[object, str, int]:
    """A check of one program in terms of the nodes of another of the same graph."""
    old = [n for g in of.schedule.groups for n in g.nodes]  # type: ignore[attr-defined]
    new = [n for g in to.schedule.groups for n in g.nodes]  # type: ignore[attr-defined]
    return (new[old.index(found[0])], *found[1:])  # type: ignore[arg-type]


MOVED = """
    graph f(%x: c128[1,1]) {
      %0: c128[]    = complex(0.0:f64, 0.0:f64)
      %1: c128[1,2] = pad(%x, %0, low=(0, 1), high=(0, 0), interior=(0, 0))
      return %1
    }"""


def test_programs_of_parts_of_numbers_have_one_kernel_for_both() -> None:
    check_programs(graph_of(MOVED))


@pytest.mark.parametrize("batch", [4, 32])
def test_programs_are_what_they_would_be_without(batch: int) -> None:
    check_programs(training_step(batch))


def sequence_step(kind: str, steps: int) -> Graph:
    """A training step of a recurrent network, of whose outputs the last is used."""
    ms.set_seed(1)
    layer, head = Unrolled(kind, 6, 16), nn.Dense(16, 3)
    optimizer = nn.SGD([*layer.trainable_params(), *head.trainable_params()], 0.1)
    last = lambda x: layer(ops.transpose(x, (1, 0, 2)))[-1]  # noqa: E731
    grad = ms.value_and_grad(lambda x: ops.mean(head(last(x))), None, optimizer.parameters)

    def step(x: Tensor) -> Tensor:
        loss, gradients = grad(x)
        optimizer(gradients)
        return loss

    return trace(step, (Tensor(np.zeros((4, steps, 6), np.float32)),), {}, kind).graph


@pytest.mark.parametrize("kind", ["RNN", "GRU", "LSTM"])
def test_steps_of_a_sequence_are_the_same_at_other_places(kind: str) -> None:
    """However long it is; and what each reads and writes is what it would be, lowered by itself."""
    check_programs(sequence_step(kind, 9))
    kernels = []
    for steps in (9, 15):
        program = compile_program(sequence_step(kind, steps))
        kernels.append(len({twin.first for twin in program.twins.values()}))
    assert kernels[0] == kernels[1]


PLACES = """
    graph f(%x: f32[6,8]) {{
      %0: f32[2,8] = slice(%x, begin=(0, 0), shape=(2, 8), step=(1, 1))
      %1: f32[2,8] = slice(%x, begin=(1, 0), shape=(2, 8), step=(1, 1))
      %2: f32[2,8] = mul(%0, %1)
      %3: f32[2,8] = slice(%x, begin={}, shape=(2, 8), step=(1, 1))
      %4: f32[2,8] = slice(%x, begin={}, shape=(2, 8), step=(1, 1))
      %5: f32[2,8] = mul(%3, %4)
      return %2, %5
    }}"""


@pytest.mark.parametrize(
    ("begins", "same"),
    [(((3, 0), (4, 0)), True), (((4, 0), (3, 0)), False), (((2, 0), (4, 0)), False)],
    ids=["moved", "the other way round", "further apart"],
)
def test_distances_within_a_buffer_count(begins: tuple[object, object], same: bool) -> None:
    graph = graph_of(PLACES.format(*begins))
    assert numbers(fuse(graph, {})) == [0, 0 if same else 1]
    check_programs(graph)


def test_places_in_blocks_of_images_are_told_apart() -> None:
    """A slice of a blocked batch that does not begin with a block has other addresses than a distance."""
    text = """
        graph f(%x: f32[32,8]) {
          %0: f32[32,8] = tanh(%x)
          %1: f32[16,8] = slice(%0, begin=(0, 0), shape=(16, 8), step=(1, 1))
          %2: f32[16,8] = neg(%1)
          %3: f32[16,8] = slice(%0, begin=(8, 0), shape=(16, 8), step=(1, 1))
          %4: f32[16,8] = neg(%3)
          return %0, %2, %4
        }"""
    graph = graph_of(text)
    assert numbers(fuse(graph, {graph.outputs[0]: Layout((32, 8), True)})) == [0, 1, 2]
    assert numbers(fuse(graph, {})) == [0, 1, 1]


@given(graphs())
@settings(max_examples=60)
def test_programs_of_random_graphs(made: Made) -> None:
    check_programs(made.graph)
