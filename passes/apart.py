"""Images apart: a gradient of weights whose chains are of one image each, as a convolution with groups of images.

    before   %0 = conv_grad_weight(%x, %ct)                           %x: f32[8,3,32,32]
    after    %0 = reshape(%x, shape=(1, 24, 32, 32)) ...   %2 = conv_grad_weight(%0, %1, groups=8)   then its fold

Such a sum is sixteen chains over n mod 16. With fewer than sixteen images every chain is one image's; images across the
lanes would leave lanes empty, after both operands were copied into that layout. As groups, images leave the lanes to
channels or taps, and operands are read in rows.

Depthwise convolutions (each channel convolved by itself) are treated so for more images too: image n becomes one of
sixteen images with several times the channels, whose sums go on with image n + 16. Chains of another length are a
gradient by themselves. This pays because channels lie one after the other in memory, whereas the distance of images
often makes them meet in few sets of the cache.
"""

from __future__ import annotations

from math import prod

from graphc.ir import Node, constant_node
from graphc.op import maker
from graphc.passes.access import Access
from graphc.schedule import LANES, TAPS, TURNED


def images_apart(node: Node, access: Access) -> Node:
    """The same sum, bit for bit, of rows; or the node itself, if it is none or of long chains."""
    if node.op != "conv_grad_weight":
        return node
    images, groups = node.operands[0].shape[0], node.attrs.get("groups", 1)
    each = max(images // LANES, 1)  # images of a chain
    if images >= LANES and (-(-images // LANES) >= LANES // 2 or not _channels_alone(node)):
        return node  # a chain of eight images would itself be sixteen
    value = access.of(node).value
    if value is None or value.kind != "contract" or not value.data[1]:
        return node

    made, chains, size = maker(node), min(images, LANES), prod(node.shape)

    def chain(first: int) -> Node:
        """The sum over every sixteenth image from one on."""
        count = len(range(first, images, LANES))
        parts = [
            made("slice", o, begin=(first, *(0 for _ in o.shape[1:])), shape=(count, *o.shape[1:]),
                 step=(LANES, *(1 for _ in o.shape[1:])))
            for o in node.operands
        ]  # fmt: skip
        return made("reshape", made("conv_grad_weight", *parts, **node.attrs), shape=(1, size))

    if images % chains:
        sums = [chain(n) for n in range(chains)]
    else:
        rows = [made("reshape", o, shape=(each, chains * o.shape[1], *o.shape[2:])) for o in node.operands]
        found = made("conv_grad_weight", *rows, **{**node.attrs, "groups": groups * chains})
        found = made("reshape", found, shape=(chains, size))
        sums = [made("slice", found, begin=(n, 0), shape=(1, size), step=(1, 1)) for n in range(chains)]
    nothing = made("broadcast_to", constant_node(0.0, node.dtype, node.loc), shape=(1, size))
    sums += [nothing] * (LANES - chains)
    while len(sums) > 1:  # as lanes are folded, which also makes +0.0 of -0.0
        half = len(sums) // 2
        sums = [x if x is y else made("add", x, y) for x, y in zip(sums[:half], sums[half:], strict=True)]
    return made("reshape", sums[0], shape=node.shape)


def _channels_alone(node: Node) -> bool:
    """Whether each channel has a filter of its own, and few enough elements are read at a time for a kernel to turn."""
    x, ct = node.operands
    stride, kernel, dilation = (node.attrs[k][0] for k in ("stride", "kernel", "dilation"))
    steps = (kernel - 1) * dilation + 1 + stride if len(x.shape) > 3 else x.shape[2]
    few = prod(node.shape[2:]) <= TAPS and steps * prod(x.shape[3:]) <= TURNED
    alone = node.shape[0] == x.shape[1] == node.attrs.get("groups", 1)
    filled = x.shape[0] % LANES == 0 or x.shape[1] >= LANES // 2  # lanes, of which each has a channel
    return few and alone and filled and prod(ct.shape[2:]) >= LANES
