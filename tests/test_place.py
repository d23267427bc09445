"""Errors and warnings name the user's line, wherever in graphc and the standard library they come about."""

from __future__ import annotations

import concurrent.futures
import inspect
import runpy
import sys
import traceback
import warnings
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

import graphc as ms
import graphc.numpy as mnp
from graphc import mint, nn, ops
from graphc.place import user_line, warn


def here() -> int:
    """The line of the caller."""
    frame = inspect.currentframe()
    assert frame is not None and frame.f_back is not None
    return frame.f_back.f_lineno


class Branching(nn.Cell):
    def construct(self, x):
        if x.sum() > 0:
            return x
        return -x


def only_warning(function: Callable[[], Any]) -> warnings.WarningMessage:
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        function()
    (found,) = seen
    return found


def calls_of_a_branch() -> dict[str, Callable[[], Any]]:
    """Ways to call what no graph can be made of."""
    x, cell = ops.ones(2), Branching()
    optimizer = nn.SGD([ms.Parameter(ops.ones(2))], 0.1)
    gradient = ms.value_and_grad(lambda x: Branching()(x * optimizer.parameters[0]).sum(), None, optimizer.parameters)
    return {
        "jit": lambda: ms.jit(lambda x: x if x.sum() > 0 else -x)(x),
        "Cell": lambda: cell(x),
        "grad": lambda: ms.grad(cell)(x),
        "gradient and optimizer": lambda: optimizer(gradient(x)[1]),
        "from the standard library": lambda: concurrent.futures.ThreadPoolExecutor(1).submit(lambda: cell(x)).result(),
    }


WAYS = ("jit", "Cell", "grad", "gradient and optimizer", "from the standard library")


@pytest.mark.parametrize("way", WAYS)
def test_a_warning_names_the_line_that_calls(way):
    ms.set_context(mode=ms.GRAPH_MODE)
    call = calls_of_a_branch()[way]
    found = only_warning(call)
    first = inspect.getsourcelines(call)[1]
    assert (found.filename, found.lineno) == (__file__, first)
    assert "op by op" in str(found.message)


def test_a_warning_where_there_is_no_users_line():
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        found = only_warning(lambda: pool.submit(warn, "careful").result())
    assert (found.filename, str(found.message)) == ("graphc", "careful")


def test_an_error_names_no_line_of_the_standard_library():
    cell, x = nn.Dense(4, 3), ops.ones((2, 5))
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        error = pool.submit(cell, x).exception()
    assert str(error).endswith("weight f32[3,4] takes 4; Dense")


def test_the_line_of_a_program_that_is_run_by_the_standard_library(tmp_path):
    program = tmp_path / "program.py"
    program.write_text("from graphc.place import user_line\nline = user_line()\n")
    assert runpy.run_path(str(program))["line"] == (str(program), 2)
    assert user_line() == (__file__, here())


def test_the_line_of_a_notebook_is_named_by_its_cell(monkeypatch):
    """As IPython does in its tracebacks: the file of a cell is a number."""
    cell = "/tmp/ipykernel_17/1777343378.py"
    compiler = SimpleNamespace(format_code_name=lambda name: ("Cell", "In[3]") if name == cell else None)
    shell = SimpleNamespace(get_ipython=lambda: SimpleNamespace(compile=compiler))
    monkeypatch.setitem(sys.modules, "IPython", shell)  # type: ignore[arg-type]
    names = {"ops": ops, "x": ops.ones(2)}
    with pytest.raises(ValueError, match=r"; In\[3\]:2$"):
        exec(compile("\nops.matmul(x, ops.ones(3))", cell, "exec"), names)
    with pytest.raises(ValueError, match=r"; test_place.py:\d+$"):
        ops.matmul(ops.ones(2), ops.ones(3))
    monkeypatch.setattr(shell, "get_ipython", lambda: None)  # imported, but not what runs the program
    with pytest.raises(ValueError, match=r"; 1777343378.py:2$"):
        exec(compile("\nops.matmul(x, ops.ones(3))", cell, "exec"), names)


X, Y = ops.ones((2, 3)), ops.ones(4)

CALLED: dict[str, Callable[[], Any]] = {
    "where: select: shapes do not broadcast": lambda: ops.where(X > 0, X, Y),
    "addmm: matmul: inner dimensions differ": lambda: ops.addmm(X, X, X),
    "masked_fill: select: shapes do not broadcast": lambda: X.masked_fill(Y > 0, 1.0),
    "where: select: shapes do not": lambda: X.where(X > 0, Y),
    "ge: greater_equal: shapes do not broadcast": lambda: ops.ge(X, Y),
    "add: shapes do not broadcast": lambda: X + Y,
    "AvgPool2d: expected": lambda: ops.avg_pool2d(X, 3),  # a function and the class of the same need one name
    "nll_loss: ": lambda: mint.nn.functional.nll_loss(X, Y),
    "arccos: array: expected a Tensor": lambda: mnp.arccos("x"),
    "float_power: pow: shapes do not broadcast": lambda: mnp.float_power(X, Y),
    "Tensor: an index must be an integer": lambda: range(X),
    "Tensor: `if`, `while`, `and`, `or`, `not` expected one element": lambda: not X,
    "arange: Tensor.item: expected one element": lambda: ops.arange(X),
    "ones: dtype: expected one of float32": lambda: ops.ones(2, X),
    "exp: Tensor: the rows differ in length": lambda: ops.exp([[1], [2, 3]]),
    "cholesky: matrix 0 is not positive definite": lambda: ops.cholesky(ops.zeros((2, 2))),
}


@pytest.mark.parametrize("message, call", CALLED.items(), ids=CALLED)
def test_an_error_begins_with_the_function_that_was_called(message, call):
    with pytest.raises((TypeError, ValueError, RuntimeError)) as caught:
        call()
    first = inspect.getsourcelines(call)[1]
    assert str(caught.value).startswith(message)
    assert str(caught.value).endswith(f"; test_place.py:{first}")


class Fails(nn.Cell):
    def construct(self, x):
        return ops.matmul(x, ops.ones((3, 3)))


class Outer(nn.Cell):
    def __init__(self):
        super().__init__()
        self.layers = nn.SequentialCell(nn.ReLU(), Fails())

    def construct(self, x):
        return self.layers(x)


def frames(error):
    """The functions of a traceback, those of graphc as `...`."""
    return [f.name if f.filename == __file__ else "..." for f in traceback.extract_tb(error.__traceback__)]


@pytest.mark.parametrize("mode", [ms.GRAPH_MODE, ms.PYNATIVE_MODE])
@pytest.mark.parametrize("through", ["cell", "gradient", "jit"])
def test_traceback_has_the_program_and_what_is_behind_its_last_line(mode, through):
    net = Outer()

    def forward(x):
        return net(x).sum()

    called = {"cell": net, "gradient": ms.grad(forward), "jit": ms.jit(forward)}[through]
    ms.set_context(mode=mode)
    try:
        with pytest.raises(ValueError, match="inner dimensions differ") as error:
            called(ops.ones((2, 2)))
    finally:
        ms.set_context(mode=ms.PYNATIVE_MODE)
    found = frames(error.value)
    between = [] if through == "cell" else ["forward"]
    assert found[1 : found.index("...")] == [*between, "construct", "construct"]
    assert set(found[found.index("...") :]) == {"..."}


def test_traceback_keeps_all_frames_where_none_is_the_programs():
    with pytest.raises(TypeError) as error:
        ms.jit(ops.matmul)(ops.ones((2, 2)), "x")
    assert frames(error.value)[-1] == "..."
