"""`graphc._checkparam`: what programs check their own arguments with."""

from __future__ import annotations

import numpy as np
import pytest

from graphc import _checkparam as validator
from graphc import dtype as mstype
from graphc._checkparam import Rel, Validator, args_type_check


@pytest.mark.parametrize(
    ("value", "checked"),
    [
        (3, lambda v: validator.check_positive_int(v, "depth", "Net")),
        (0, lambda v: validator.check_non_negative_int(v)),
        (-1, lambda v: validator.check_negative_int(v)),
        (0, lambda v: validator.check_non_positive_int(v)),
        (0.5, lambda v: validator.check_positive_float(v, "rate")),
        (0.0, lambda v: validator.check_non_negative_float(v)),
        (4, lambda v: validator.check_int(v, 4, validator.GE, "depth")),
        (4, lambda v: validator.check_equal_int(v, 4)),
        (4.0, lambda v: validator.check_float(v, 4.5, validator.NE)),
        (4, lambda v: validator.check_number("depth", v, 5, validator.LT, "Net")),
        (4, lambda v: validator.check_is_int(v)),
        (np.float32(0.0), lambda v: validator.check_float_range(v, 0.0, 1.0, validator.INC_LEFT, "p")),
        (1, lambda v: validator.check_int_range(v, 0, 1, validator.INC_RIGHT)),
        (True, lambda v: validator.check_bool(v)),
        ("same", lambda v: validator.check_string(v, ["same", "pad"], "mode")),
        ([1], lambda v: validator.check_value_type("sizes", v, (list, tuple), "Net")),
        (True, lambda v: Validator.check_value_type("flag", v, [bool, int])),
        (mstype.float32, lambda v: validator.check_type_name("dtype", v, [mstype.float32, mstype.float16], "Net")),
        (2, lambda v: validator.check("rows", v, "columns", 2, Rel.EQ, "Net")),
        (2, lambda v: validator.check("rows", v, "known", (1, 2), validator.IN)),
    ],
)
def test_a_right_value_is_given_back(value, checked):
    assert checked(value) is value


@pytest.mark.parametrize(
    ("error", "said", "checked"),
    [
        (ValueError, "For 'Net', the 'depth' must be int and must be > 0, but got '0' with type 'int'.",
         lambda: validator.check_positive_int(0, "depth", "Net")),
        (TypeError, "The 'depth' must be int and must be > 0, but got 'True' with type 'bool'.",
         lambda: validator.check_positive_int(True, "depth")),
        (ValueError, "The input value must be a legal value, but got 'nan'.",
         lambda: validator.check_positive_float(float("nan"))),
        (TypeError, "must be float and must be >= 0.0, but got '1' with type 'int'",
         lambda: validator.check_non_negative_float(1, "rate")),
        (ValueError, "For 'Net', the 'p' must be in range of [0.0, 1.0), but got '1.0' with type 'float'.",
         lambda: validator.check_float_range(1.0, 0.0, 1.0, validator.INC_LEFT, "p", "Net")),
        (TypeError, "The 'p' must be 'float', but got 'int'.",
         lambda: validator.check_float_range(1, 0.0, 1.0, Rel.INC_BOTH, "p")),
        (TypeError, "The 'n' must be 'int', but got 'float'.", lambda: validator.check_is_int(1.0, "n")),
        (ValueError, "must be a legal float, but got 'inf'", lambda: validator.check_is_float(float("inf"))),
        (ValueError, "The 'n' must be < 3, but got 4.", lambda: validator.check_number("n", 4, 3, validator.LT)),
        (TypeError, "For 'Net', the 'flag' must be a bool, but got int.",
         lambda: validator.check_bool(1, "flag", "Net")),
        (ValueError, "The 'mode' must be str and must be in '['same']', but got 'pad'.",
         lambda: validator.check_string("pad", ["same"], "mode")),
        (TypeError, "For 'Net', the type of 'n' should be 'int', but got type 'bool'.",
         lambda: validator.check_value_type("n", True, int, "Net")),
        (TypeError, "The type of 'n' should be one of '['int', 'list']', but got type 'str'.",
         lambda: validator.check_value_type("n", "x", (int, list))),
        (TypeError, "'dtype' should be 'Float32', but got 'graphc.int32'",
         lambda: validator.check_type_name("dtype", mstype.int32, mstype.float32, "Net")),
        (TypeError, "the element of 'x' must be one of Float16, Float32, Float64, BFloat16, but got Int32 here",
         lambda: validator.check_subclass("x", mstype.int32, [mstype.float16, mstype.float_type], "Net", "here")),
        (ValueError, "For 'Net', the 'rows' should be = columns: 3, but got 2.",
         lambda: validator.check("rows", 2, "columns", 3, prim_name="Net")),
        (KeyError, "not in known", lambda: validator.check("rows", 2, "known", (2,), Rel.NOT_IN, excp_cls=KeyError)),
    ],
)  # fmt: skip
def test_a_wrong_value_is_told(error, said, checked):
    with pytest.raises(error) as raised:
        checked()
    assert said in str(raised.value)


def test_decorated_functions_check_the_types_of_their_arguments():
    @args_type_check(rate=(int, float), name=str)
    def make(rate, name=None, **others):
        return rate, name, others

    assert make(1, name="a", more=2) == (1, "a", {"more": 2}) and make(0.5, None) == (0.5, None, {})
    with pytest.raises(TypeError, match="The parameter 'name' must be <class 'str'>, but got <class 'int'>"):
        make(1, 2)
    validator.check_subclass("x", mstype.float16, mstype.float_type, "Net")


def test_bounds_have_their_names_wherever_programs_look() -> None:
    """`try: from mindspore._checkparam import Validator except ImportError: from mindspore import _checkparam`."""
    assert Validator.check("sizes", 2, "expected", 2, rel=Validator.EQ) == 2
    with pytest.raises(ValueError, match="sizes"):
        Validator.check("sizes", 2, "expected", 3, rel=Rel.EQ)


def test_checks_and_marks_are_found_where_layers_of_programs_import_them_from() -> None:
    from graphc.ops.primitive import _primexpr, constexpr
    from graphc.train._utils import check_value_type

    assert check_value_type("rate", 0.5, [float]) == 0.5
    with pytest.raises(TypeError, match="rate"):
        check_value_type("rate", True, [int])
    assert _primexpr is constexpr and _primexpr(len) is len
