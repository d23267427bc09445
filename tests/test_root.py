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
    with pytest.raises(AttributeError, match="has no complex64"):
        _ = graphc.complex64


def test_run_check_computes_something(capsys: pytest.CaptureFixture[str]) -> None:
    graphc.run_check()
    assert "compiled code works" in capsys.readouterr().out
    graphc.synchronize()


def test_names_of_several_processes_are_there_for_one() -> None:
    from graphc.communication import management
    from graphc.experimental.optim.adamw import AdamW

    assert AdamW is graphc.experimental.optim.AdamW
    assert graphc.communication.GlobalComm.WORLD_COMM_GROUP == management.MCCL_WORLD_COMM_GROUP == "mccl_world_group"
    assert management.get_process_group_ranks() == [0] and not management.GlobalComm.INITED
    assert management.get_world_rank_from_group_rank("g", 0) == management.get_group_rank_from_world_rank(0, "g") == 0
    with pytest.raises(ValueError, match="got 1, the only process has number 0"):
        management.get_world_rank_from_group_rank("g", 1)
    for call in (management.init, management.release, lambda: management.create_group("g", [0, 1])):
        with pytest.raises(RuntimeError, match="graphc runs in one process"):
            call()
    graphc.set_auto_parallel_context(pipeline_stages=1, dataset_strategy="full_batch")
    assert graphc.get_auto_parallel_context("dataset_strategy") == "full_batch"
    graphc.reset_auto_parallel_context()
    with pytest.raises(ValueError, match="pipeline_stages must be 1"):
        graphc.set_auto_parallel_context(pipeline_stages=2)
    assert graphc.get_level() == graphc.log.get_level()
