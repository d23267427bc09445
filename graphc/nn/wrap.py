"""Cells around a network: with its loss, for evaluation, and for whole training steps."""

from __future__ import annotations

from typing import Any

from graphc import ops
from graphc.dispatch import assign
from graphc.dtype import float32, int32
from graphc.gradients import GradientFunction, GradOperation, value_and_grad
from graphc.nn import check
from graphc.nn.basic import Identity
from graphc.nn.cell import Cell
from graphc.nn.optimizer import Optimizer
from graphc.parallel import ParallelMode
from graphc.parameter import Parameter, ParameterTuple
from graphc.tensor import Tensor

__all__ = [
    "DistributedGradReducer", "DynamicLossScaleUpdateCell", "FixedLossScaleUpdateCell", "ForwardValueAndGrad",
    "GradAccumulationCell", "MicroBatchInterleaved", "ParameterUpdate", "PipelineCell", "TrainOneStepCell",
    "TrainOneStepWithLossScaleCell", "WithEvalCell", "WithGradCell", "WithLossCell",
]  # fmt: skip


class WithLossCell(Cell):
    """The loss of a network: `construct(data, label)` is `loss_fn(backbone(data), label)`."""

    def __init__(self, backbone: Cell, loss_fn: Any) -> None:
        super().__init__(auto_prefix=False)
        self._backbone, self._loss_fn = backbone, loss_fn

    def construct(self, data: Any, label: Any) -> Any:
        return self._loss_fn(self._backbone(data), label)

    @property
    def backbone_network(self) -> Cell:
        """The network."""
        return self._backbone


class WithEvalCell(Cell):
    """What metrics need: `construct(data, label)` returns the loss, what the network returned, and the label.

    Args:
        network: the network.
        loss_fn: its loss, or None: then the loss is left out.
        add_cast_fp32: cast the network's result to float32 for the loss.
    """

    def __init__(self, network: Cell, loss_fn: Any, add_cast_fp32: bool = False) -> None:
        super().__init__(auto_prefix=False)
        self._network, self._loss_fn = network, loss_fn
        self.add_cast_fp32 = check.boolean("WithEvalCell", "add_cast_fp32", add_cast_fp32)

    def construct(self, data: Any, label: Any) -> tuple[Any, ...]:
        outputs = self._network(data)
        if self._loss_fn is None:
            return outputs, label
        outputs = ops.cast(outputs, float32) if self.add_cast_fp32 else outputs
        return self._loss_fn(outputs, label), outputs, label


class _InParts(Cell):
    """The sum of what a network returns of equal parts of the batch, one after another."""

    def __init__(self, network: Cell, parts: int, argument: str) -> None:
        super().__init__(auto_prefix=False)
        where = type(self).__name__
        if not isinstance(network, Cell):
            raise TypeError(f"For '{where}', the 'network' must be a Cell, but got {type(network).__name__}.")
        self.network = network
        self._parts = check.positive_int(where, argument, parts)

    def construct(self, *inputs: Tensor) -> Any:
        count = self._parts
        for x in inputs:
            if not x.ndim or x.shape[0] % count:
                where = type(self).__name__
                raise ValueError(f"For '{where}', a batch must be a multiple of {count}, but got {x.spec}.")
        total = None
        for i in range(count):
            part = self.network(*(x[i * x.shape[0] // count : (i + 1) * x.shape[0] // count] for x in inputs))
            total = part if total is None else total + part
        return total


class PipelineCell(_InParts):
    """A network that is given its batch in `micro_size` parts, and adds up what it returns, which is a Tensor.

    In MindSpore the parts go through stages on several devices; here there is one stage, which takes them in turn.

    Args:
        network: called with Tensors whose first axis is the batch, usually a `WithLossCell`.
        micro_size: a divisor of the batch.
        stage_config: the stage of each Cell by name; all must be 0.
        segment_config: accepted: there is one device, whose work is not divided.
    """

    def __init__(
        self, network: Cell, micro_size: int, stage_config: dict[str, int] | None = None,
        segment_config: dict[str, int] | None = None,
    ) -> None:
        super().__init__(network, micro_size, "micro_size")
        if any((stage_config or {}).values()):
            raise ValueError(f"For 'PipelineCell', every stage must be 0 in one process, but got {stage_config}.")
        self.micro_size = micro_size


class GradAccumulationCell(_InParts):
    """See `PipelineCell`: gradients of the sum over `micro_size` parts of the batch."""

    def __init__(self, network: Cell, micro_size: int) -> None:
        super().__init__(network, micro_size, "micro_size")
        self.micro_size = micro_size


class MicroBatchInterleaved(_InParts):
    """See `PipelineCell`: `interleave_num` parts, which other machines compute by turns with what they send."""

    def __init__(self, network: Cell, interleave_num: int = 2) -> None:
        super().__init__(network, interleave_num, "interleave_num")
        self.interleave_num = interleave_num


class ForwardValueAndGrad(Cell):
    """What a network returns, and gradients.

    Args:
        network: a Cell or function that returns the loss.
        weights: the Parameters to differentiate by, with `get_by_list`.
        get_all: gradients of all inputs (otherwise, without `get_by_list`, of the first).
        get_by_list: gradients of `weights`; with `get_all`, of both: (of inputs, of weights).
        sens_param: the call's last argument is the cotangent of the loss.
    """

    def __init__(
        self, network: Any, weights: Any = None, get_all: bool = False, get_by_list: bool = False,
        sens_param: bool = False,
    ) -> None:
        super().__init__(auto_prefix=False)
        where = "ForwardValueAndGrad"
        if not callable(network):
            raise TypeError(f"For '{where}', the 'network' must be a Cell or a function, but got {network!r}.")
        for name, value in (("get_all", get_all), ("get_by_list", get_by_list), ("sens_param", sens_param)):
            check.boolean(where, name, value)
        if get_by_list and weights is None:
            raise TypeError(f"For '{where}', 'get_by_list' needs the 'weights'.")
        self.network = network
        self.weights = None if weights is None else ParameterTuple(weights)
        self.get_all, self.get_by_list, self.sens_param = get_all, get_by_list, sens_param

    def construct(self, *inputs: Any) -> Any:
        count = len(inputs) - self.sens_param
        positions: Any = tuple(range(count)) if self.get_all else None if self.get_by_list else 0
        weights = self.weights if self.get_by_list else None
        return GradientFunction(self.network, positions, weights, sens_param=self.sens_param, with_value=True)(*inputs)


class DistributedGradReducer(Cell):
    """The mean of gradients over all devices: graphc runs on one, so they are returned as they are.

    Args:
        parameters: the Parameters that the gradients are of.
        mean: average over the devices rather than add.
        degree: how many devices there are: 1.
        fusion_type: in how many messages they are sent; none are.
        group: the name of the devices that take part.
    """

    def __init__(
        self, parameters: Any, mean: bool | None = None, degree: int | None = None, fusion_type: int = 1,
        group: str = "world_group",
    ) -> None:
        super().__init__(auto_prefix=False)
        if degree not in (None, 1):
            raise ValueError(f"For 'DistributedGradReducer', the 'degree' must be 1: one process, but got {degree!r}.")

    def construct(self, grads: Any) -> Any:
        return grads


class TrainOneStepCell(Cell):
    """One training step: the loss, its gradients, the optimizer's update.

    A subclass may write the step in its own `construct`, with `network`, `weights`, `sens`, `optimizer`; with `grad`,
    the GradOperation by weights that takes a cotangent; and with `grad_reducer`, which returns the gradients of one
    device as they are.

    Args:
        network: returns the loss.
        optimizer: updates its `parameters`.
        sens: what the gradients are scaled by (the optimizer's `loss_scale` scales back); 1 if None.
        return_grad: return (loss, gradients by name) instead of the loss.
    """

    def __init__(self, network: Cell, optimizer: Any, sens: float | None = None, return_grad: bool = False) -> None:
        super().__init__(auto_prefix=False)
        if sens is not None:
            check.number("TrainOneStepCell", "sens", sens)
            if sens == 0:
                raise ValueError("For 'TrainOneStepCell', the 'sens' must not be 0.")
        if not isinstance(network, Cell):
            got = type(network).__name__
            raise TypeError(f"For 'TrainOneStepCell', the type of 'network' must be Cell, but got {got}.")
        if not callable(optimizer) or not hasattr(optimizer, "parameters"):
            got = type(optimizer).__name__
            raise AttributeError(
                f"For 'TrainOneStepCell', the 'optimizer' must be an Optimizer with 'parameters', but got {got}."
            )
        own = {id(parameter) for parameter in network.get_parameters()}
        if own and own.isdisjoint(map(id, optimizer.parameters)):
            raise ValueError(
                "For 'TrainOneStepCell', the 'optimizer' updates none of the parameters of the 'network': it has "
                f"{optimizer.parameters[0].name} and others of another network."
            )
        self.network, self.optimizer = network, optimizer
        self.weights = ParameterTuple(optimizer.parameters)
        self.sens = 1.0 if sens is None else sens
        self.grad = GradOperation(get_by_list=True, sens_param=True)
        self.grad_no_sens = GradOperation(get_by_list=True)
        self.reducer_flag, self.grad_reducer = False, Identity()
        self.parallel_mode = ParallelMode.STAND_ALONE
        self.return_grad = check.boolean("TrainOneStepCell", "return_grad", return_grad)
        self.network.set_train()

    def construct(self, *inputs: Any) -> Any:
        loss, grads = self.value_and_grads(inputs, self.sens)
        self.optimizer(grads)
        if self.return_grad:
            return loss, {weight.name: g for weight, g in zip(self.weights, grads, strict=True)}
        return loss

    def value_and_grads(self, inputs: tuple[Any, ...], sens: Any) -> tuple[Any, tuple[Tensor, ...]]:
        """The loss, and the gradients of `sens` times the loss."""
        if isinstance(sens, float | int) and sens == 1:
            loss, grads = value_and_grad(self.network, None, self.weights)(*inputs)
            return loss, grads

        def scaled(*args: Any) -> tuple[Tensor, Any]:
            loss = self.network(*args)
            return loss * sens, loss

        (_, loss), grads = value_and_grad(scaled, None, self.weights, has_aux=True)(*inputs)
        return loss, grads


class DynamicLossScaleUpdateCell(Cell):
    """A loss scale that falls when gradients overflow, and rises when they have not for a while.

    Args:
        loss_scale_value: the scale at first, above 0.
        scale_factor: above 0: what it is divided by on overflow (to at least 1) and multiplied by otherwise.
        scale_window: after how many steps without overflow it rises.
    """

    def __init__(self, loss_scale_value: float, scale_factor: float, scale_window: int) -> None:
        super().__init__(auto_prefix=False)
        where = "DynamicLossScaleUpdateCell"
        self.loss_scale_value = check.positive_float(where, "loss_scale_value", loss_scale_value)
        self.scale_factor = check.positive_float(where, "scale_factor", scale_factor)
        self.scale_window = check.positive_int(where, "scale_window", scale_window)
        self.cur_iter = Parameter(Tensor(1, int32), "current_iterator_step", requires_grad=False)
        self.last_overflow_iter = Parameter(Tensor(0, int32), "last_overflow_iterator_step", requires_grad=False)

    def get_loss_scale(self) -> float:
        """The scale at first."""
        return self.loss_scale_value

    def construct(self, loss_scale: Parameter, overflow: Tensor) -> Tensor:
        """Moves `loss_scale`; returns `overflow`."""
        smaller = ops.maximum(loss_scale / self.scale_factor, 1.0)
        waited = self.cur_iter - self.last_overflow_iter >= self.scale_window
        larger = ops.where(waited, loss_scale * self.scale_factor, loss_scale)
        begin = ops.where(ops.logical_or(overflow, waited), self.cur_iter, self.last_overflow_iter)
        assign(loss_scale, ops.where(overflow, smaller, larger))
        assign(self.last_overflow_iter, begin)
        assign(self.cur_iter, self.cur_iter + 1)
        return overflow


class FixedLossScaleUpdateCell(Cell):
    """A loss scale that stays."""

    def __init__(self, loss_scale_value: float) -> None:
        super().__init__(auto_prefix=False)
        self.loss_scale_value = check.positive_float("FixedLossScaleUpdateCell", "loss_scale_value", loss_scale_value)

    def get_loss_scale(self) -> float:
        """The scale."""
        return self.loss_scale_value

    def construct(self, loss_scale: Parameter, overflow: Tensor) -> Tensor:
        """Returns `overflow`."""
        return overflow


class TrainOneStepWithLossScaleCell(TrainOneStepCell):
    """A training step with loss scaling: where gradients overflow, nothing but the scale changes.

    Called with the network's inputs; returns (loss, whether gradients overflowed, the scale of this step).

    Args:
        network: returns the loss.
        optimizer: an Optimizer.
        scale_sense: a Cell such as DynamicLossScaleUpdateCell, or the scale as a scalar Tensor.
    """

    def __init__(self, network: Cell, optimizer: Optimizer, scale_sense: Any) -> None:
        super().__init__(network, optimizer)
        where = "TrainOneStepWithLossScaleCell"
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"For '{where}', the 'optimizer' must be an Optimizer, but got {type(optimizer).__name__}.")
        if isinstance(scale_sense, Cell):
            self.loss_scaling_manager: Cell | None = scale_sense
            value = Tensor(scale_sense.get_loss_scale(), float32)
        elif isinstance(scale_sense, Tensor) and scale_sense.shape in ((), (1,)):
            self.loss_scaling_manager = None
            value = Tensor(scale_sense.asnumpy().reshape(()), float32)
        else:
            raise TypeError(f"For '{where}', the 'scale_sense' must be a Cell or a scalar Tensor, got {scale_sense!r}.")
        self.scale_sense = Parameter(value, "scale_sense", requires_grad=False)
        self.hyper_map = ops.HyperMap()

    def set_sense_scale(self, sens: Tensor) -> None:
        """Sets the scale, where it is not left to a Cell."""
        if self.loss_scaling_manager is not None:
            raise ValueError("set_sense_scale: the scale is left to a Cell, which sets it")
        self.scale_sense.set_data(ops.reshape(sens, ()))

    def construct(self, *inputs: Any) -> tuple[Any, Tensor, Tensor]:
        scale = ops.identity(self.scale_sense)  # its value now: the Parameter may change below
        loss, grads = self.value_and_grads(inputs, scale)
        grads = tuple(g * (1.0 / scale) for g in grads)
        overflow = self.get_overflow_status(None, grads)
        self.process_loss_scale(overflow)
        self._step_where(ops.logical_not(overflow), grads)
        return loss, overflow, scale

    # For subclasses that write the step in their own construct

    def start_overflow_check(self, pre_cond: Any, compute_input: Any) -> tuple[None, Any]:
        """What `get_overflow_status` takes as its status, and `compute_input` as it is."""
        return None, compute_input

    def get_overflow_status(self, status: None, compute_output: Any) -> Tensor:
        """Whether an element of the tensors `compute_output` is infinite or NaN: a bool scalar."""
        finite = [ops.all(ops.isfinite(t)) for t in compute_output]
        return ops.logical_not(ops.all(ops.stack(finite)))

    def process_loss_scale(self, overflow: Tensor) -> Tensor:
        """Moves the scale, if that is left to a Cell; returns `overflow`."""
        if self.loss_scaling_manager is not None:
            self.loss_scaling_manager(self.scale_sense, overflow)
        return overflow

    def _step_where(self, finite: Tensor, grads: tuple[Tensor, ...]) -> None:
        """The optimizer's step, taken back where gradients are not finite."""
        before = [(p, ops.identity(p)) for p in self.optimizer.get_parameters()]
        self.optimizer(grads)
        for parameter, old in before:
            assign(parameter, ops.where(finite, parameter, old))


class ParameterUpdate(Cell):
    """Called with a Tensor of the Parameter's shape, assigns it; returns what the Parameter holds then."""

    def __init__(self, param: Parameter) -> None:
        super().__init__(auto_prefix=False)
        if not isinstance(param, Parameter):
            raise TypeError(f"For 'ParameterUpdate', the 'param' must be a Parameter, but got {type(param).__name__}.")
        self._param = param

    def construct(self, x: Tensor) -> Tensor:
        return ops.assign(self._param, x)


class WithGradCell(Cell):
    """The gradients of a network's trainable Parameters: `construct(*inputs)` returns a tuple of them.

    Args:
        network: the network; with `loss_fn` it is called with all inputs but the last, the label.
        loss_fn: its loss, or None if the network returns the loss itself.
        sens: the cotangent of the loss, by default 1.
    """

    def __init__(self, network: Cell, loss_fn: Any = None, sens: Any = None) -> None:
        super().__init__(auto_prefix=False)
        self.network, self.loss_fn, self.sens = network, loss_fn, sens
        self.weights = ParameterTuple(network.trainable_params())
        self.network_with_loss = network if loss_fn is None else WithLossCell(network, loss_fn)
        self.network_with_loss.set_train()
        self.grad = GradOperation(get_by_list=True, sens_param=sens is not None)

    def construct(self, *inputs: Any) -> Any:
        inputs = inputs if self.sens is None else (*inputs, self.sens)
        return self.grad(self.network_with_loss, self.weights)(*inputs)
