"""The fingerprint of a graph: the same for graphs that do the same, another for any that do not."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pytest
from graphs import Made, graphs
from hypothesis import given
from stages import graph_of

from graphc.dtype import float32, float64
from graphc.fingerprint import UnknownContentError, exact, graph_fingerprint
from graphc.ir import Graph, Node, TensorType, constant_node, input_node
from graphc.irtext import parse

ADD = "graph f(%x: f32[3]; %w: f32[3]) {{\n  %0: f32[3] = {}\n  update %w <- %0\n  return %0\n}}"


def told(body: str = "add(%x, %w)", text: str = ADD) -> str:
    return graph_fingerprint(graph_of(text.format(body)))


def test_names_and_lines_are_left_out() -> None:
    other = ADD.replace("%x", "%image").replace("%w", "%net.bias").replace("graph f", "graph g")
    other = other.replace("{}", "add(%image, %net.bias)  # net.fc1 train.py:14")
    assert graph_fingerprint(parse(other.replace("{{", "{").replace("}}", "}"))) == told()


@pytest.mark.parametrize(
    "other",
    [
        lambda: told("add(%w, %x)"),
        lambda: told("sub(%x, %w)"),
        lambda: told("add(%x, %x)"),
        lambda: told(text=ADD.replace("f32[3]", "f32[4]")),
        lambda: told(text=ADD.replace("f32", "f64")),
        lambda: told(text=ADD.replace("; %w", ", %w")),
        lambda: told(text=ADD.replace("  update %w <- %0\n", "")),
        lambda: told(text=ADD.replace("update %w", "update %x")),
        lambda: told(text=ADD.replace("return %0", "return %0, %x")),
        lambda: told(text=ADD.replace("; %w: f32[3]", "; %w: f32[3], %v: f32[3]")),
    ],
)
def test_what_a_run_can_tell_changes_it(other: Any) -> None:
    assert other() != told()


def test_attributes_change_it() -> None:
    text = "graph f(%x: f32[4,4], %y: f32[4,4]) {{\n  %0: f32[4,4] = {}\n  return %0\n}}"
    products = [f"matmul(%x, %y, transpose_a={a}, transpose_b={b})" for a in (True, False) for b in (True, False)]
    bodies = ["transpose(%x, perm=(1, 0))", "transpose(%x, perm=(0, 1))", *products]
    assert len({told(body, text) for body in bodies}) == len(bodies)


def test_constants_are_told_to_the_last_bit() -> None:
    negative_nan = struct.unpack("<d", struct.pack("<Q", 0xFFF8_0000_0000_0000))[0]
    numbers = [0.0, -0.0, 1.0, float("nan"), negative_nan, float("inf"), 0.1, float(np.nextafter(0.1, 1))]
    values = [*numbers, 1, True, False, 0]
    assert len({exact(value) for value in values}) == len(values)
    x = input_node("x", TensorType((), float64))

    def graph(value: float) -> Graph:
        return Graph("f", (x,), (Node("add", (x, constant_node(value, float64)), {}, x.type),))

    assert len({graph_fingerprint(graph(value)) for value in numbers}) == len(numbers)


def test_text_in_attributes_cannot_pass_for_structure() -> None:
    assert exact(("a,b",)) != exact(("a", "b")) and exact("1") != exact(1) and exact((1, (2,))) != exact(((1, 2),))
    assert exact(slice(1, None)) != exact((1, None, None)) and exact(float32) != exact("graphc.float32")


@pytest.mark.parametrize("value", [object(), len, [1], np.float32(1), {"a": 1}])
def test_what_cannot_be_told_whole_is_refused(value: Any) -> None:
    with pytest.raises(UnknownContentError, match=type(value).__name__):
        exact((1, value))


@given(graphs())
def test_graphs_that_print_equal_are_told_alike(made: Made) -> None:
    assert graph_fingerprint(parse(str(made.graph))) == graph_fingerprint(made.graph)
