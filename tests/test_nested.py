"""Nested tuples, lists and dicts: their leaves, and others in the leaves' place."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest

import graphc as ms
from graphc import Parameter, ParameterTuple, Tensor, ops
from graphc.nested import flatten, leaves_of, map_leaves, with_leaves, with_tensors


class Pair(NamedTuple):
    first: Any
    second: Any


NESTED = [Pair(1, (2, [3])), {"a": 4, "b": {"c": (5,)}}, (), 6]


def test_leaves_and_others_in_their_place() -> None:
    assert leaves_of(NESTED) == [1, 2, 3, 4, 5, 6] and leaves_of(7) == [7]
    doubled = map_leaves(lambda leaf: 2 * leaf, NESTED)
    assert doubled == [Pair(2, (4, [6])), {"a": 8, "b": {"c": (10,)}}, (), 12] and type(doubled[0]) is Pair
    assert with_leaves(NESTED, iter(leaves_of(doubled))) == doubled


def test_flatten_rebuilds_around_other_tensors() -> None:
    x, y, z = Tensor([1.0]), Tensor([2.0]), Tensor([3.0])
    tensors: list[Tensor] = []
    key, rebuild = flatten(Pair({"x": x}, [y, "text", z]), tensors)
    assert list(map(id, tensors)) == [id(x), id(y), id(z)]
    assert rebuild([z, x, y]) == Pair({"x": z}, [x, "text", y]) and type(rebuild(tensors)) is Pair
    assert key == flatten(Pair({"x": y}, [y, "text", x]), [])[0] != flatten(Pair({"x": y}, [y, "other", x]), [])[0]


def test_arrays_become_tensors_that_share_or_copy() -> None:
    array = np.zeros(2, np.float32)
    for copy in (False, True):
        made = with_tensors(([array, 1], {"a": array}), copy)
        assert isinstance(made[0][0], Tensor) and made[0][1] == 1
        assert np.shares_memory(made[1]["a"].numpy_view(), array) is not copy


@pytest.mark.parametrize("mode", [ms.GRAPH_MODE, ms.PYNATIVE_MODE])
def test_gradients_by_a_tuple_of_parameters_are_a_tuple_of_tensors(mode: int) -> None:
    ms.set_context(mode=mode)
    both = ParameterTuple([Parameter(ops.ones(2), name="a"), Parameter(ops.ones(3), name="b")])
    gradients = ms.grad(lambda t: (t[0] * 2).sum() + (t[1] * 3).sum())(both)
    assert type(gradients) is tuple and [g.tolist() for g in gradients] == [[2.0, 2.0], [3.0, 3.0, 3.0]]


def test_gradients_stop_within_a_dict() -> None:
    gradient = ms.grad(lambda x: (ops.stop_gradient({"a": [x, 1]})["a"][0] * x).sum())(ops.ones(2) * 3)
    assert gradient.tolist() == [3.0, 3.0]  # 6 if the factor were differentiated
