"""What stands in `graphc` itself: names of its modules under MindSpore's top level, and a check of the installation."""

from __future__ import annotations

import pytest

import graphc
from graphc import nn


def test_callbacks_metrics_and_loss_scales_are_at_the_top_as_well() -> None:
    assert graphc.LossMonitor is graphc.train.LossMonitor
    assert graphc.Accuracy is graphc.train.Accuracy
    with pytest.raises(AttributeError, match="LossMonitors"):
        graphc.LossMonitors  # noqa: B018


def test_names_of_metrics_and_of_types_at_the_root() -> None:
    assert graphc.Accuracy is nn.Accuracy and graphc.ms_function is graphc.jit
    assert graphc.double is graphc.float64 and graphc.long is graphc.int64 and graphc.dtype.float is graphc.float32
    assert graphc.common.dtype.number_type == (
        *graphc.dtype.int_type, *graphc.dtype.uint_type, *graphc.dtype.float_type,
    )  # fmt: skip
    with pytest.raises(AttributeError, match="has no bfloat16"):
        _ = graphc.bfloat16


def test_run_check_computes_something(capsys: pytest.CaptureFixture[str]) -> None:
    graphc.run_check()
    assert "compiled code works" in capsys.readouterr().out
    graphc.synchronize()
