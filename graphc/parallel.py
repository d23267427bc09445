"""What programs for several machines ask about them. graphc runs in one process, which is number 0 of 1.

A program that trains on one device when it finds only one runs unchanged; a setting for more devices is an error.
"""

from __future__ import annotations

from typing import Any

__all__ = [
    "HCCL_WORLD_COMM_GROUP", "MCCL_WORLD_COMM_GROUP", "NCCL_WORLD_COMM_GROUP", "GlobalComm", "ParallelMode",
    "create_group", "destroy_group", "destroy_process_group", "get_auto_parallel_context",
    "get_group_rank_from_world_rank", "get_group_size", "get_local_rank", "get_local_rank_size",
    "get_process_group_ranks", "get_rank", "get_world_rank_from_group_rank", "get_world_size", "init",
    "init_process_group", "is_available", "is_initialized", "new_group", "release", "reset_auto_parallel_context",
    "set_auto_parallel_context",
]  # fmt: skip

HCCL_WORLD_COMM_GROUP, NCCL_WORLD_COMM_GROUP, MCCL_WORLD_COMM_GROUP = (
    f"{library}_world_group" for library in ("hccl", "nccl", "mccl")
)
"""The names that MindSpore's communication libraries have for all processes; here each is this one."""


class GlobalComm:
    """What is known of the communication between processes: there is none."""

    BACKEND = "mccl"
    WORLD_COMM_GROUP = MCCL_WORLD_COMM_GROUP
    INITED = False
    CHECK_ENVS = True


class ParallelMode:
    """The names of the ways to train on several devices; only `STAND_ALONE` can be set."""

    STAND_ALONE = "stand_alone"
    DATA_PARALLEL = "data_parallel"
    HYBRID_PARALLEL = "hybrid_parallel"
    SEMI_AUTO_PARALLEL = "semi_auto_parallel"
    AUTO_PARALLEL = "auto_parallel"
    MODE_LIST = (STAND_ALONE, DATA_PARALLEL, HYBRID_PARALLEL, SEMI_AUTO_PARALLEL, AUTO_PARALLEL)


_ALONE: dict[str, tuple[Any, ...]] = {
    "parallel_mode": (ParallelMode.STAND_ALONE,),
    "device_num": (1,),
    "global_rank": (0,),
    "gradients_mean": (False, True),
    "parameter_broadcast": (False, True),
    "full_batch": (False, True),
    "pipeline_stages": (1,),
    "enable_parallel_optimizer": (False, True),
    "dataset_strategy": ("data_parallel", "full_batch"),
    "search_mode": ("recursive_programming", "dynamic_programming", "sharding_propagation"),
    "auto_parallel_search_mode": ("recursive_programming", "dynamic_programming", "sharding_propagation"),
    "strategy_ckpt_load_file": ("",),
    "strategy_ckpt_save_file": ("",),
    "gradient_fp32_sync": (True, False),
    "loss_repeated_mean": (True, False),
    "force_fp32_communication": (False, True),
    "communi_parallel_mode": ("all_group_parallel", "same_server_group_parallel", "no_group_parallel"),
    "sharding_propagation": (False, True),
    "enable_alltoall": (False, True),
    "init_param_in_compile": (True, False),
    "optimizer_weight_shard_size": (-1,),
    "optimizer_weight_shard_aggregated_save": (False, True),
    "all_reduce_fusion_config": ([],),
    "grad_accumulation_step": (1,),
    "auto_pipeline": (False,),
    "pipeline_result_broadcast": (False,),
    "pipeline_interleave": (False,),
    "pipeline_scheduler": ("1f1b",),
    "auto_parallel_new_interface": (False,),
    "full_batch_is_set": (False,),
    "dump_local_norm": (False,),
    "dump_local_norm_path": ("",),
    "dump_device_local_norm": (False,),
}
"""Each setting with the values that mean the same on one device; the first is its default."""

_settings: dict[str, Any] = {}


def set_auto_parallel_context(**kwargs: Any) -> None:
    """Sets how to train on several devices, which can only be: on one.

    Args:
        parallel_mode: "stand_alone".
        device_num: 1.
        global_rank: 0.
        pipeline_stages: 1.
        gradients_mean, parameter_broadcast, full_batch, enable_parallel_optimizer: a bool; on one device they change
            nothing. So do dataset_strategy, search_mode and auto_parallel_search_mode, by MindSpore's names, and
            what is about communication, which there is none of.
        strategy_ckpt_load_file, strategy_ckpt_save_file: "".
    Raises:
        ValueError: an unknown setting, or a value for several devices; nothing is changed then.
    """
    for key, value in kwargs.items():
        if key not in _ALONE:
            raise ValueError(f"set_auto_parallel_context: {key} is not recognized; known: {', '.join(_ALONE)}")
        if value not in _ALONE[key]:
            allowed = " or ".join(map(repr, _ALONE[key]))
            raise ValueError(f"set_auto_parallel_context: {key} must be {allowed} in one process, got {value!r}")
    _settings.update(kwargs)


def get_auto_parallel_context(attr_key: str) -> Any:
    """The value of one setting.

    Raises:
        ValueError: there is no such setting.
    """
    if attr_key not in _ALONE:
        raise ValueError(f"get_auto_parallel_context: {attr_key} is not recognized; known: {', '.join(_ALONE)}")
    return _settings.get(attr_key, _ALONE[attr_key][0])


def reset_auto_parallel_context() -> None:
    """Gives every setting its default."""
    _settings.clear()


def init(backend_name: str | None = None) -> None:
    """Joins the other processes.

    Raises:
        RuntimeError: always; there are none.
    """
    raise _alone("init")


def _alone(name: str) -> RuntimeError:
    return RuntimeError(f"communication.{name}: graphc runs in one process and has no others to talk to")


def release() -> None:
    """Leaves the other processes.

    Raises:
        RuntimeError: always; there are none.
    """
    raise _alone("release")


def create_group(group: str, rank_ids: list[int], options: Any = None) -> None:
    """Names some of the processes.

    Raises:
        RuntimeError: always; there are none to choose from.
    """
    raise _alone("create_group")


def destroy_group(group: str) -> None:
    """Forgets a name of `create_group`.

    Raises:
        RuntimeError: always; there is none.
    """
    raise _alone("destroy_group")


def get_rank(group: str | None = None) -> int:
    """The number of this process: 0."""
    return 0


def get_group_size(group: str | None = None) -> int:
    """How many processes there are: 1."""
    return 1


get_local_rank, get_local_rank_size = get_rank, get_group_size


# PyTorch's names of these, which are those of `graphc.mint.distributed`


def is_available() -> bool:
    """Whether programs can run in several processes: they cannot."""
    return False


def is_initialized() -> bool:
    """Whether this process has joined others: it has not."""
    return False


get_world_size = get_group_size


def init_process_group(*args: Any, **kwargs: Any) -> None:
    """See `init`."""
    raise _alone("init_process_group")


def destroy_process_group(group: Any = None) -> None:
    """See `release`."""
    raise _alone("destroy_process_group")


def new_group(*args: Any, **kwargs: Any) -> None:
    """See `create_group`."""
    raise _alone("new_group")


def get_process_group_ranks(group: str | None = None) -> list[int]:
    """The numbers of all processes: 0."""
    return [0]


def get_world_rank_from_group_rank(group: str, group_rank_id: int) -> int:
    """The number among all of a process that has a number in a group.

    Raises:
        ValueError: a number that is not 0.
    """
    return _only("get_world_rank_from_group_rank", group_rank_id)


def get_group_rank_from_world_rank(world_rank_id: int, group: str) -> int:
    """The number in a group of a process that has a number among all.

    Raises:
        ValueError: a number that is not 0.
    """
    return _only("get_group_rank_from_world_rank", world_rank_id)


def _only(name: str, rank: int) -> int:
    if rank != 0:
        raise ValueError(f"communication.{name}: got {rank!r}, the only process has number 0")
    return 0


def _get_parallel_mode() -> str:
    return str(get_auto_parallel_context("parallel_mode"))


def _get_gradients_mean() -> bool:
    return bool(get_auto_parallel_context("gradients_mean"))


def _get_parameter_broadcast() -> bool:
    return bool(get_auto_parallel_context("parameter_broadcast"))


def _get_enable_parallel_optimizer() -> bool:
    return bool(get_auto_parallel_context("enable_parallel_optimizer"))


def _get_pipeline_stages() -> int:
    return int(get_auto_parallel_context("pipeline_stages"))


def _is_in_auto_parallel_mode() -> bool:
    return _get_parallel_mode() in (ParallelMode.SEMI_AUTO_PARALLEL, ParallelMode.AUTO_PARALLEL)


def _is_sharding_propagation() -> bool:
    """Whether MindSpore would look for a way to cut tensors by what is said of some; there is one device to be on."""
    return "sharding_propagation" in (
        get_auto_parallel_context("search_mode"), get_auto_parallel_context("auto_parallel_search_mode")
    )  # fmt: skip


_get_device_num, _get_global_rank = get_group_size, get_rank  # by which MindSpore's own wrappers ask
