"""What programs tell MindSpore's compiler: accepted, checked, and without effect on results."""

from __future__ import annotations

import pytest

import graphc
from graphc import Tensor, nn, ops


def test_flags_of_functions() -> None:
    @ops.add_flags(has_effect=True)
    def double(x: Tensor) -> Tensor:
        return x * 2

    assert double(Tensor([1.0])).asnumpy() == 2
    assert double._mindspore_flags == {"has_effect": True}


def test_settings_of_mindspores_compiler() -> None:
    net = nn.Dense(2, 2)
    net.set_jit_config(graphc.JitConfig(jit_level="O1"))
    assert net.jit_config_dict["jit_level"] == "O1" and graphc.no_inline(len) is len
    with pytest.raises(ValueError, match="jit_level must be one of"):
        graphc.JitConfig("O9")


def test_set_deterministic_takes_a_bool() -> None:
    graphc.set_deterministic(True)
    with pytest.raises(TypeError, match="expected a bool"):
        graphc.set_deterministic(1)


def test_parameters_that_are_only_to_be_loaded_have_values_at_once() -> None:
    from graphc.nn.utils import no_init_parameters
    from graphc.profiler import Profiler

    with no_init_parameters():
        net = graphc.nn.Dense(2, 2, weight_init="ones")
    assert net.weight.asnumpy().tolist() == [[1, 1], [1, 1]]
    assert Profiler is graphc.Profiler and no_init_parameters is graphc.nn.no_init_parameters
