"""Programs as users write them, run in both modes at odd batch sizes: whatever they return is the same to the bit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from modes import mode

import graphc as ms
from graphc import GRAPH_MODE, PYNATIVE_MODE, Parameter, ParameterTuple, Tensor, nn, ops

PROGRAMS: list[Callable[[int], Any]] = []


def program(function: Callable[[int], Any]) -> Callable[[int], Any]:
    PROGRAMS.append(function)
    return function


def data(*shape: int, seed: int = 1) -> np.ndarray:
    return np.random.RandomState(seed).randn(*shape).astype(np.float32)


def leaves(value: Any) -> list[np.ndarray]:
    if isinstance(value, dict):
        return leaves(list(value.values()))
    if isinstance(value, (tuple, list)):
        return [leaf for item in value for leaf in leaves(item)]
    return [value.asnumpy() if isinstance(value, Tensor) else np.asarray(value)]


@pytest.mark.parametrize("batch", [1, 17])
@pytest.mark.parametrize("run", PROGRAMS, ids=lambda function: function.__name__)
def test_modes_return_the_same_bits(run: Callable[[int], Any], batch: int) -> None:
    found = []
    for each in (PYNATIVE_MODE, GRAPH_MODE):
        with mode(each):
            ms.set_seed(7)
            found.append(leaves(run(batch)))
    assert len(found[0]) == len(found[1])
    for eager, compiled in zip(*found, strict=True):
        assert np.isfinite(eager).all()
        assert eager.dtype == compiled.dtype
        np.testing.assert_array_equal(eager, compiled)


@program
def accumulated_and_clipped_gradients(batch: int) -> Any:
    net = nn.SequentialCell(nn.Conv2d(1, 4, 3), nn.GroupNorm(2, 4), nn.ReLU(), nn.Flatten(), nn.Dense(100, 3))
    spared = [p for p in net.trainable_params() if "gamma" in p.name or "beta" in p.name or "bias" in p.name]
    decayed = [p for p in net.trainable_params() if all(p is not q for q in spared)]
    groups = [{"params": decayed, "weight_decay": 0.01, "lr": 0.01}, {"params": spared},
              {"order_params": net.trainable_params()}]  # fmt: skip
    optimizer = nn.AdamWeightDecay(groups, learning_rate=1e-3)
    loss_fn = nn.CrossEntropyLoss(label_smoothing=0.1)
    grad_fn = ms.value_and_grad(lambda x, y: loss_fn(net(x), y) / 2, None, net.trainable_params())
    total = optimizer.parameters.clone("total", "zeros")
    average = ParameterTuple(net.trainable_params()).clone("average", "same")
    hyper_map = ops.HyperMap()

    @ms.jit
    def step() -> bool:
        optimizer(ops.clip_by_global_norm(total, 1.0))
        hyper_map(ops.assign, total, hyper_map(ops.zeros_like, total))
        for slow, weight in zip(average, net.trainable_params(), strict=True):
            ops.assign(slow, slow * 0.9 + weight * 0.1)
        return True

    losses = []
    net.set_train()
    for i in range(4):
        loss, grads = grad_fn(Tensor(data(batch, 1, 5, 5, seed=i)), Tensor(np.arange(batch).astype(np.int32) % 3))
        hyper_map(ops.assign_add, total, grads)
        losses.append(loss)
        if i % 2:
            step()
    return losses, list(net.get_parameters()), list(total), list(average)


class GraphNet(nn.Cell):
    """A convolution over a graph, then attention along its edges."""

    def __init__(self, nodes: int) -> None:
        super().__init__()
        self.nodes = nodes
        self.first, self.second, self.attention = nn.Dense(5, 8), nn.Dense(8, 3), nn.Dense(16, 1)

    def mean(self, x: Tensor, source: Tensor, target: Tensor) -> Tensor:
        degree = ops.unsorted_segment_sum(ops.ones(source.shape, ms.float32), target, self.nodes)
        total = ops.unsorted_segment_sum(ops.gather(x, source, 0), target, self.nodes)
        return total / ops.maximum(degree, 1).expand_dims(-1)

    def construct(self, x: Tensor, source: Tensor, target: Tensor) -> Tensor:
        h = ops.relu(self.first(self.mean(x, source, target)))
        score = ops.leaky_relu(self.attention(ops.cat((h[source], h[target]), 1)).squeeze(-1), 0.2)
        score = ops.exp(score - score.max())
        total = ops.tensor_scatter_add(ops.zeros((self.nodes,), ms.float32), target.expand_dims(-1), score)
        share = (score / total[target]).expand_dims(-1)
        return self.second(ops.zeros_like(h).index_add(0, target, h[source] * share))


@program
def graph_network(batch: int) -> Any:
    nodes = batch + 2
    places = np.arange(nodes)
    source = Tensor(np.concatenate([places, places, places]), ms.int32)
    target = Tensor(np.concatenate([places, (places + 1) % nodes, (places * 3) % nodes]), ms.int32)
    labels, mask = Tensor(places % 3, ms.int32), Tensor((places % 2 == 0).astype(np.float32))
    net = GraphNet(nodes)
    optimizer = nn.Adam(net.trainable_params(), 0.02, weight_decay=5e-4)

    def forward(x: Tensor) -> tuple[Tensor, Tensor]:
        logits = net(x, source, target)
        return (ops.cross_entropy(logits, labels, reduction="none") * mask).sum() / mask.sum(), logits

    grad_fn = ms.value_and_grad(forward, None, optimizer.parameters, has_aux=True)
    found = []
    for _ in range(3):
        (loss, logits), grads = grad_fn(Tensor(data(nodes, 5)))
        optimizer(grads)
        found += [loss, logits]
    return found


class Translator(nn.Cell):
    """An encoder, and a decoder that looks at the encoder's states at every step."""

    def __init__(self) -> None:
        super().__init__()
        self.source, self.target = nn.Embedding(11, 6), nn.Embedding(13, 6)
        self.encoder, self.decoder = nn.GRU(6, 5, batch_first=True, bidirectional=True), nn.GRUCell(16, 10)
        self.bridge, self.align, self.out = nn.Dense(10, 10), nn.Dense(10, 10), nn.Dense(20, 13)

    def construct(self, source: Tensor, target: Tensor, mask: Tensor) -> Tensor:
        states, last = self.encoder(self.source(source))
        hidden = ops.tanh(self.bridge(ops.concat((last[0], last[1]), 1)))
        words, context, outputs = self.target(target), ops.zeros_like(hidden), []
        for i in range(target.shape[1]):
            hidden = self.decoder(ops.concat((words[:, i], context), -1), hidden)
            scores = ops.bmm(self.align(states), hidden.expand_dims(-1)).squeeze(-1)
            weights = ops.softmax(ops.masked_fill(scores, ops.logical_not(mask), -1e9), -1)
            context = ops.matmul(weights.expand_dims(1), states).squeeze(1)
            outputs.append(self.out(ops.cat((hidden, context), -1)))
        return ops.stack(outputs, 1)


@program
def sequence_to_sequence(batch: int) -> Any:
    random = np.random.RandomState(0)
    source, target = random.randint(1, 11, (batch, 4)), random.randint(1, 13, (batch, 4))
    mask = Tensor(np.arange(4)[None] < random.randint(1, 5, batch)[:, None])
    net = Translator()
    optimizer, loss_fn = nn.Adam(net.trainable_params(), 1e-2), nn.CrossEntropyLoss(ignore_index=0)

    def forward(source: Tensor, target: Tensor) -> Tensor:
        logits = net(source, target[:, :-1], mask)
        return loss_fn(logits.reshape(-1, 13), target[:, 1:].reshape(-1).astype(ms.int32))

    grad_fn = ms.value_and_grad(forward, None, optimizer.parameters)
    losses = []
    for _ in range(2):
        loss, grads = grad_fn(Tensor(source), Tensor(target))
        optimizer(ops.clip_by_global_norm(grads, 0.5))
        losses.append(loss)
    return losses, list(net.get_parameters())


@program
def second_order(batch: int) -> Any:
    """A critic's gradient penalty, and steps through the gradient of a task."""
    x = Tensor(data(batch, 3))
    critic = nn.SequentialCell(nn.Dense(3, 8), nn.Tanh(), nn.Dense(8, 1))
    optimizer = nn.RMSProp(critic.trainable_params(), 1e-2)

    def penalised(real: Tensor, fake: Tensor, share: Tensor) -> Tensor:
        slope = ms.grad(lambda z: critic(z).sum())(share * real + (1 - share) * fake)
        return ((ops.norm(slope, dim=1) - 1) ** 2).mean() * 10 + critic(fake).mean() - critic(real).mean()

    critic_grad, found = ms.value_and_grad(penalised, None, optimizer.parameters), []
    for _ in range(2):
        loss, grads = critic_grad(x, x + 1, Tensor(np.full((batch, 1), 0.3, np.float32)))
        optimizer(grads)
        found.append(loss)
    w, b = Parameter(Tensor(data(3, 1, seed=8)), "w"), Parameter(Tensor(np.zeros(1, np.float32)), "b")
    outer, wanted = nn.SGD([w, b], 0.01), x.sum(axis=1, keepdims=True)

    def task(weight: Tensor, bias: Tensor) -> Tensor:
        return ((ops.matmul(x, weight) + bias - wanted) ** 2).mean()

    def after_a_step() -> Tensor:
        of_w, of_b = ms.grad(task, (0, 1))(w, b)
        return task(w - 0.1 * of_w, b - 0.1 * of_b)

    meta_grad = ms.value_and_grad(after_a_step, None, [w, b])
    for _ in range(2):
        loss, grads = meta_grad()
        outer(grads)
        found.append(loss)
    return found, w, b, list(critic.get_parameters())


class Experts(nn.Cell):
    """Patches of images, attention among them, and the two experts of three that a gate chooses for each."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 8, 4, 4, pad_mode="valid", has_bias=True)
        self.first = Parameter(ops.zeros((1, 1, 8), ms.float32), "first")
        self.norm, self.qkv, self.mixed = nn.LayerNorm((8,), epsilon=1e-6), nn.Dense(8, 24), nn.Dense(8, 8)
        self.gate, self.head = nn.Dense(8, 3), nn.Dense(8, 5)
        self.experts = nn.CellList([nn.Dense(8, 8) for _ in range(3)])

    def construct(self, images: Tensor) -> Tensor:
        count = images.shape[0]
        x = ops.transpose(self.patches(images).reshape(count, 8, -1), (0, 2, 1))
        x = ops.concat((ops.tile(self.first, (count, 1, 1)), x), 1)
        length = x.shape[1]
        q, k, v = ops.unstack(self.qkv(self.norm(x)).reshape(count, length, 3, 2, 4).transpose(2, 0, 3, 1, 4))
        weights = ops.softmax(ops.matmul(q, k.swapaxes(-2, -1)) * 0.5, -1)
        x = x + self.mixed(ops.matmul(weights, v).transpose(0, 2, 1, 3).reshape(count, length, 8))
        shares = ops.softmax(self.gate(x), -1)
        best, which = ops.topk(shares, 2)
        chosen = ops.tensor_scatter_elements(ops.zeros_like(shares), which.astype(ms.int32), best, axis=-1)
        opinions = ops.stack([expert(x) for expert in self.experts], -2)
        return self.head((x + (opinions * chosen.expand_dims(-1)).sum(-2))[:, 0])


@program
def siamese_vision_transformer(batch: int) -> Any:
    net = Experts()
    optimizer = nn.Lamb(net.trainable_params(), nn.PolynomialDecayLR(0.01, 0.001, 10, 1.0))

    def contrast(left: Tensor, right: Tensor, same: Tensor) -> Tensor:
        distance = ops.norm(net(left) - net(right), dim=1)
        return (same * distance**2 + (1 - same) * ops.relu(1 - distance) ** 2).mean()

    grad_fn, losses = ms.value_and_grad(contrast, None, optimizer.parameters), []
    for i in range(2):
        pair = Tensor(data(batch, 3, 8, 8, seed=i)), Tensor(data(batch, 3, 8, 8, seed=i + 3))
        loss, grads = grad_fn(*pair, Tensor((np.arange(batch) % 2).astype(np.float32)))
        optimizer(grads)
        losses.append(loss)
    return losses, list(net.get_parameters())


@program
def policy_gradient_and_diffusion(batch: int) -> Any:
    """What draws random numbers while it trains."""
    policy = nn.SequentialCell(nn.Dense(4, 16), nn.Tanh(), nn.Dense(16, 3))
    optimizer = nn.Adam(policy.trainable_params(), 1e-2)

    def surrogate(seen: Tensor, actions: Tensor, returns: Tensor) -> Tensor:
        log_probs = ops.log_softmax(policy(seen), -1)
        chosen = ops.gather_elements(log_probs, 1, actions.expand_dims(1)).squeeze(1)
        return -(chosen * returns).mean() + 0.01 * (ops.exp(log_probs) * log_probs).sum(-1).mean()

    grad_fn, found = ms.value_and_grad(surrogate, None, optimizer.parameters), []
    for episode in range(2):
        seen = Tensor(data(batch, 4, seed=episode))
        actions = ops.multinomial(ops.softmax(policy(seen), -1), 1).squeeze(1).astype(ms.int32)
        returns = np.cumsum((actions.asnumpy() == 0)[::-1])[::-1].astype(np.float32)
        loss, grads = grad_fn(seen, actions, Tensor(returns - returns.mean()))
        optimizer(grads)
        found += [loss, actions]
    kept = ops.cumprod(1 - ops.linspace(Tensor(1e-4), Tensor(0.02), 10), 0)
    net = nn.SequentialCell(nn.Dense(4, 16), nn.SiLU(), nn.Dropout(p=0.1), nn.Dense(16, 4))
    of_net = nn.AdamWeightDecay(net.trainable_params(), 1e-2)

    def denoised(x: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        level = ops.sqrt(kept)[t].expand_dims(1) * x + ops.sqrt(1 - kept).gather(t, 0).expand_dims(1) * noise
        return ((net(level) - noise) ** 2).mean()

    noise_grad = ms.value_and_grad(denoised, None, of_net.parameters)
    net.set_train()
    for _ in range(2):
        t = ops.randint(0, 10, (batch,)).astype(ms.int32)
        loss, grads = noise_grad(Tensor(data(batch, 4)), t, ops.standard_normal((batch, 4)))
        of_net(grads)
        found.append(loss)
    return found, list(policy.get_parameters()), list(net.get_parameters())
