"""Order: when groups run. Each after those whose results it reads, updates after all who read what they replace.

    before   conv, max_pool, ..., loss, ..., max_pool_index, max_pool_grad
    after    conv, max_pool, max_pool_index, ..., loss, ..., max_pool_grad

Otherwise they run in the order of the graph, except that a group which frees more memory than it writes runs as soon as
it can. So the gradient of a weight comes right after the cotangent that it reads. And the position of a window's
maximum, which only the gradient needs, is found right after the maximum, so that the window can be forgotten.
"""

from __future__ import annotations

from collections.abc import Sequence

from graphc.ir import Graph
from graphc.op import traits_of
from graphc.passes.parts import Part, Web


def in_order(web: Web, graph: Graph) -> list[Part]:
    """The parts of the web in running order."""
    _order_updates(web, graph)
    return _sooner(_as_written(web, graph), web, graph)


def _order_updates(web: Web, graph: Graph) -> None:
    """Before a part that updates an input run its other readers, and every check."""
    checks = [p for p in web.parts if any("checks" in traits_of(n) for n in p.nodes)]
    for target, value in graph.updates:
        writer = web.home.get(value)
        if writer is not None:
            for part in (*web.readers_of(target), *checks):
                web.require(part, writer)


def _as_written(web: Web, graph: Graph) -> list[Part]:
    """Each part after those that it needs, otherwise in the order of the graph."""
    done: dict[Part, None] = {}
    for first in sorted(web.parts, key=lambda p: graph.number[p.stores[0]]):
        stack = [(first, False)]
        while stack:
            part, ready = stack.pop()
            if part in done:
                continue
            if ready:
                done[part] = None
                continue
            stack.append((part, True))
            needs = web.just_before(part) - {part}
            stack += [(p, False) for p in sorted(needs, key=lambda p: -graph.number[p.stores[0]])]
    return list(done)


def _sooner(parts: Sequence[Part], web: Web, graph: Graph) -> list[Part]:
    """The same order, but for parts that free more than they write: as soon as that is so."""
    place = {part: (n, 0) for n, part in enumerate(parts)}
    for n, part in enumerate(parts, 1):
        written = sum(store.type.nbytes for store in part.stores)
        larger = [o for o in web.reads[part] if o in web.home and o not in graph.kept and o.type.nbytes > written]
        free = [max(place[p] for p in (*web.readers_of(o), web.home[o]) if p is not part) for o in larger]
        if free and min(free) < place[part]:
            known = max(place[p] for p in web.just_before(part) if p is not part)
            place[part] = max(known, min(free))[0], n  # right behind the part there, and others moved before
    return sorted(parts, key=place.__getitem__)
