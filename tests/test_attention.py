"""Flash attention in every layout and mode, attention of several heads, rotary positions: by their formulas."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from modes import in_both_modes

import graphc as ms
from graphc import Tensor, nn, ops
from graphc.ops import operations as P

B, N, G, S, K, D = 2, 4, 2, 5, 7, 6  # G heads of keys
_rng = np.random.default_rng(5)
Q, KEY, VALUE = (_rng.normal(size=shape).astype("f") for shape in ((B, N, S, D), (B, G, K, D), (B, G, K, D)))
MASK = _rng.random((B, 1, S, K)) < 0.4
MASK[0, 0, 2] = True  # a query that sees nothing
SHIFT = _rng.normal(size=(1, N, S, K)).astype("f")
ROW, COL = np.arange(S)[:, None], np.arange(K)
AHEAD = COL - ROW
FROM_END = AHEAD - (K - S)
SCALE = 0.3


def weights(scores: np.ndarray, hidden: Any) -> np.ndarray:
    e = np.where(hidden, 0.0, np.exp(scores - scores.max(-1, keepdims=True)))
    total = e.sum(-1, keepdims=True)
    return e / np.where(total == 0, 1, total)


def reference(hidden: Any = False, shift: Any = 0.0, dropped: Any = 1.0, outside: Any = 0.0) -> np.ndarray:
    """Flash attention of the operands, `[B, N, S, D]`."""
    k, v = (np.repeat(x.astype(float), N // G, 1) for x in (KEY, VALUE))
    scores = (Q.astype(float) @ k.swapaxes(2, 3) + shift) * SCALE + outside
    return (weights(scores, np.broadcast_to(hidden, scores.shape)) * dropped) @ v


def laid_out(x: np.ndarray, layout: str) -> np.ndarray:
    if layout == "BNSD":
        return x
    x = x.transpose((2, 0, 1, 3) if layout == "SBH" else (0, 2, 1, 3))
    return x.reshape(*x.shape[:2], -1) if layout.endswith("H") else x


@pytest.mark.parametrize("layout", ["BSH", "SBH", "BNSD", "BSND"])
def test_flash_attention_in_every_layout(layout: str) -> None:
    operands = [laid_out(x, layout) for x in (Q, KEY, VALUE)]

    def attend(q: Tensor, k: Tensor, v: Tensor, shift: Tensor, mask: Tensor) -> Tensor:
        return ops.flash_attention_score(
            q, k, v, N, shift, attn_mask=mask, scalar_value=SCALE, input_layout=layout, sparse_mode=1
        )

    wanted = laid_out(reference(MASK, SHIFT), layout)
    for mask in (MASK, MASK.astype("uint8")):
        for found, array in in_both_modes(attend, [*operands, SHIFT, mask], wanted):
            np.testing.assert_allclose(found.asnumpy(), array, rtol=2e-5, atol=2e-6)


MODES = {
    "all": ({}, False),
    "tokens need a mask": ({"pre_tokens": 1, "next_tokens": 0}, False),
    "mask and tokens": ({"attn_mask": MASK, "pre_tokens": 1, "next_tokens": 2}, MASK | (AHEAD > 2) | (AHEAD < -1)),
    "mask alone": ({"attn_mask": MASK, "pre_tokens": 1, "sparse_mode": 1}, MASK),
    "from the start": ({"sparse_mode": 2, "next_tokens": 0}, AHEAD > 0),
    "to the end": ({"sparse_mode": 3, "attn_mask": np.triu(np.ones((2048, 2048), bool), 1)}, FROM_END > 0),
    "band": ({"sparse_mode": 4, "pre_tokens": 2, "next_tokens": 1}, (FROM_END > 1) | (FROM_END < -2)),
    "band before": ({"sparse_mode": 4, "pre_tokens": 3, "next_tokens": -2}, (FROM_END > -2) | (FROM_END < -3)),
    "prefix": (
        {"sparse_mode": 5, "attn_mask": MASK, "prefix": (5, 3)},
        MASK | ((FROM_END > 0) & (np.array([5, 3])[:, None, None, None] <= COL)),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MODES)
def test_what_modes_of_flash_attention_hide(name: str) -> None:
    options, hidden = MODES[name]
    given = {key: Tensor(x) if isinstance(x, np.ndarray) else x for key, x in options.items()}

    def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return ops.flash_attention_score(q, k, v, N, scalar_value=SCALE, input_layout="BNSD", **given)

    for found, array in in_both_modes(attend, [Q, KEY, VALUE], reference(hidden)):
        np.testing.assert_allclose(found.asnumpy(), array, rtol=2e-5, atol=2e-6)


def test_sequences_end_to_end_attend_to_themselves() -> None:
    q, k, v = (laid_out(x, "BSND").reshape(-1, *x.shape[1::2]) for x in (Q, KEY, VALUE))  # [T, N, D]
    q_ends, k_ends = (2, 2, 10), (5, 6, 14)
    for mode in (0, 2, 3):

        def attend(q: Tensor, k: Tensor, v: Tensor, mode: int = mode) -> Tensor:
            return ops.flash_attention_score(
                q, k, v, N, actual_seq_qlen=q_ends, actual_seq_kvlen=Tensor(k_ends), scalar_value=SCALE,
                input_layout="TND", sparse_mode=mode,
            )  # fmt: skip

        rows = []
        for a, b, c, d in zip((0, *q_ends), q_ends, (0, *k_ends), k_ends, strict=False):
            part_k, part_v = (np.repeat(x[c:d].astype(float), N // G, 1).transpose(1, 0, 2) for x in (k, v))
            scores = q[a:b].astype(float).transpose(1, 0, 2) @ part_k.swapaxes(1, 2) * SCALE
            ahead = np.arange(d - c) - np.arange(b - a)[:, None] - (d - c - b + a if mode == 3 else 0)
            hidden = np.broadcast_to(ahead > 0 if mode else False, scores.shape)
            rows.append((weights(scores, hidden) @ part_v).transpose(1, 0, 2))
        for found, array in in_both_modes(attend, [q, k, v], np.concatenate(rows)):
            np.testing.assert_allclose(found.asnumpy(), array, rtol=2e-5, atol=2e-6)


def test_flash_attention_drops_what_the_mask_says() -> None:
    bits = _rng.random((B, N, S, 8)) < 0.7
    packed = Tensor(np.packbits(bits, -1, bitorder="little"))
    k, v = (Tensor(np.concatenate([x, x[:, :, :1]], 2)) for x in (KEY, VALUE))  # 8 keys
    flash = P.FlashAttentionScore(N, keep_prob=0.7, scale_value=SCALE, input_layout="BNSD")
    most, total, _, y = flash(Tensor(Q), k, v, None, packed)
    scores = Q.astype(float) @ np.repeat(k.asnumpy(), N // G, 1).swapaxes(2, 3) * SCALE
    wanted = weights(scores, False) * bits / 0.7 @ np.repeat(v.asnumpy(), N // G, 1)
    np.testing.assert_allclose(y.asnumpy(), wanted, rtol=2e-5, atol=2e-6)
    assert most.shape == total.shape == (B, N, S, 8) and most.dtype == ms.float32
    np.testing.assert_allclose(most.asnumpy()[..., 0], scores.max(-1), rtol=1e-5)
    np.testing.assert_allclose(
        total.asnumpy()[..., 7], np.exp(scores - scores.max(-1, keepdims=True)).sum(-1), rtol=1e-5
    )
    ms.set_seed(3)
    drawn = ops.flash_attention_score(Tensor(Q), k, v, N, keep_prob=0.5, input_layout="BNSD").asnumpy()
    ms.set_seed(3)
    again = ms.jit(lambda q: ops.flash_attention_score(q, k, v, N, keep_prob=0.5, input_layout="BNSD"))(Tensor(Q))
    np.testing.assert_array_equal(drawn, again.asnumpy())


def test_masks_of_bits_are_made_and_used() -> None:
    ms.set_seed(1)
    mask = P.DropoutGenMask()((10, 1000), Tensor(0.7, ms.float32))
    assert mask.dtype == ms.uint8 and mask.shape == (1264,)  # whole multiples of 16 bytes
    bits = np.unpackbits(mask.asnumpy(), bitorder="little")[:10000].reshape(10, 1000)
    assert 0.68 < bits.mean() < 0.72
    x = np.ones((10, 1000), "f")
    np.testing.assert_array_equal(P.DropoutDoMask()(Tensor(x), mask, 0.5).asnumpy(), bits * np.float32(2))
    ms.set_seed(1)
    np.testing.assert_array_equal(P.DropoutGenMask()((10, 1000), 0.7).asnumpy(), mask.asnumpy())


def test_flash_attention_has_the_gradient_of_plain_attention() -> None:
    q, k, v = (Tensor(x) for x in (Q, KEY, VALUE))

    def flash(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        y = ops.flash_attention_score(
            q, k, v, N, scalar_value=SCALE, input_layout="BNSD", attn_mask=Tensor(MASK), sparse_mode=1
        )
        return (y * y).sum()

    def plain(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        k, v = (ops.repeat_interleave(x, N // G, 1) for x in (k, v))
        shown = Tensor(~MASK)
        y = ops.scaled_dot_product_attention(q, k, v, ops.select(shown.any(-1, True), shown, True), scale=SCALE)
        return ops.square(ops.select(shown.any(-1, True), y, 0.0)).sum()

    for found, wanted in zip(ms.grad(flash, (0, 1, 2))(q, k, v), ms.grad(plain, (0, 1, 2))(q, k, v), strict=True):
        np.testing.assert_allclose(found.asnumpy(), wanted.asnumpy(), rtol=2e-4, atol=1e-5)
        assert np.isfinite(found.asnumpy()).all()


@pytest.mark.parametrize("dtype", [ms.float16, ms.bfloat16, ms.float64])
def test_narrow_attention_is_rounded_once(dtype: Any) -> None:
    q, k, v = (Tensor(x).astype(dtype) for x in (Q, KEY, VALUE))
    found = ops.flash_attention_score(q, k, v, N, scalar_value=SCALE, input_layout="BNSD", sparse_mode=3)
    wide = ms.float32 if dtype is not ms.float64 else dtype
    widened = (x.astype(wide) for x in (q, k, v))
    wanted = ops.flash_attention_score(*widened, N, scalar_value=SCALE, input_layout="BNSD", sparse_mode=3)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found.asnumpy(), wanted.astype(dtype).asnumpy())


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"input_layout": "NBSD"}, ValueError, "input_layout must be one of BNSD"),
        ({"head_num": 3}, ValueError, "expected 3 heads, got 4"),
        ({"key": KEY.astype("float64")}, TypeError, "floats of one type"),
        ({"key": KEY[:, :, :, :4]}, ValueError, r"do not fit, as \[B, N, S, D\] they are \(2, 4, 5, 6\), \(2, 2, 7, 4"),
        ({"sparse_mode": 1}, ValueError, "sparse_mode 1 needs a mask"),
        ({"sparse_mode": 6}, ValueError, "sparse_mode must be from 0 to 5, got 6"),
        ({"sparse_mode": 2, "attn_mask": MASK}, ValueError, r"must have shape \(2048, 2048\), got bool\[2,1,5,7\]"),
        ({"attn_mask": MASK[:, :, :4]}, ValueError, r"expected a mask for scores \(2, 4, 5, 7\), got bool\[2,1,4,7\]"),
        ({"attn_mask": SHIFT}, TypeError, "expected a mask of bool or uint8"),
        ({"sparse_mode": 4, "pre_tokens": -3, "next_tokens": 2}, ValueError, "no key is seen"),
        ({"prefix": (1, 2)}, ValueError, "sparse_mode 5 takes a prefix"),
        ({"real_shift": SHIFT[:, :1]}, ValueError, "expected a real_shift for scores"),
        ({"keep_prob": 0.0}, ValueError, r"keep_prob must be in \(0, 1\], got 0.0"),
        ({"drop_mask": np.ones((B, N, S, 1), "uint8")}, ValueError, "a drop_mask needs a keep_prob below 1"),
        ({"padding_mask": MASK}, ValueError, "padding_mask must be None"),
        ({"actual_seq_qlen": (3, 5)}, ValueError, "for layout TND, got BNSD"),
    ],
)
def test_flash_attention_says_what_does_not_fit(options: dict[str, Any], error: type, message: str) -> None:
    given: dict[str, Any] = {"query": Q, "key": KEY, "value": VALUE, "head_num": N, "input_layout": "BNSD", **options}
    given = {key: Tensor(x) if isinstance(x, np.ndarray) else x for key, x in given.items()}
    with pytest.raises(error, match=message):
        ops.flash_attention_score(**given)


def test_attention_of_prompts() -> None:
    shift = _rng.normal(size=(B, N, S + 1, K + 2)).astype("f")

    def attend(q: Tensor, k: Tensor, v: Tensor, shift: Tensor, mask: Tensor) -> Tensor:
        return ops.prompt_flash_attention(
            q, k, v, mask, (4, 5), Tensor([7, 3]), shift, num_heads=N, num_key_value_heads=G, scale_value=SCALE,
            input_layout="BNSD", next_tokens=2,
        )  # fmt: skip

    lengths, sources = np.array([4, 5])[:, None, None, None], np.array([7, 3])[:, None, None, None]
    hidden = MASK | (COL > ROW + 2) | (sources <= COL) | (lengths <= ROW)
    wanted = reference(hidden, outside=shift[:, :, :S, :K].astype(float))
    for found, array in in_both_modes(attend, [Q, KEY, VALUE, shift, MASK[:, 0]], wanted):
        np.testing.assert_allclose(found.asnumpy(), array, rtol=2e-5, atol=2e-6)
    with pytest.raises(ValueError, match="prompt_flash_attention: quant_scale1 must be None"):
        ops.prompt_flash_attention(Tensor(Q), Tensor(KEY), Tensor(VALUE), quant_scale1=Tensor([1.0]))


def test_attention_of_one_more_query() -> None:
    q, k, v = (laid_out(x, "BSH") for x in (Q[:, :, :1], KEY, VALUE))
    mask = MASK[:, :, 0]

    def attend(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
        return ops.incre_flash_attention(
            q, [k], (v,), mask, [6], num_heads=N, num_key_value_heads=G, scale_value=SCALE
        )

    wanted = laid_out(reference((MASK | (COL >= 6))[:, :, :1])[:, :, :1], "BSH")
    for found, array in in_both_modes(attend, [q, k, v, mask], wanted):
        np.testing.assert_allclose(found.asnumpy(), array, rtol=2e-5, atol=2e-6)
    with pytest.raises(ValueError, match="expected one query a sample, got 5"):
        ops.incre_flash_attention(Tensor(Q), Tensor(KEY), Tensor(VALUE), num_heads=N, num_key_value_heads=G,
                                  input_layout="BNSD")
    with pytest.raises(ValueError, match="block_table must be None"):
        ops.incre_flash_attention(Tensor(q), Tensor(k), Tensor(v), block_table=Tensor([[0]]), num_heads=N)


# Several heads


def as_function(cell: nn.MultiheadAttention, q: Any, k: Any, v: Any, **options: Any) -> Any:
    separate = {} if cell.in_proj_weight is not None else {
        "use_separate_proj_weight": True, **{f"{x}_proj_weight": getattr(cell, f"{x}_proj_weight") for x in "qkv"}
    }
    return ops.function.nn_func.multi_head_attention_forward(
        q, k, v, cell.embed_dim, cell.num_heads, cell.in_proj_weight, cell.in_proj_bias, cell.bias_k, cell.bias_v,
        cell.add_zero_attn, cell.dropout, cell.out_proj.weight, cell.out_proj.bias, cell.training, **separate,
        **options,
    )  # fmt: skip


@pytest.mark.parametrize("options", [{}, {"kdim": 3, "vdim": 5, "add_bias_kv": True, "add_zero_attn": True}])
def test_heads_as_a_function_are_those_of_the_layer(options: dict[str, Any]) -> None:
    cell = nn.MultiheadAttention(8, 2, **options)
    q, k, v = (Tensor(_rng.normal(size=s).astype("f")) for s in ((3, 2, 8), (4, 2, cell.kdim), (4, 2, cell.vdim)))
    masks = {"key_padding_mask": Tensor([[True, False, False, False]] * 2), "attn_mask": Tensor(np.eye(3, 4) > 0)}
    for given, args in (({}, (q, k, v)), (masks, (q, k, v)), ({}, (q[:, 0], k[:, 0], v[:, 0]))):
        for average in (True, False):
            wanted = cell(*args, **given, average_attn_weights=average)
            found = as_function(cell, *args, **given, average_attn_weights=average)
            for x, y in zip(found, wanted, strict=True):
                np.testing.assert_array_equal(x.asnumpy(), y.asnumpy())


def test_static_keys_and_causal_heads() -> None:
    cell, x = nn.MultiheadAttention(8, 2, add_zero_attn=True), Tensor(_rng.normal(size=(3, 2, 8)).astype("f"))
    static_k, static_v = (Tensor(_rng.normal(size=(4, 5, 4)).astype("f")) for _ in range(2))
    y, found = as_function(cell, x, x, x, static_k=static_k, static_v=static_v)
    q = ops.dense(x, cell.in_proj_weight[:8], cell.in_proj_bias[:8]).asnumpy().astype(float)
    q = q.reshape(3, 4, 4).swapaxes(0, 1)
    k, v = (np.concatenate([s.asnumpy(), np.zeros((4, 1, 4))], 1) for s in (static_k, static_v))
    each = weights(q @ k.swapaxes(1, 2) / 2, False)
    read = (each @ v).swapaxes(0, 1).reshape(3, 2, 8) @ cell.out_proj.weight.asnumpy().T
    np.testing.assert_allclose(y.asnumpy(), read, rtol=2e-5, atol=1e-6)
    np.testing.assert_allclose(found.asnumpy(), each.reshape(2, 2, 3, 6).mean(1), rtol=2e-5)
    causal = as_function(cell, x, x, x, is_causal=True)[0].asnumpy()
    masked = cell(x, x, x, attn_mask=Tensor(np.triu(np.ones((3, 3), bool), 1)))[0].asnumpy()
    np.testing.assert_array_equal(causal, masked)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"embed_dim_to_check": 9}, r"expected 9 features for 2 heads, got f32\[3,2,8\]"),
        ({"value": np.ones((4, 2, 8), "f")}, "samples or lengths differ"),
        ({"query": np.ones((2, 8), "f")}, "all have 2 or all 3 dimensions"),
        ({"bias_k": np.ones((1, 1, 8), "f")}, "expected bias_k with bias_v"),
        ({"use_separate_proj_weight": True}, "with use_separate_proj_weight one of each"),
        ({"attn_mask": np.ones((2, 3), bool)}, r"'attn_mask' must be \(3, 3\) or \(4, 3, 3\), but got bool\[2,3\]"),
    ],
)
def test_heads_say_what_does_not_fit(change: dict[str, Any], message: str) -> None:
    x = np.ones((3, 2, 8), "f")
    given: dict[str, Any] = {
        "query": x, "key": x, "value": x, "embed_dim_to_check": 8, "num_heads": 2,
        "in_proj_weight": np.ones((24, 8), "f"), "in_proj_bias": None, "bias_k": None, "bias_v": None,
        "add_zero_attn": False, "dropout_p": 0.0, "out_proj_weight": np.ones((8, 8), "f"), "out_proj_bias": None,
        **change,
    }  # fmt: skip
    with pytest.raises(ValueError, match=f"multi_head_attention_forward: .*{message}"):
        ops.multi_head_attention_forward(**{k: Tensor(a) if isinstance(a, np.ndarray) else a for k, a in given.items()})


# Rotary positions


def test_rotary_positions_turn_pairs() -> None:
    x, angles = _rng.normal(size=(2, 3, 4, 6)), _rng.normal(size=(1, 3, 1, 3))
    halves, neighbours = np.concatenate([angles, angles], -1), np.repeat(angles, 2, -1)
    turn = np.exp(1j * angles)
    first = (x[..., :3] + 1j * x[..., 3:]) * turn
    second = (x[..., ::2] + 1j * x[..., 1::2]) * turn
    cases = (
        (0, halves, np.concatenate([first.real, first.imag], -1)),
        (1, neighbours, np.stack([second.real, second.imag], -1).reshape(x.shape)),
    )
    for mode, a, wanted in cases:

        def embed(x: Tensor, c: Tensor, s: Tensor, mode: int = mode) -> Tensor:
            return ops.rotary_position_embedding(x, c, s, mode)

        for found, array in in_both_modes(embed, [x, np.cos(a), np.sin(a)], wanted):
            np.testing.assert_allclose(found.asnumpy(), array, rtol=1e-12, atol=1e-12)
    for arguments, message in (
        ((Tensor(x[0]), Tensor(halves), Tensor(halves)), "expected 4 dimensions"),
        ((Tensor(x), Tensor(halves), Tensor(halves), 2), "mode must be 0 or 1, got 2"),
        ((Tensor(x[:1, :1]), Tensor(halves), Tensor(halves)), "do not broadcast"),
    ):
        with pytest.raises(ValueError, match=message):
            ops.rotary_position_embedding(*arguments)
