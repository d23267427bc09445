"""`Tensor` and `Parameter`: how they are made, what they say of themselves, and who shares memory with whom."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest
from reference import assert_same

import graphc as ms
from graphc import Parameter, ParameterTuple, Tensor, arrays, ops
from graphc.dtype import ALL, DType, bool_, dtype_of, float32, float64, from_short, int32, int64, promote, uint8
from graphc.ops.coerce import dtype_beside

# Element types


def test_dtypes() -> None:
    assert [str(d) for d in ALL] == [
        "Float32", "Float64", "Float16", "BFloat16", "Int32", "Int64", "Int8", "Int16", "UInt8", "UInt16",
        "UInt32", "Bool", "Complex64", "Complex128",
    ]  # fmt: skip
    assert repr(float32) == "graphc.float32" and float64.itemsize == 8 and bool_.is_bool and uint8.is_int
    for value in (float32, "float32", np.float32, np.dtype("float32"), float):
        assert dtype_of(value) is float32
    assert dtype_of(int) is int64 and dtype_of(bool) is bool_
    assert all(from_short(d.short) is d and pickle.loads(pickle.dumps(d)) is d for d in ALL)
    for wrong in ("float8_e5m2", "uint64", np.clongdouble, "text", 3, None, object):
        with pytest.raises(TypeError, match="dtype: expected one of float32"):
            dtype_of(wrong)


def test_promotion() -> None:
    """A float wins over an integer and keeps its width; otherwise the wider; bool gives way to everything."""
    wanted = {
        (float32, int64): float32, (float32, float64): float64, (int32, int64): int64, (uint8, int32): int32,
        (bool_, uint8): uint8, (bool_, float32): float32, (float32, int32): float32,
    }  # fmt: skip
    for (x, y), result in wanted.items():
        assert promote(x, y) is promote(y, x) is result
    for d in ALL:
        assert promote(d, d) is d


@pytest.mark.parametrize(
    "dtype, number, wanted",
    [
        (float32, 2.5, float32), (float64, 2, float64), (int64, 2.5, float32), (int32, 3, int32), (int32, 2**40, int64),
        (uint8, 255, uint8), (uint8, 256, int64), (uint8, -1, int64), (bool_, 1, int64), (bool_, 0.5, float32),
        (bool_, True, bool_), (float32, True, float32), (int32, True, int32),
    ],
)  # fmt: skip
def test_numbers_beside_tensors(dtype: DType, number: Any, wanted: DType) -> None:
    assert dtype_beside(dtype, number) is wanted
    assert (Tensor(np.ones(2, dtype.np)) + number).dtype is wanted


# Making tensors


@pytest.mark.parametrize(
    "data, dtype, shape",
    [
        (1, int64, ()), (1.0, float32, ()), (True, bool_, ()), ([1, 2], int64, (2,)), ([1.0, 2], float32, (2,)),
        ([[True], [False]], bool_, (2, 1)), (np.ones(2), float64, (2,)), (np.ones((1, 2), np.uint8), uint8, (1, 2)),
        (np.float64(1.5), float64, ()), (np.int32(3), int32, ()), ([], float32, (0,)), ((1, 2), int64, (2,)),
        (np.ones((2, 0)), float64, (2, 0)), ([np.float32(1)], float32, (1,)), (range(3), int64, (3,)),
    ],
)  # fmt: skip
def test_data_of_every_kind(data: Any, dtype: DType, shape: tuple[int, ...]) -> None:
    tensor = Tensor(data)
    assert tensor.dtype is dtype and tensor.shape == shape
    np.testing.assert_array_equal(tensor.asnumpy(), data)


def test_a_wanted_dtype() -> None:
    assert Tensor([1, 2], float32).dtype is float32 and Tensor([1.7, -1.7], ms.int32).tolist() == [1, -1]
    assert Tensor(np.ones(2), "int64").dtype is int64 and Tensor(Tensor([1.0]), np.float64).dtype is float64
    assert Tensor([0.1], float64).asnumpy()[0] == 0.1
    assert ms.tensor([1, 2], dtype=ms.float32).dtype is float32


def test_of_tensors() -> None:
    one = Tensor([1.0, 2.0])
    assert Tensor(one) is not one and Tensor(one).tolist() == [1.0, 2.0]
    assert Tensor([one, one]).shape == (2, 2) and Tensor([one[0], 3.0]).tolist() == [1.0, 3.0]


def test_what_a_tensor_is_made_to_hold() -> None:
    x = Tensor([1.0, 2.0])
    held = x.data
    assert x.assign_value(Tensor([[1, 2], [3, 4]])) is x
    assert x.shape == (2, 2) and x.dtype is int64 and held.tolist() == [1.0, 2.0] and x.has_init is False


def test_by_shape_and_initializer() -> None:
    assert Tensor(shape=(2, 3), dtype=float32, init="ones").tolist() == [[1.0] * 3] * 2
    assert Tensor(shape=(2,), dtype=float32).tolist() == [0.0, 0.0]
    with pytest.raises(TypeError, match="expected input_data, or a shape"):
        Tensor(dtype=float32)
    with pytest.raises(TypeError, match="exclude each other"):
        Tensor([1.0], init="ones")
    with pytest.raises(ValueError, match=r"shape \(2,\) expected, got data of shape \(1,\)"):
        Tensor([1.0], shape=(2,))


NO_DATA = ["text", ["a", "b"], object(), [[1, 2], [3]], np.array(["a"]), np.ones(2, np.clongdouble), {1: 2}]


@pytest.mark.parametrize("data", NO_DATA, ids=lambda data: type(data).__name__)
def test_what_is_no_data(data: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        Tensor(data)


def test_arrays_are_copied() -> None:
    array = np.ones(3, np.float32)
    tensor = Tensor(array)
    array[:] = 5.0
    assert tensor.tolist() == [1.0, 1.0, 1.0]
    tensor.asnumpy()[:] = 7.0
    np.asarray(tensor)[:] = 7.0
    assert tensor.tolist() == [1.0, 1.0, 1.0]


def test_from_numpy_of_arrays_of_every_kind() -> None:
    """Those that can be shared are, the others are copied; native code reads the same values either way."""
    plain = np.arange(6, dtype=np.float32).reshape(2, 3)
    Tensor(plain)  # its type is known from here on
    locked = plain.copy()
    locked.flags.writeable = False
    odd = np.frombuffer(b"\0" + plain.tobytes(), np.uint8)[1:].view(np.float32).reshape(2, 3)
    shared = (plain, locked, odd, plain.view(np.recarray), plain[:1], plain[:0], np.array(3.0, np.float32))
    copied = (plain.T, plain[:, ::2], plain.astype(">f4"), np.asfortranarray(plain))
    exponents = ms.jit(lambda x: ops.exp(x))
    for array in (*shared, *copied):
        tensor = ms.from_numpy(array)
        assert tensor.tolist() == array.tolist() and tensor.dtype is float32
        assert np.shares_memory(tensor.numpy_view(), array) == (any(array is s for s in shared) and array.size > 0)
        np.testing.assert_allclose(exponents(tensor).asnumpy(), np.exp(array.astype(np.float32)), rtol=1e-6)


def test_types_of_arrays_are_one_object_and_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Tensor([1.0]).spec is Tensor(np.zeros(1, np.float32)).spec is not Tensor([1]).spec
    monkeypatch.setattr(arrays, "MOST_TYPES", len(arrays._types) + 5)
    for n in range(1000, 1050):
        assert Tensor(np.zeros(n, np.float32)).shape == (n,)
        assert len(arrays._types) <= arrays.MOST_TYPES


def test_from_numpy_shares() -> None:
    array = np.ones(3, np.float32)
    tensor = ms.from_numpy(array)
    array[0] = 5.0
    assert tensor.tolist() == [5.0, 1.0, 1.0]
    turned = np.arange(6.0).reshape(2, 3).T
    assert ms.from_numpy(turned).tolist() == turned.tolist()
    with pytest.raises(TypeError, match=r"from_numpy: expected a numpy.ndarray, got list"):
        ms.from_numpy([1.0])  # type: ignore[arg-type]


@pytest.mark.parametrize("order", ["C", "F", "strided", "swapped"])
def test_arrays_of_any_layout(order: str) -> None:
    base = np.arange(24, dtype=np.float32).reshape(4, 6)
    array = {"C": base, "F": np.asfortranarray(base), "strided": base[::2, ::-3], "swapped": base.astype(">f4")}[order]
    tensor = Tensor(array)
    np.testing.assert_array_equal(tensor.asnumpy(), array)
    assert tensor.asnumpy().flags.c_contiguous and tensor.dtype is float32
    np.testing.assert_array_equal((tensor * 2).asnumpy(), array * 2)


# What a tensor says of itself


def test_properties() -> None:
    t = Tensor(np.zeros((2, 3, 4), np.float32))
    assert (t.shape, t.ndim, t.size, t.itemsize, t.nbytes, t.strides) == ((2, 3, 4), 3, 24, 4, 96, (48, 16, 4))
    assert str(t.spec) == "f32[2,3,4]" and len(t) == 2 and not t.is_traced
    assert Tensor(1.0).strides == () and ms.is_tensor(t) and not ms.is_tensor(np.ones(2))


def test_values() -> None:
    t = Tensor([[1.5, 2.5]])
    assert t.tolist() == [[1.5, 2.5]] and t.item(0, 1) == 2.5 and t.item(1) == 2.5
    assert float(Tensor(1.5)) == 1.5 and int(Tensor(2.7)) == 2 and bool(Tensor([1])) and not bool(Tensor(0.0))
    assert [10, 20, 30][Tensor(1)] == 20 and f"{Tensor(1.234):.2f}" == "1.23"
    assert [row.tolist() for row in Tensor([[1], [2]])] == [[1], [2]]
    assert type(Tensor(1).item()) is int and type(Tensor(True).item()) is bool


@pytest.mark.parametrize(
    "call, error, message",
    [
        (lambda: Tensor([1.0, 2.0]).item(), ValueError, r"expected one element or an index, got shape \(2,\)"),
        (lambda: len(Tensor(1.0)), TypeError, "a scalar has no len"),
        (lambda: [1, 2][Tensor(1.0)], TypeError, "an index must be an integer"),
        (lambda: bool(Tensor([1.0, 2.0])), ValueError, "expected one element"),
        (lambda: float(Tensor([1.0, 2.0])), ValueError, "expected one element"),
        (lambda: Tensor([1.0]) + "text", TypeError, "expected a Tensor or a number, got str"),
        (lambda: Tensor([1.0]) + None, TypeError, "got NoneType"),
    ],
)  # fmt: skip
def test_what_has_no_value(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_tensors_are_hashed_by_identity_and_compared_by_element() -> None:
    one, two = Tensor([1.0, 2.0]), Tensor([1.0, 3.0])
    assert len({one, two, one}) == 2
    assert (one == two).tolist() == [True, False] and (one != two).tolist() == [False, True]


def test_pickle_and_copies() -> None:
    t = Tensor(np.arange(6).reshape(2, 3))
    for other in (pickle.loads(pickle.dumps(t)), copy.copy(t), copy.deepcopy(t)):
        assert other is not t and other.dtype is int64
        assert_same(other.asnumpy(), t.asnumpy())
    w = Parameter([1.0, 2.0], "w", requires_grad=False)
    for other in (pickle.loads(pickle.dumps(w)), copy.deepcopy(w)):
        assert isinstance(other, Parameter) and other.name == "w" and not other.requires_grad
        other.set_data(Tensor([5.0, 5.0]))
        assert w.tolist() == [1.0, 2.0]
    both = copy.deepcopy([w, w])
    assert both[0] is both[1]


# Operators


def test_operators() -> None:
    x, y = Tensor([7.0, -7.0]), Tensor([2.0, 2.0])
    wanted = {
        "+": [9.0, -5.0], "-": [5.0, -9.0], "*": [14.0, -14.0], "/": [3.5, -3.5], "//": [3.0, -4.0], "%": [1.0, 1.0],
        "**": [49.0, 49.0],
    }  # fmt: skip
    for op, result in wanted.items():
        assert eval(f"x {op} y").tolist() == result, op
        assert eval(f"x {op} 2.0").tolist() == result and eval(f"[7.0, -7.0] {op} y").tolist() == result, op
        assert eval(f"x.asnumpy() {op} y").tolist() == result, op
        assert isinstance(eval(f"x.asnumpy() {op} y"), Tensor), op
    assert (2.0 - y).tolist() == [0.0, 0.0] and (1 / y).tolist() == [0.5, 0.5] and (2.0**y).tolist() == [4.0, 4.0]
    assert (9.0 // y).tolist() == [4.0, 4.0] and (9.0 % y).tolist() == [1.0, 1.0]
    assert (-x).tolist() == [-7.0, 7.0] and (+x) is x and abs(x).tolist() == [7.0, 7.0]
    assert (x < y).tolist() == [False, True] and (x >= 7.0).tolist() == [True, False]
    i, b = Tensor([6, 3]), Tensor([True, False])
    assert (i & 2).tolist() == [2, 2] and (i | 1).tolist() == [7, 3] and (i ^ i).tolist() == [0, 0]
    assert (~i).tolist() == (~Tensor([0.5, 2.0])).tolist() == [False, False] and (~(i - 6)).tolist() == [True, False]
    assert (b & True).tolist() == [True, False] and (~b).tolist() == [False, True] and (b ^ b).tolist() == [False] * 2
    assert (Tensor([[1.0, 2.0]]) @ Tensor([[3.0], [4.0]])).tolist() == [[11.0]]
    assert (np.ones((1, 2), np.float32) @ Tensor([[3.0], [4.0]])).tolist() == [[7.0]]


def test_type_casts_or_names_the_element_type() -> None:
    x = Tensor([1.5, 2.0])
    assert x.type() == "Float32" and x.type(ms.int32).tolist() == [1, 2] and x.type(dtype=ms.int32).dtype == ms.int32


def test_augmented_assignment_makes_a_new_tensor() -> None:
    x = Tensor([1.0])
    y = x
    x += 1
    assert x.tolist() == [2.0] and y.tolist() == [1.0]


def test_numpy_functions_take_tensors() -> None:
    t = Tensor([[1.0, 2.0], [3.0, 4.0]])
    assert np.exp(t).shape == (2, 2) and np.allclose(t, t.asnumpy()) and np.array(t, np.float64).dtype == np.float64
    assert np.stack([t, t]).shape == (2, 2, 2) and np.sum(t) == 10.0 and np.mean(t) == 2.5
    assert np.max(t, 0).shape == (2,) and np.std(t) > 1.0 and np.prod(t, 1).tolist() == [2.0, 12.0]


# Assignment to elements


def test_programs_may_set_attributes_of_their_own() -> None:
    def marked(x: Tensor) -> Tensor:
        y = x * 2.0
        y.requires_grad = True  # type: ignore[attr-defined]  # what code written for PyTorch says, and MindSpore takes
        return y

    for run in (marked, ms.jit(marked)):
        assert run(Tensor([1.0])).tolist() == [2.0]
    x = Tensor([1.0])
    x.note = "input"  # type: ignore[attr-defined]
    assert x.note == "input"  # type: ignore[attr-defined]
    with pytest.raises(AttributeError, match="requires_grad"):
        x.requires_grad  # type: ignore[attr-defined]  # noqa: B018


def test_setitem_changes_the_tensor_and_nothing_made_of_it() -> None:
    x = Tensor([1.0, 2.0, 3.0])
    y, view, same = x * 1, x[1:], ops.reshape(x, (3, 1))
    x[1] = 20.0
    assert x.tolist() == [1.0, 20.0, 3.0] and y.tolist() == [1.0, 2.0, 3.0]
    assert view.tolist() == [2.0, 3.0] and same.tolist() == [[1.0], [2.0], [3.0]]


def test_setitem_does_not_reach_a_shared_array() -> None:
    array = np.ones(2, np.float32)
    tensor = ms.from_numpy(array)
    tensor[0] = 5.0
    assert tensor.tolist() == [5.0, 1.0]


def test_a_failed_setitem_changes_nothing() -> None:
    x = Tensor([1.0, 2.0])
    for index, value in ((5, 1.0), (0, [1.0, 2.0, 3.0]), ("a", 1.0), (slice(0, 2), "b")):
        with pytest.raises((IndexError, ValueError, TypeError)):
            x[index] = value
        assert x.tolist() == [1.0, 2.0]


# Parameters


def test_parameters() -> None:
    w = Parameter(Tensor([1.0, 2.0]), name="w")
    assert w.name == "w" and w.requires_grad and isinstance(w, Tensor) and w.data is w and str(w.value_type) == "f32[2]"
    assert repr(w) == "Parameter (name=w, shape=(2,), dtype=Float32, requires_grad=True)"
    assert Parameter(3).dtype is int32 and Parameter([3]).dtype is int64 and Parameter(2**40).dtype is int64
    assert Parameter([1.5]).dtype is float32 and Parameter(np.ones(2)).dtype is float64
    assert w.address() % 64 == 0
    with pytest.raises(TypeError, match="name must be a str, got 3"):
        Parameter([1.0], name=3)  # type: ignore[arg-type]
    for flag in ("requires_grad", "layerwise_parallel", "parallel_optimizer"):
        with pytest.raises(TypeError, match=f"{flag} must be a bool, got 'yes'"):
            Parameter([1.0], **{flag: "yes"})  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="requires_grad must be a bool, got 1"):
        w.requires_grad = 1  # type: ignore[assignment]


def test_a_parameter_owns_its_memory() -> None:
    array = np.ones(2, np.float32)
    w = Parameter(array, "w")
    array[:] = 5.0
    assert w.tolist() == [1.0, 1.0]
    address = w.address()
    w.set_data(Tensor([3.0, 4.0]))
    w[0] = 9.0
    ops.assign(w, w * 2)
    assert w.address() == address and w.tolist() == [18.0, 8.0]


def test_results_keep_their_value_when_the_parameter_changes() -> None:
    w = Parameter(np.arange(6, dtype=np.float32).reshape(2, 3), "w")
    made = [
        w * 1, w[0], w.reshape(3, 2), w.T, ops.stop_gradient(w), Tensor(w), w.flatten(), w.view(-1), w[:],
        w.astype(float32),
    ]  # fmt: skip
    before = [t.asnumpy() for t in made]
    w.set_data(ops.zeros_like(w))
    for tensor, value in zip(made, before, strict=True):
        if tensor is not w:
            assert_same(tensor.asnumpy(), value)


def test_set_data_checks_the_shape_and_casts() -> None:
    w = Parameter([1.0, 2.0], "net.w")
    for wrong in (Tensor([1.0]), Tensor([[1.0, 2.0]]), Tensor(1.0)):
        with pytest.raises(ValueError, match=r"assign: shapes differ, net.w is f32\[2\]"):
            w.set_data(wrong)
    assert w.tolist() == [1.0, 2.0]
    w.set_data(Tensor([3, 4]))
    assert w.tolist() == [3.0, 4.0] and w.dtype is float32
    w.set_data(np.array([5.0, 6.0]))
    assert w.tolist() == [5.0, 6.0]
    w.set_data(Tensor([7.0, 8.0]), slice_shape=True)
    assert w.tolist() == [7.0, 8.0]
    with pytest.raises(ValueError, match=r"assign: shapes differ, net.w is f32\[2\]"):
        w.set_data(Tensor([1.0]), slice_shape=True)
    with pytest.raises(TypeError, match="expected a Parameter or Tensor to assign to, got list"):
        ms.dispatch.assign([1.0], Tensor([2.0]))  # type: ignore[arg-type]


def test_assigning_a_parameter_to_itself_and_its_own_parts() -> None:
    w = Parameter([1.0, 2.0, 3.0], "w")
    w.set_data(w)
    assert w.tolist() == [1.0, 2.0, 3.0]
    w.set_data(w[::-1])
    assert w.tolist() == [3.0, 2.0, 1.0]
    w[1:] = w[:-1]
    assert w.tolist() == [3.0, 3.0, 2.0]


def test_clones() -> None:
    w = Parameter([1.0, 2.0], "w", requires_grad=False)
    same, ones = w.clone(), w.clone("ones")
    assert same.tolist() == [1.0, 2.0] and ones.tolist() == [1.0, 1.0] and not same.requires_grad and same.name == "w"
    same.set_data(Tensor([9.0, 9.0]))
    assert w.tolist() == [1.0, 2.0]


def test_parameter_tuples() -> None:
    both = ParameterTuple([Parameter([1.0], "a"), Parameter([2.0], "b")])
    assert isinstance(both, tuple) and [p.name for p in both] == ["a", "b"]
    clones = both.clone("ema", "zeros")
    assert [p.name for p in clones] == ["ema.a", "ema.b"] and [p.item() for p in clones] == [0.0, 0.0]
    assert isinstance(clones, ParameterTuple)
    with pytest.raises(TypeError, match="expected Parameters, got Tensor"):
        ParameterTuple([Tensor([1.0])])


def test_operators_on_parameters_give_tensors() -> None:
    w = Parameter([1.0, 2.0], "w")
    for result in (w + 1, -w, w * w, w > 1, w @ w, w[0], w.sum()):
        assert isinstance(result, Tensor) and not isinstance(result, Parameter)


def test_large_tensors_begin_where_a_line_of_the_cache_does() -> None:
    room = np.arange(100_001, dtype=np.float32)
    for data in (room, room[1:], room[:5000]):
        assert Tensor(data).address() % 64 == 0
        assert_same(Tensor(data).asnumpy(), data)


def test_a_parameter_takes_what_says_how_devices_share_it() -> None:
    parameter = Parameter(Tensor([1.0, 2.0]), "p", layerwise_parallel=False, parallel_optimizer=False)
    assert parameter.name == "p" and parameter.tolist() == [1, 2]


def test_the_method_from_numpy_shares_memory_too() -> None:
    shared = np.zeros(2, np.float32)
    tensor = Tensor.from_numpy(shared)
    shared[0] = 3
    assert tensor.asnumpy().tolist() == [3, 0]
