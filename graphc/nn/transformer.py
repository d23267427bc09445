"""Attention and the Transformer of Vaswani et al. 2017."""

from __future__ import annotations

import copy
from typing import Any

from graphc import ops
from graphc.dtype import float32
from graphc.initializer import XavierNormal, XavierUniform, initializer
from graphc.nn import check
from graphc.nn.activation import get_activation
from graphc.nn.cell import Cell
from graphc.nn.check import float_dtype
from graphc.nn.containers import CellList
from graphc.nn.dense import Dense
from graphc.nn.dropout import Dropout
from graphc.nn.layer import Layer
from graphc.nn.norm import LayerNorm
from graphc.ops.multi_head import added_masks, attended, batch_first, in_heads, lengthened, projected
from graphc.parameter import Parameter
from graphc.tensor import Tensor

__all__ = [
    "MultiheadAttention", "Transformer", "TransformerDecoder", "TransformerDecoderLayer", "TransformerEncoder",
    "TransformerEncoderLayer",
]  # fmt: skip


class MultiheadAttention(Layer):
    """Attention of queries to keys and values, in several heads.

    Called with query `[L, N, E]`, key `[S, N, kdim]` and value `[S, N, vdim]` (`[N, L, E]` ... with `batch_first`;
    without N if unbatched), and masks: `key_padding_mask` `[N, S]` and `attn_mask` `[L, S]` or
    `[N * num_heads, L, S]`, in which True means "not this key" and floats are added to the scores. Returns a tuple: the
    result `[L, N, E]` and, with `need_weights`, the attention weights `[N, L, S]` (`[N, num_heads, L, S]` without
    `average_attn_weights`).

    Args:
        embed_dim: E, a multiple of `num_heads`.
        num_heads: into how many heads E is divided.
        dropout: of the attention weights, in training.
        has_bias: whether the projections have biases.
        add_bias_kv: a trained key and value more.
        add_zero_attn: a key and value of zeros more.
        kdim, vdim: features of keys and values; by default E.
        batch_first: N comes first.
        dtype: of the Parameters.
    """

    def __init__(
        self, embed_dim: int, num_heads: int, dropout: float = 0.0, has_bias: bool = True, add_bias_kv: bool = False,
        add_zero_attn: bool = False, kdim: int | None = None, vdim: int | None = None, batch_first: bool = False,
        dtype: Any = float32,
    ) -> None:
        super().__init__()
        where = "MultiheadAttention"
        self.embed_dim = check.positive_int(where, "embed_dim", embed_dim)
        self.num_heads = check.positive_int(where, "num_heads", num_heads)
        if embed_dim % num_heads:
            raise ValueError(f"For '{where}', the 'embed_dim' must be divisible by 'num_heads', but got {embed_dim} "
                             f"and {num_heads}.")
        self.kdim = embed_dim if kdim is None else check.positive_int(where, "kdim", kdim)
        self.vdim = embed_dim if vdim is None else check.positive_int(where, "vdim", vdim)
        self.dropout = check.between(where, "dropout", dropout, 0.0, 1.0, "[)")
        self.add_zero_attn = check.boolean(where, "add_zero_attn", add_zero_attn)
        self.batch_first = check.boolean(where, "batch_first", batch_first)
        dtype = float_dtype(where, dtype)

        def made(init: Any, shape: tuple[int, ...], name: str) -> Parameter:
            return Parameter(initializer(init, shape, dtype), name)

        self.in_proj_weight = self.in_proj_bias = self.bias_k = self.bias_v = None
        if self.kdim == self.vdim == embed_dim:
            self.in_proj_weight = made(XavierUniform(), (3 * embed_dim, embed_dim), "in_proj_weight")
        else:
            self.q_proj_weight = made(XavierUniform(), (embed_dim, embed_dim), "q_proj_weight")
            self.k_proj_weight = made(XavierUniform(), (embed_dim, self.kdim), "k_proj_weight")
            self.v_proj_weight = made(XavierUniform(), (embed_dim, self.vdim), "v_proj_weight")
        if check.boolean(where, "has_bias", has_bias):
            self.in_proj_bias = made("zeros", (3 * embed_dim,), "in_proj_bias")
        self.out_proj = Dense(embed_dim, embed_dim, has_bias=has_bias, bias_init="zeros", dtype=dtype)
        if check.boolean(where, "add_bias_kv", add_bias_kv):
            self.bias_k = made(XavierNormal(), (1, 1, embed_dim), "bias_k")
            self.bias_v = made(XavierNormal(), (1, 1, embed_dim), "bias_v")

    def _draws(self) -> bool:
        return self.training and self.dropout > 0

    def construct(
        self, query: Tensor, key: Tensor, value: Tensor, key_padding_mask: Tensor | None = None,
        need_weights: bool = True, attn_mask: Tensor | None = None, average_attn_weights: bool = True,
    ) -> tuple[Tensor, ...]:
        single = query.ndim == 2
        if query.ndim not in (2, 3) or not query.ndim == key.ndim == value.ndim:
            raise ValueError(
                f"For 'MultiheadAttention', query, key and value must all have 2 or all 3 dimensions, but got "
                f"{query.spec}, {key.spec}, {value.spec}."
            )
        if single or not self.batch_first:
            query, key, value = batch_first(query, key, value)
        batch, length, _ = query.shape
        if not key.shape[:2] == value.shape[:2] == (batch, key.shape[1]):
            raise ValueError(
                f"For 'MultiheadAttention', query, key and value must be of as many samples, and key and value of one "
                f"length, but got (samples, length) {query.shape[:2]}, {key.shape[:2]}, {value.shape[:2]}."
            )
        apart = () if self.in_proj_weight is not None else (self.q_proj_weight, self.k_proj_weight, self.v_proj_weight)
        q, k, v = projected(query, key, value, self.in_proj_weight, apart, self.in_proj_bias)
        source = k.shape[1]
        k, v = (lengthened(x, bias, self.add_zero_attn) for x, bias in ((k, self.bias_k), (v, self.bias_v)))
        shape = (batch, self.num_heads, length, source)
        where = "For 'MultiheadAttention', the"
        masks = added_masks(where, key_padding_mask, attn_mask, shape, k.shape[1] - source)
        q, k, v = (in_heads(x, self.num_heads) for x in (q, k, v))
        y, weights = attended(q, k, v, masks, self.dropout if self.training else 0.0)
        y = self.out_proj(y)
        if single:
            y = ops.squeeze(y, 0)
        elif not self.batch_first:
            y = ops.transpose(y, (1, 0, 2))
        if not need_weights:
            return (y,)
        weights = ops.mean(weights, 1) if average_attn_weights else weights
        return y, ops.squeeze(weights, 0) if single else weights


def _activation(where: str, activation: Any) -> Any:
    if isinstance(activation, str):
        return get_activation(check.one_of(where, "activation", activation, ("relu", "gelu")))
    if not callable(activation):
        raise TypeError(f"For '{where}', the 'activation' must be str or callable, but got {activation!r}.")
    return activation


class _Layer(Layer):
    """What encoder and decoder layers share: self-attention and the feed-forward part."""

    @property
    def _of_ops(self) -> bool:  # type: ignore[override]
        return isinstance(self.activation, Cell)  # a function may do anything

    def _set_parts(
        self, d_model: int, nhead: int, dim_feedforward: int, dropout: float, activation: Any, layer_norm_eps: float,
        batch_first: bool, norm_first: bool, dtype: Any, norms: int,
    ) -> None:
        self.self_attn = MultiheadAttention(d_model, nhead, dropout, batch_first=batch_first, dtype=dtype)
        if norms == 3:
            self.multihead_attn = MultiheadAttention(d_model, nhead, dropout, batch_first=batch_first, dtype=dtype)
        self.dense1 = Dense(d_model, dim_feedforward, dtype=dtype)
        self.dropout = Dropout(p=dropout)
        self.dense2 = Dense(dim_feedforward, d_model, dtype=dtype)
        self.norm_first = check.boolean(type(self).__name__, "norm_first", norm_first)
        for i in range(1, norms + 1):
            setattr(self, f"norm{i}", LayerNorm((d_model,), epsilon=layer_norm_eps, dtype=dtype))
        for i in range(1, norms + 1):
            setattr(self, f"dropout{i}", Dropout(p=dropout))
        self.activation = _activation(type(self).__name__, activation)

    def _self_attention(self, x: Tensor, mask: Tensor | None, padding: Tensor | None) -> Any:
        y = self.self_attn(x, x, x, key_padding_mask=padding, need_weights=False, attn_mask=mask)[0]
        return self.dropout1(y)

    def _feed_forward(self, x: Tensor) -> Any:
        return self.dense2(self.dropout(self.activation(self.dense1(x))))


class TransformerEncoderLayer(_Layer):
    """Self-attention, then a feed-forward part, each with a residual connection and layer normalisation.

    Called with src `[S, N, d_model]`, `src_mask` and `src_key_padding_mask` (see MultiheadAttention).

    Args:
        d_model: features.
        nhead: heads of the attention.
        dim_feedforward: features within the feed-forward part.
        dropout: in training.
        activation: 'relu', 'gelu' or a function of tensors.
        layer_norm_eps: the normalisations' epsilon.
        batch_first: inputs are `[N, S, d_model]`.
        norm_first: normalise what goes into a part instead of what comes out after it.
        dtype: of the Parameters.
    """

    def __init__(
        self, d_model: int, nhead: int, dim_feedforward: int = 2048, dropout: float = 0.1, activation: Any = "relu",
        layer_norm_eps: float = 1e-5, batch_first: bool = False, norm_first: bool = False, dtype: Any = float32,
    ) -> None:
        super().__init__()
        self._set_parts(d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, batch_first, norm_first,
                        dtype, norms=2)

    def construct(
        self, src: Tensor, src_mask: Tensor | None = None, src_key_padding_mask: Tensor | None = None
    ) -> Any:
        x = src
        if self.norm_first:
            x = x + self._self_attention(self.norm1(x), src_mask, src_key_padding_mask)
            return x + self.dropout2(self._feed_forward(self.norm2(x)))
        x = self.norm1(x + self._self_attention(x, src_mask, src_key_padding_mask))
        return self.norm2(x + self.dropout2(self._feed_forward(x)))


class TransformerDecoderLayer(_Layer):
    """Self-attention, attention to the encoder's result, then a feed-forward part; arguments as of the encoder's layer.

    Called with tgt `[T, N, d_model]`, memory `[S, N, d_model]` and a mask and a key padding mask for each.
    """

    def __init__(
        self, d_model: int, nhead: int, dim_feedforward: int = 2048, dropout: float = 0.1, activation: Any = "relu",
        layer_norm_eps: float = 1e-5, batch_first: bool = False, norm_first: bool = False, dtype: Any = float32,
    ) -> None:
        super().__init__()
        self._set_parts(d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, batch_first, norm_first,
                        dtype, norms=3)

    def construct(
        self, tgt: Tensor, memory: Tensor, tgt_mask: Tensor | None = None, memory_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None, memory_key_padding_mask: Tensor | None = None,
    ) -> Any:
        def attend(x: Tensor) -> Any:
            y = self.multihead_attn(
                x, memory, memory, key_padding_mask=memory_key_padding_mask, need_weights=False, attn_mask=memory_mask
            )[0]
            return self.dropout2(y)

        x = tgt
        if self.norm_first:
            x = x + self._self_attention(self.norm1(x), tgt_mask, tgt_key_padding_mask)
            x = x + attend(self.norm2(x))
            return x + self.dropout3(self._feed_forward(self.norm3(x)))
        x = self.norm1(x + self._self_attention(x, tgt_mask, tgt_key_padding_mask))
        x = self.norm2(x + attend(x))
        return self.norm3(x + self.dropout3(self._feed_forward(x)))


def _clones(layer: Cell, count: int) -> CellList:
    """`count` copies of `layer`, which start with its values."""
    copies = [copy.deepcopy(layer) for _ in range(count)]
    for made in copies:
        made.replace_prefix(layer.parameter_prefix, "")  # their names follow their new places
    return CellList(copies)


class _Stack(Layer):
    """Copies of a layer, one after another, and a normalisation if one is given."""

    def __init__(self, layer: Cell, num_layers: int, norm: Cell | None) -> None:
        super().__init__()
        self.num_layers = check.positive_int(type(self).__name__, "num_layers", num_layers)
        self.layers = _clones(layer, num_layers)
        self.norm = norm

    def _through(self, x: Tensor, *others: Tensor | None) -> Any:
        for layer in self.layers:
            x = layer(x, *others)
        return x if self.norm is None else self.norm(x)


class TransformerEncoder(_Stack):
    """`num_layers` copies of an encoder layer, one after another, and a normalisation `norm` if one is given."""

    def __init__(self, encoder_layer: Cell, num_layers: int, norm: Cell | None = None) -> None:
        super().__init__(encoder_layer, num_layers, norm)

    def construct(
        self, src: Tensor, src_mask: Tensor | None = None, src_key_padding_mask: Tensor | None = None
    ) -> Any:
        return self._through(src, src_mask, src_key_padding_mask)


class TransformerDecoder(_Stack):
    """`num_layers` copies of a decoder layer, one after another, and a normalisation `norm` if one is given."""

    def __init__(self, decoder_layer: Cell, num_layers: int, norm: Cell | None = None) -> None:
        super().__init__(decoder_layer, num_layers, norm)

    def construct(
        self, tgt: Tensor, memory: Tensor, tgt_mask: Tensor | None = None, memory_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None, memory_key_padding_mask: Tensor | None = None,
    ) -> Any:
        return self._through(tgt, memory, tgt_mask, memory_mask, tgt_key_padding_mask, memory_key_padding_mask)


class Transformer(Layer):
    """Encoder and decoder; every Parameter with more than one dimension starts as XavierUniform.

    Called with src `[S, N, d_model]`, tgt `[T, N, d_model]` and masks; returns `[T, N, d_model]`.

    Args:
        num_encoder_layers, num_decoder_layers: how many layers each has.
        custom_encoder, custom_decoder: used instead of the standard ones.
        The others: as of TransformerEncoderLayer.
    """

    def __init__(
        self, d_model: int = 512, nhead: int = 8, num_encoder_layers: int = 6, num_decoder_layers: int = 6,
        dim_feedforward: int = 2048, dropout: float = 0.1, activation: Any = "relu", custom_encoder: Cell | None = None,
        custom_decoder: Cell | None = None, layer_norm_eps: float = 1e-5, batch_first: bool = False,
        norm_first: bool = False, dtype: Any = float32,
    ) -> None:
        super().__init__()
        shared = (d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, batch_first, norm_first, dtype)
        if custom_encoder is None:
            norm = LayerNorm((d_model,), epsilon=layer_norm_eps, dtype=dtype)
            self.encoder: Cell = TransformerEncoder(TransformerEncoderLayer(*shared), num_encoder_layers, norm)
        else:
            self.encoder = custom_encoder
        if custom_decoder is None:
            norm = LayerNorm((d_model,), epsilon=layer_norm_eps, dtype=dtype)
            self.decoder: Cell = TransformerDecoder(TransformerDecoderLayer(*shared), num_decoder_layers, norm)
        else:
            self.decoder = custom_decoder
        self.d_model, self.nhead, self.batch_first = d_model, nhead, batch_first
        for parameter in self.get_parameters():
            if parameter.ndim > 1:
                parameter.set_data(initializer(XavierUniform(), parameter.shape, parameter.dtype))

    def construct(
        self, src: Tensor, tgt: Tensor, src_mask: Tensor | None = None, tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None, src_key_padding_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None, memory_key_padding_mask: Tensor | None = None,
    ) -> Any:
        axis = 0 if self.batch_first else 1
        if src.ndim == 3 and src.shape[axis] != tgt.shape[axis]:
            raise ValueError(f"For 'Transformer', src {src.spec} and tgt {tgt.spec} must have the same batch size.")
        if src.shape[-1] != self.d_model or tgt.shape[-1] != self.d_model:
            raise ValueError(f"For 'Transformer', the features must be {self.d_model}, but got {src.spec}, {tgt.spec}.")
        memory = self.encoder(src, src_mask, src_key_padding_mask)
        return self.decoder(tgt, memory, tgt_mask, memory_mask, tgt_key_padding_mask, memory_key_padding_mask)
