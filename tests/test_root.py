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
        *graphc.dtype.int_type, *graphc.dtype.uint_type, *graphc.dtype.float_type, *graphc.dtype.complex_type,
    )  # fmt: skip
    with pytest.raises(AttributeError, match="has no uint64"):
        _ = graphc.uint64


def test_run_check_computes_something(capsys: pytest.CaptureFixture[str]) -> None:
    graphc.run_check()
    assert "compiled code works" in capsys.readouterr().out
    graphc.synchronize()


def test_names_of_several_processes_are_there_for_one() -> None:
    from graphc.communication import management
    from graphc.experimental.optim.adamw import AdamW

    assert AdamW is graphc.experimental.optim.AdamW
    assert graphc.communication.GlobalComm.WORLD_COMM_GROUP == management.MCCL_WORLD_COMM_GROUP == "mccl_world_group"
    distributed = graphc.mint.distributed
    assert not distributed.is_available() and not distributed.is_initialized() and distributed.get_world_size() == 1
    for join in (distributed.init_process_group, distributed.destroy_process_group, distributed.new_group):
        with pytest.raises(RuntimeError, match="graphc runs in one process"):
            join()
    assert graphc.amp.get_black_list() == graphc.train.amp.AMP_BLACK_LIST
    assert management.get_process_group_ranks() == [0] and not management.GlobalComm.INITED
    assert management.get_world_rank_from_group_rank("g", 0) == management.get_group_rank_from_world_rank(0, "g") == 0
    with pytest.raises(ValueError, match="got 1, the only process has number 0"):
        management.get_world_rank_from_group_rank("g", 1)
    for call in (management.init, management.release, lambda: management.create_group("g", [0, 1])):
        with pytest.raises(RuntimeError, match="graphc runs in one process"):
            call()
    graphc.set_auto_parallel_context(pipeline_stages=1, dataset_strategy="full_batch")
    assert graphc.get_auto_parallel_context("dataset_strategy") == "full_batch"
    assert graphc.get_auto_parallel_context("pipeline_scheduler") == "1f1b"
    with pytest.raises(ValueError, match="grad_accumulation_step must be 1 in one process, got 2"):
        graphc.set_auto_parallel_context(grad_accumulation_step=2)
    graphc.reset_auto_parallel_context()
    with pytest.raises(ValueError, match="pipeline_stages must be 1"):
        graphc.set_auto_parallel_context(pipeline_stages=2)
    assert graphc.get_level() == graphc.log.get_level()


def test_streams_and_events_of_the_only_device() -> None:
    start, end = graphc.runtime.Event(enable_timing=True), graphc.Event(enable_timing=True)
    start.record()
    y = graphc.ops.ones((64, 64)) @ graphc.ops.ones((64, 64))
    end.record(graphc.current_stream())
    assert end.query() and start.elapsed_time(end) > 0.0 and float(y[0, 0]) == 64.0
    with graphc.runtime.StreamCtx(graphc.Stream()), pytest.raises(RuntimeError, match="was not recorded"):
        start.elapsed_time(graphc.Event(enable_timing=True))
    stream = graphc.hal.default_stream()
    assert stream == graphc.Stream() and stream.query() and len({stream, graphc.Stream()}) == 1
    event = stream.record_event()
    stream.wait_event(event)
    stream.wait_stream(graphc.Stream())
    event.wait()
    event.synchronize()
    stream.synchronize()
    graphc.runtime.set_cur_stream(stream)
    assert repr(stream) == "Stream(device_name=CPU, device_id:0, stream id:0)"
    with pytest.raises(RuntimeError, match="without enable_timing"):
        event.elapsed_time(end)
    for call in (lambda: graphc.Event(1), lambda: graphc.Stream(True), lambda: graphc.StreamCtx(3)):
        with pytest.raises(TypeError):
            call()
    with pytest.raises(TypeError, match="expected a Stream, got int"):
        event.record(3)
    with pytest.raises(AttributeError, match=r"'graphc.runtime' has no attribute 'MemPool'"):
        graphc.runtime.MemPool  # noqa: B018


def test_devices_and_their_memory() -> None:
    from graphc.device_context import ascend, cpu

    assert cpu.is_available() and cpu.device_count() == graphc.hal.device_count("CPU") == 1
    assert not ascend.is_available() and not graphc.device_context.gpu.is_available()
    assert graphc.hal.is_available("CPU") and not graphc.hal.is_available("Ascend")
    assert graphc.get_current_device() == ("CPU", 0) and graphc.hal.get_device_name(0) == "CPU"
    assert graphc.hal.get_device_properties(0) is graphc.hal.get_arch_list() is None
    assert graphc.runtime.memory_allocated() == graphc.max_memory_reserved() == 0
    assert set(graphc.runtime.memory_stats().values()) == {0}
    graphc.runtime.empty_cache()
    graphc.runtime.set_memory(max_size="4GB")
    graphc.runtime.set_cpu_affinity(True)
    graphc.runtime.dispatch_threads_num(2)
    graphc.runtime.set_kernel_launch_group()
    threads = graphc.get_context("runtime_num_threads")
    cpu.op_tuning.threads_num(1)
    assert graphc.get_context("runtime_num_threads") == 1
    graphc.set_context(runtime_num_threads=threads)
    for call in (
        lambda: graphc.hal.device_count("GPU"), lambda: graphc.runtime.set_memory(max_size="4"),
        lambda: graphc.runtime.set_memory(optimize_level="O9"), lambda: graphc.runtime.dispatch_threads_num(0),
        lambda: cpu.op_tuning.threads_num(0),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=r"expected|must be"):
            call()
    with pytest.raises(TypeError, match="enable_affinity"):
        graphc.runtime.set_cpu_affinity(1)


def test_ops_may_run_when_they_are_called() -> None:
    try:
        graphc.runtime.launch_blocking()
        assert graphc.get_context("pynative_synchronize") is True
    finally:
        graphc.set_context(pynative_synchronize=False)
