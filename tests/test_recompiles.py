"""Another trace says why: in the log, and once as a warning where every call needs one."""

from __future__ import annotations

import logging
import warnings
from typing import Any

import numpy as np
import pytest
from modes import mode

import graphc as ms
from graphc import Tensor, nn


def test_the_log_says_what_changed(caplog: pytest.LogCaptureFixture) -> None:
    double = ms.jit(lambda x, factor: x * factor)
    with caplog.at_level(logging.INFO, logger="graphc.jit"):
        double(Tensor(np.ones(3, np.float32)), 2.0)
        double(Tensor(np.ones(3, np.float32)), 2.0)
        double(Tensor(np.ones(4, np.float32)), 2.5)
    messages = [record.getMessage() for record in caplog.records]
    assert len(messages) == 2
    assert messages[0].endswith("traced for (f32[3], 2.0)")
    assert messages[1].endswith("(f32[3], 2.0) became (f32[4], 2.5)")


def test_a_function_compiled_at_every_call_warns_once() -> None:
    scale = ms.jit(lambda x, factor: x * factor)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for factor in range(12):
            scale(Tensor(np.ones(3, np.float32)), float(factor))
    assert [w.category for w in caught] == [UserWarning]
    assert "traced anew in each of the last 6 calls" in str(caught[0].message)
    assert caught[0].filename == __file__


def test_a_training_step_of_gradients_and_update_warns_once() -> None:
    weight = ms.Parameter(Tensor(np.ones(3, np.float32)), name="weight")
    optimizer = nn.SGD([weight], 0.1)
    gradients = ms.value_and_grad(lambda x: (x * weight).sum(), None, [weight])
    with warnings.catch_warnings(record=True) as caught, mode(ms.GRAPH_MODE):
        warnings.simplefilter("always")
        for n in range(1, 9):
            _, grads = gradients(Tensor(np.ones((n, 3), np.float32)))
            optimizer(grads)
    assert [w.category for w in caught] == [UserWarning]


def test_an_optimizer_that_changes_at_every_step_is_warned_of() -> None:
    class Slower(nn.SGD):
        factor = 1.0

        def construct(self, gradients: Any) -> Any:
            return super().construct(tuple(g * self.factor for g in gradients))

    weight = ms.Parameter(Tensor(np.ones(3, np.float32)), name="weight")
    optimizer = Slower([weight], 0.1)
    gradients = ms.value_and_grad(lambda x: (x * weight).sum(), None, [weight])
    with warnings.catch_warnings(record=True) as caught, mode(ms.GRAPH_MODE):
        warnings.simplefilter("always")
        for n in range(1, 10):
            optimizer.factor = 1.0 / n
            _, grads = gradients(Tensor(np.ones(3, np.float32)))
            optimizer(grads)
    assert ["traced anew" in str(w.message) for w in caught] == [True]


def test_signatures_that_come_back_do_not_warn() -> None:
    double = ms.jit(lambda x: x * 2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(3):
            for n in (2, 3, 4, 5):
                double(Tensor(np.ones(n, np.float32)))
                double(Tensor(np.ones(n, np.float32)))
