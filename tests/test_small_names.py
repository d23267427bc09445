"""Names that programs import or call in passing, of which MindSpore has a few of each kind."""

from __future__ import annotations

import logging

import numpy as np
import pytest

import graphc
import graphc.dataset as ds
from graphc import Parameter, Tensor, log, nn, ops


def rows(count: int) -> ds.Dataset:
    return ds.NumpySlicesDataset({"x": np.arange(count, dtype=np.float32)}, shuffle=False)


def test_data_sink_goes_through_the_dataset_again_and_again() -> None:
    step = graphc.data_sink(lambda x: float(x), rows(3))
    assert [step() for _ in range(5)] == [0, 1, 2, 0, 1]
    by_two = graphc.data_sink(lambda x: float(x), rows(3), sink_size=2)
    assert [by_two() for _ in range(3)] == [1, 0, 2]
    for options in ({"sink_size": 0}, {"sink_size": 1.5}, {"jit_config": 1}):
        with pytest.raises((TypeError, ValueError), match="data_sink"):
            graphc.data_sink(print, rows(3), **options)
    with pytest.raises(TypeError, match="expected a function and a Dataset"):
        graphc.data_sink(print, [1, 2])


def test_log_goes_to_the_logger_of_the_package(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "graphc"):
        log.info("loss %.1f", 0.5)
        log.error("no file")
        assert log.get_level() == "0"
    assert [(r.levelname, r.getMessage(), r.filename) for r in caplog.records] == [
        ("INFO", "loss 0.5", "test_small_names.py"), ("ERROR", "no file", "test_small_names.py")
    ]  # fmt: skip


def test_older_names_and_settings_of_one_device() -> None:
    assert graphc.ms_function is graphc.jit
    graphc.manual_seed(3)
    assert graphc.get_seed() == 3
    graphc.set_recursion_limit(2000)
    assert graphc.get_context("max_call_depth") == 2000
    graphc.set_recursion_limit(1000)
    x = Tensor([1.0, 2.0])
    assert nn.DistributedGradReducer([])((x,)) == (x,)
    nn.Dense(2, 2).recompute()
    parameter = Parameter(x, "p", layerwise_parallel=False, parallel_optimizer=False)
    assert parameter.name == "p"
    shared = np.zeros(2, np.float32)
    tensor = Tensor.from_numpy(shared)
    shared[0] = 3
    assert tensor.asnumpy().tolist() == [3, 0]


def test_flags_of_functions() -> None:
    @ops.add_flags(has_effect=True)
    def double(x: Tensor) -> Tensor:
        return x * 2

    assert double(Tensor([1.0])).asnumpy() == 2
    assert double._mindspore_flags == {"has_effect": True}


def test_jacfwd_is_the_jacobian() -> None:
    x = Tensor([1.0, 2.0])
    found = graphc.jacfwd(lambda v: ops.stack([v[0] * v[1], v[1] * v[1], v[0]]))(x)
    assert found.asnumpy().tolist() == [[2, 1], [0, 4], [1, 0]]


def test_settings_of_the_pipeline() -> None:
    ds.config.set_enable_shared_mem(True)
    assert ds.config.get_enable_shared_mem()
    ds.config.set_enable_shared_mem(False)
    ds.config.set_numa_enable(False)
    ds.config.set_enable_autotune(False)
    assert not ds.config.get_enable_autotune() and not ds.config.get_numa_enable()
    with pytest.raises(ValueError, match="expected False"):
        ds.config.set_enable_autotune(True)
    with pytest.raises(TypeError, match="expected a bool"):
        ds.config.set_enable_shared_mem(1)


def test_names_of_training_and_of_types_at_the_root(capsys: pytest.CaptureFixture[str]) -> None:
    assert graphc.LossMonitor is graphc.train.LossMonitor and graphc.Accuracy is nn.Accuracy
    assert graphc.double is graphc.float64 and graphc.long is graphc.int64 and graphc.dtype.float is graphc.float32
    assert graphc.common.dtype.number_type == (*graphc.dtype.int_type, graphc.uint8, *graphc.dtype.float_type)
    with pytest.raises(AttributeError, match="has no float16"):
        _ = graphc.float16
    graphc.run_check()
    assert "compiled code works" in capsys.readouterr().out
    graphc.synchronize()
    graphc.set_deterministic(True)
    with pytest.raises(TypeError, match="expected a bool"):
        graphc.set_deterministic(1)


def test_settings_of_mindspores_compiler() -> None:
    net = nn.Dense(2, 2)
    net.set_jit_config(graphc.JitConfig(jit_level="O1"))
    assert net.jit_config_dict["jit_level"] == "O1" and graphc.no_inline(len) is len
    with pytest.raises(ValueError, match="jit_level must be one of"):
        graphc.JitConfig("O9")
    assert ops.vmap(ops.square)(Tensor([1.0, 2.0])).tolist() == [1, 4]
