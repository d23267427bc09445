"""`repr` and `str` of Tensors, character by character as MindSpore 2.10 prints them."""

import numpy as np
import pytest

from graphc.dtype import float32, uint8
from graphc.ir import TensorType, input_node
from graphc.parameter import Parameter
from graphc.tensor import Tensor
from graphc.trace import Trace


@pytest.mark.parametrize(
    ("value", "text", "code"),
    [
        (3, "3", "Tensor(shape=[], dtype=Int64, value= 3)"),
        (3.5, "3.5", "Tensor(shape=[], dtype=Float32, value= 3.5)"),
        ([1, 2, 3], "[1 2 3]", "Tensor(shape=[3], dtype=Int64, value= [1, 2, 3])"),
        ([1.0, 2.5], "[1.  2.5]", "Tensor(shape=[2], dtype=Float32, value= [ 1.00000000e+00,  2.50000000e+00])"),
        (True, "True", "Tensor(shape=[], dtype=Bool, value= True)"),
        ([True, False], "[ True False]", "Tensor(shape=[2], dtype=Bool, value= [ True, False])"),
        (np.zeros((0, 3), np.float32), "[]", "Tensor(shape=[0, 3], dtype=Float32, value=\n)"),
        (np.zeros(0), "[]", "Tensor(shape=[0], dtype=Float64, value= )"),
    ],
)
def test_small_values(value, text, code):
    assert str(Tensor(value)) == text
    assert repr(Tensor(value)) == code


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (np.float32(1 / 3), "0.333333"),
        (np.float64(1 / 3), "0.333333"),
        (np.float32(100000.0), "100000"),
        (np.float32(1000000.0), "1e+06"),
        (np.float64(16777217.0), "1.67772e+07"),
        (np.float32("nan"), "nan"),
        (np.int32(-3), "-3"),
    ],
)
def test_scalars_have_six_digits(value, shown):
    assert repr(Tensor(value)).endswith(f"value= {shown})")


def test_matrix_stands_on_its_own_lines():
    assert repr(Tensor(np.ones((2, 3), np.float32))) == (
        "Tensor(shape=[2, 3], dtype=Float32, value=\n"
        "[[ 1.00000000e+00,  1.00000000e+00,  1.00000000e+00],\n"
        " [ 1.00000000e+00,  1.00000000e+00,  1.00000000e+00]])"
    )


def test_long_axes_show_their_ends():
    assert repr(Tensor(np.arange(2000, dtype=np.int32).reshape(40, 50))) == (
        "Tensor(shape=[40, 50], dtype=Int32, value=\n"
        "[[   0,    1,    2 ...   47,   48,   49],\n"
        " [  50,   51,   52 ...   97,   98,   99],\n"
        " [ 100,  101,  102 ...  147,  148,  149],\n"
        " ...\n"
        " [1850, 1851, 1852 ... 1897, 1898, 1899],\n"
        " [1900, 1901, 1902 ... 1947, 1948, 1949],\n"
        " [1950, 1951, 1952 ... 1997, 1998, 1999]])"
    )


def test_axes_up_to_six_are_whole():
    assert "..." not in repr(Tensor(np.zeros((6, 6, 6))))
    assert repr(Tensor(np.zeros((1, 7)))).count("...") == 1


def test_blocks_follow_each_other():
    assert repr(Tensor(np.zeros((2, 3, 1), np.bool_))) == (
        "Tensor(shape=[2, 3, 1], dtype=Bool, value=\n"
        "[[[False],\n  [False],\n  [False]],\n [[False],\n  [False],\n  [False]]])"
    )


def test_integers_are_as_wide_as_the_widest_shown():
    assert repr(Tensor([3, 200], uint8)) == "Tensor(shape=[2], dtype=UInt8, value= [  3, 200])"
    assert repr(Tensor(np.arange(1001) - 5)) == (
        "Tensor(shape=[1001], dtype=Int64, value= [ -5,  -4,  -3 ... 993, 994, 995])"
    )


def test_vectors_break_after_24_integers_or_12_floats():
    assert repr(Tensor(np.arange(26))).split("value= ")[1] == (
        "[ 0,  1,  2,  3,  4,  5,  6,  7,  8,  9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, \n 24, 25])"
    )
    assert repr(Tensor(np.zeros(24, np.float32))).count("\n") == 2


def test_odd_floats():
    value = np.array([np.inf, -np.inf, np.nan, -0.0], np.float32)
    shown = "[            inf,            -inf,             nan, -0.00000000e+00]"
    assert repr(Tensor(value)) == f"Tensor(shape=[4], dtype=Float32, value= {shown})"


def test_parameter():
    parameter = Parameter(np.zeros((2, 2), np.float32), "w")
    assert str(parameter) == repr(parameter) == "Parameter (name=w, shape=(2, 2), dtype=Float32, requires_grad=True)"


def test_traced_tensors_show_their_type():
    stand_in = Tensor.traced(input_node("x", TensorType((2, 3), float32)), Trace())
    assert repr(stand_in) == str(stand_in) == "Tensor(traced f32[2,3])"
