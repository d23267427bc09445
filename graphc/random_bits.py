"""The random bits of graphc: Philox4x32-10, a keyed bijection of 128-bit counters, in NumPy.

Every random number is a function of a key and a counter, so it does not matter in which order, by how many threads or
how often it is computed. Kernels draw the same words with `graphc.runtime.vecint.philox4x32`; this is its meaning.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

PHILOX_ROUNDS = 10
PHILOX_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
PHILOX_WEYL = (0x9E3779B9, 0xBB67AE85)
"""What each round adds to the two words of the key: the fractions of the golden ratio and of sqrt(3), times 2**32."""

Words = NDArray[np.uint32]


def philox4x32_numpy(
    key: tuple[ArrayLike, ArrayLike], counter: tuple[ArrayLike, ArrayLike, ArrayLike, ArrayLike]
) -> tuple[Words, Words, Words, Words]:
    """Four random words for every counter.

    Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011, section 3.3.

    Args:
        key: two words, integers in [0, 2**32) or arrays of them.
        counter: four words, likewise; key and counter are broadcast together.
    Returns:
        Four uint32 arrays of the broadcast shape, uniform over all 2**32 values.
    Raises:
        ValueError: not two and four words, or a word that is not an integer in [0, 2**32).
    """
    if len(key) != 2 or len(counter) != 4:
        raise ValueError(f"philox4x32: expected a key of 2 words and a counter of 4, got {len(key)} and {len(counter)}")
    k0, k1, c0, c1, c2, c3 = np.broadcast_arrays(*(_word(w) for w in (*key, *counter)))
    low = np.uint64(0xFFFFFFFF)
    m0, m2 = (np.uint64(m) for m in PHILOX_MULTIPLIERS)
    w0, w1 = (np.uint64(w) for w in PHILOX_WEYL)
    for turn in range(PHILOX_ROUNDS):
        if turn:
            k0, k1 = (k0 + w0) & low, (k1 + w1) & low
        p0, p2 = c0 * m0, c2 * m2
        c0, c1, c2, c3 = (p2 >> np.uint64(32)) ^ c1 ^ k0, p2 & low, (p0 >> np.uint64(32)) ^ c3 ^ k1, p0 & low
    return c0.astype(np.uint32), c1.astype(np.uint32), c2.astype(np.uint32), c3.astype(np.uint32)


def _word(value: ArrayLike) -> NDArray[np.uint64]:
    word = np.asarray(value)
    if word.dtype.kind not in "iu" or (word.size and not 0 <= int(word.min()) <= int(word.max()) < 1 << 32):
        raise ValueError(f"philox4x32: expected words in [0, 2**32), got {value!r}")
    return word.astype(np.uint64)
