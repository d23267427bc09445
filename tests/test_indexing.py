"""`x[index]` and `x[index] = value`: NumPy's result for every kind of index, in both modes; gradients; errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import basic_indices

from graphc.gradients import grad
from graphc.jit import jit
from graphc.ops import indexing
from graphc.ops.indexing import getitem, setitem
from graphc.parameter import Parameter
from graphc.tensor import Tensor, TracedValueError

ARRAY = np.random.default_rng(0).normal(size=(4, 5, 6)).astype(np.float32)
MASK = ARRAY > 0
INDICES: list[Any] = [
    0, -1, np.int32(2), np.array(2), slice(None), slice(None, None, -1), slice(1, 4, 2), slice(3, 0, -2), slice(2, 2),
    slice(-100, 100), slice(0, 1, 3), None, Ellipsis, (0, 0, 0), (slice(1, 4, 2), None, 2), (Ellipsis, 3),
    (0, Ellipsis), (None, 1, None, slice(5, 1, -1)), (slice(3, 0, -2), slice(None, None, -3), slice(5, 1, -1)),
    [0, 2], [], [[0, 1], [2, 3]], range(3), np.array([-1, 0, -4]), ([0, 2], slice(None), [1, -1]),
    (0, slice(None), [1, 2, 3]), (slice(None), [1, 2], [3, 4]), (None, [0, 1], Ellipsis, None), (0, [1], None, [2]),
    (slice(None), [[0], [1]], [2, 3]), (slice(3, 0, -1), [1, 1], slice(None, None, 2)), ([2, 0], 1, slice(1, 3)),
    (1, 2, [0, 0, 5]),
]  # fmt: skip
MASKS: list[Any] = [
    MASK, MASK[:, 0, 0], MASK[..., 0], (slice(None), MASK[0]), (1, MASK[0]), (MASK[:, 0, 0], 2), (Ellipsis, MASK[0, 0]),
    [True, False, True, False], np.zeros(4, bool),
]  # fmt: skip


def as_numpy(index: Any) -> Any:
    return np.array(index, int) if isinstance(index, list) and not index else index


@pytest.mark.parametrize("index", INDICES + MASKS, ids=repr)
def test_getitem_is_numpys(index: Any) -> None:
    wanted = ARRAY[as_numpy(index)]
    eager = Tensor(ARRAY)[index].asnumpy()
    compiled = jit(lambda x: x[index])(Tensor(ARRAY)).asnumpy()
    for got in (eager, compiled):
        assert got.shape == wanted.shape
        np.testing.assert_array_equal(got, wanted)


@pytest.mark.parametrize("index", INDICES + MASKS, ids=repr)
def test_setitem_is_numpys(index: Any) -> None:
    place = as_numpy(index)
    values = np.random.default_rng(1).normal(size=ARRAY[place].shape).astype(np.float32)
    for value in (values, np.float32(7)):
        wanted = ARRAY.copy()
        wanted[place] = value
        given_value = Tensor(value)
        for run in (setitem, lambda x, i, v: jit(lambda x, v: setitem(x, i, v))(x, v)):
            np.testing.assert_array_equal(run(Tensor(ARRAY), index, given_value).asnumpy(), wanted)


@given(basic_indices((3, 4, 5), allow_newaxis=True), st.integers(0, 2**32 - 1))
@settings(max_examples=150)
def test_any_basic_index(index: Any, seed: int) -> None:
    array = np.random.default_rng(seed).integers(-99, 99, (3, 4, 5))
    wanted = array[index]
    got = getitem(Tensor(array), index)
    assert got.shape == np.shape(wanted)
    np.testing.assert_array_equal(got.asnumpy(), wanted)
    changed = array.copy()
    changed[index] = -100
    np.testing.assert_array_equal(setitem(Tensor(array), index, -100).asnumpy(), changed)


def test_a_list_with_slices_in_it_is_what_a_tuple_would_be() -> None:
    for parts in ([slice(None), slice(0, 2)], [None, 1], [..., 0], [slice(None), [2, 0], Tensor(1)]):
        wanted = ARRAY[tuple(int(p) if isinstance(p, Tensor) else p for p in parts)]
        for run in (getitem, jit(getitem)):
            np.testing.assert_array_equal(run(Tensor(ARRAY), parts).asnumpy(), wanted)
    assert setitem(Tensor([[1, 2], [3, 4]]), [slice(None), 0], 5).tolist() == [[5, 2], [5, 4]]
    np.testing.assert_array_equal(Tensor(ARRAY)[[0, 1]].asnumpy(), ARRAY[[0, 1]])


@pytest.mark.parametrize("dtype", ["int32", "int64", "uint8"])
def test_integer_tensors_index(dtype: str) -> None:
    places = np.array([[3, 0], [1, 1]], dtype)
    last = np.array(2, dtype)
    for function in (lambda x, i, j: x[i], lambda x, i, j: x[j], lambda x, i, j: x[i, :, j], lambda x, i, j: x[..., i]):
        wanted = function(ARRAY, places, last)
        np.testing.assert_array_equal(function(Tensor(ARRAY), Tensor(places), Tensor(last)).asnumpy(), wanted)
        compiled = jit(function)(Tensor(ARRAY), Tensor(places), Tensor(last))
        np.testing.assert_array_equal(compiled.asnumpy(), wanted)


def test_negative_positions_in_tensors_count_from_the_end() -> None:
    places = Tensor(np.array([-1, -4, 2]))
    for run in (getitem, jit(getitem)):
        np.testing.assert_array_equal(run(Tensor(ARRAY), places).asnumpy(), ARRAY[[-1, -4, 2]])


def test_the_last_of_several_assignments_stays() -> None:
    x = setitem(Tensor(np.zeros(3, np.float32)), [1, 1, 0], Tensor([5.0, 6.0, 7.0]))
    np.testing.assert_array_equal(x.asnumpy(), [7, 6, 0])


def test_a_mask_assigns_without_a_value_of_its_own_shape_while_traced() -> None:
    def zero_below(x: Tensor) -> Tensor:
        return setitem(x, x < 0, 0.0)

    wanted = np.where(ARRAY < 0, 0, ARRAY)
    for run in (zero_below, jit(zero_below)):
        np.testing.assert_array_equal(run(Tensor(ARRAY)).asnumpy(), wanted)


def test_gradients_pass_through_indices() -> None:
    weights = np.arange(12, dtype=np.float32)

    def read(x: Tensor) -> Tensor:
        picked = x[[0, 0, 2], 1:4, ::-2][..., 0].reshape(-1)
        return (picked * Tensor(weights[: picked.size])).sum()

    slope = np.zeros_like(ARRAY)
    np.add.at(slope[:, 1:4, 5], [0, 0, 2], weights[:9].reshape(3, 3))
    for run in (grad(read), jit(grad(read))):
        np.testing.assert_array_equal(run(Tensor(ARRAY)).asnumpy(), slope)


def test_gradients_pass_through_assignment() -> None:
    def written(x: Tensor, v: Tensor) -> Tensor:
        y = setitem(x * 2.0, (slice(None), [1, 1]), v)
        return (setitem(y, (0, 0), 5.0) * Tensor(ARRAY)).sum()

    to_x, to_v = grad(written, (0, 1))(Tensor(ARRAY), Tensor(np.ones((4, 2, 6), np.float32)))
    wanted = 2 * ARRAY
    wanted[:, 1] = 0
    wanted[0, 0] = 0
    np.testing.assert_array_equal(to_x.asnumpy(), wanted)
    np.testing.assert_array_equal(to_v.asnumpy()[:, 0], 0)  # overwritten by the second value for the same place
    np.testing.assert_array_equal(to_v.asnumpy()[:, 1], ARRAY[:, 1])


def test_tensors_change_by_name_and_parameters_in_place() -> None:
    x = Tensor(np.zeros(3, np.float32))
    before = x + 0.0
    x[1] = 4
    np.testing.assert_array_equal(x.asnumpy(), [0, 4, 0])
    np.testing.assert_array_equal(before.asnumpy(), [0, 0, 0])
    p = Parameter(np.zeros((2, 2), np.float32), name="p")
    buffer = p.numpy_view()
    p[0] = 3.0
    np.testing.assert_array_equal(buffer, [[3, 3], [0, 0]])


@pytest.mark.parametrize(
    "index, error, text",
    [
        (4, IndexError, "index 4 is out of range for axis 0 with extent 4"),
        (-5, IndexError, "index -5 is out of range"),
        ((0, 5), IndexError, "axis 1 with extent 5"),
        ((0, 0, 0, 0), IndexError, "4 indices for f32"),
        ([9], IndexError, r"index 9 at position 0 is out of range \[0, 4\)"),
        ((Ellipsis, Ellipsis), IndexError, "more than one"),
        (np.array([True, False]), IndexError, "mask has extent 2"),
        ("a", IndexError, "str 'a'"),
        (1.5, IndexError, "float 1.5"),
        (False, IndexError, "False is no index"),
        (np.array([0.5]), IndexError, r"array\(\[0.5\]\)"),
        (slice(0, 2, 0), ValueError, "zero"),
    ],
    ids=repr,
)
def test_errors(index: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text) as caught:
        Tensor(ARRAY)[index]
    assert "test_indexing.py" in str(caught.value)


def test_a_position_in_a_tensor_is_checked_when_it_is_used() -> None:
    for run in (getitem, jit(getitem)):
        with pytest.raises(IndexError, match="7"):
            run(Tensor(ARRAY), Tensor(np.array([0, 7])))
    for run in (setitem, jit(setitem)):
        with pytest.raises(IndexError, match="-6"):
            run(Tensor(ARRAY), Tensor(np.array([0, -6])), Tensor(1.0))


def test_a_mask_reads_only_in_eager_mode() -> None:
    with pytest.raises(TracedValueError, match="shape depends on the values"):
        jit(lambda x: x[x > 0], fullgraph=True)(Tensor(ARRAY))


def test_a_value_of_the_wrong_shape_is_refused() -> None:
    with pytest.raises(ValueError, match=r"cannot assign f32\[3\] to elements of shape \(5, 6\)"):
        setitem(Tensor(ARRAY), 0, Tensor([1.0, 2.0, 3.0]))


def test_iteration_ends() -> None:
    assert [int(x) for x in Tensor([3, 1, 2])] == [3, 1, 2]
    assert len(list(Tensor(ARRAY))) == 4


def test_what_ints_and_slices_read_at_once_stays_as_it_was() -> None:
    parameter = Parameter(ARRAY, "p")
    for index in (0, slice(1, 3), (Ellipsis, 2), (1, 2, 3)):
        taken, wanted = getitem(parameter, index), ARRAY[index]
        parameter.set_data(Tensor(ARRAY * 2.0))
        np.testing.assert_array_equal(taken.asnumpy(), wanted)
        assert taken.shape == wanted.shape
        parameter.set_data(Tensor(ARRAY))


def test_an_index_is_read_at_once_outside_of_cells_and_gradients(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(indexing, "_parse", None)
    assert getitem(Tensor(ARRAY), (slice(None, None, -2), None, 3)).shape == (2, 1, 6)
