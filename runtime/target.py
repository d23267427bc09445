"""What the machine offers: vector width, registers, cores, caches.

The one home of facts about an instruction set. Code above it asks `host()` for lanes and registers; the worker pool
takes from here the few lines of IR that differ between processors.
"""

import functools
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_CACHES = Path("/sys/devices/system/cpu/cpu0/cache")
_UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}

# Number of the futex system call of Linux.
_FUTEX = {"x86_64": 202, "aarch64": 98, "riscv64": 98}

# @relax tells the core that it spins. @fp_control and @set_fp_control read and write rounding and flushing of
# subnormals, without the sticky exception flags that share the register on x86.
_PROCESSOR_IR = {
    "x86_64": """\
declare void @llvm.x86.sse2.pause()
declare void @llvm.x86.sse.stmxcsr(ptr)
declare void @llvm.x86.sse.ldmxcsr(ptr)

define internal void @relax() nounwind {
  call void @llvm.x86.sse2.pause()
  ret void
}

define internal i32 @fp_control() nounwind {
  %word = alloca i32
  call void @llvm.x86.sse.stmxcsr(ptr %word)
  %all = load i32, ptr %word
  %control = and i32 %all, 65472
  ret i32 %control
}

define internal void @set_fp_control(i32 %control) nounwind {
  %word = alloca i32
  store i32 %control, ptr %word
  call void @llvm.x86.sse.ldmxcsr(ptr %word)
  ret void
}
""",
    "aarch64": """\
declare void @llvm.aarch64.hint(i32)
declare i64 @llvm.aarch64.get.fpcr()
declare void @llvm.aarch64.set.fpcr(i64)

define internal void @relax() nounwind {
  call void @llvm.aarch64.hint(i32 1)
  ret void
}

define internal i32 @fp_control() nounwind {
  %all = call i64 @llvm.aarch64.get.fpcr()
  %control = trunc i64 %all to i32
  ret i32 %control
}

define internal void @set_fp_control(i32 %control) nounwind {
  %all = zext i32 %control to i64
  call void @llvm.aarch64.set.fpcr(i64 %all)
  ret void
}
""",
}

_ANY_PROCESSOR_IR = """\
define internal void @relax() nounwind {
  ret void
}

define internal i32 @fp_control() nounwind {
  ret i32 0
}

define internal void @set_fp_control(i32 %control) nounwind {
  ret void
}
"""


@dataclass(frozen=True)
class Target:
    """One machine that code is generated for.

    Attributes:
        triple: LLVM's name of architecture, vendor and system.
        cpu: LLVM's name of the processor.
        features: LLVM's feature list, `+avx2,-sse4a,...`.
        lanes: 32-bit lanes of one vector: 16, 8 or 4.
        registers: vector registers.
        cores: cores this process may run on.
        l1d, l2, l3: bytes of one cache of that level; the last level is usually shared by the cores.
    """

    triple: str
    cpu: str
    features: str
    lanes: int
    registers: int
    cores: int
    l1d: int
    l2: int
    l3: int

    @property
    def arch(self) -> str:
        """The architecture's name: `x86_64`, `aarch64`, or the triple's own word for another."""
        return _architecture(self.triple)

    @property
    def multiplies_twos(self) -> bool:
        """Whether one instruction adds the products of two pairs of bfloat16 to a float, in every lane of a vector."""
        features = self.features.split(",")
        return {"+avx512bf16", "+avx512vl"}.issubset(features) and "-avx512f" not in features

    @property
    def futex(self) -> int | None:
        """Number of the futex system call; None where there is none or it is not known."""
        return _FUTEX.get(self.arch) if "-linux" in self.triple else None

    @property
    def processor_ir(self) -> str:
        """IR of `void @relax()`, `i32 @fp_control()` and `void @set_fp_control(i32)`."""
        return _PROCESSOR_IR.get(self.arch, _ANY_PROCESSOR_IR)


@functools.cache
def host() -> Target:
    """The machine this process runs on.

    The environment variable GRAPHC_TARGET_LANES (4, 8 or 16) asks for narrower vectors than it has.

    Raises:
        ValueError: GRAPHC_TARGET_LANES is not one of these, or wider than the machine's vectors.
    """
    import llvmlite.binding as llvm

    triple = llvm.get_process_triple()
    available = llvm.get_host_cpu_features()
    features = available.flatten()
    lanes, registers = _vectors(_architecture(triple), available)
    forced = _forced_lanes(lanes)
    if forced < lanes == 16:  # what an AVX2 machine has
        features, registers = features + ",-avx512f", 16
    return Target(
        triple=triple,
        cpu=llvm.get_host_cpu_name(),
        features=features,
        lanes=forced,
        registers=registers,
        cores=available_cores(),
        l1d=_cache_bytes(1, 32 << 10),
        l2=_cache_bytes(2, 1 << 20),
        l3=_cache_bytes(3, 8 << 20),
    )


def available_cores() -> int:
    """Cores this process may run on: its affinity where the system has one, else the machine's count."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _architecture(triple: str) -> str:
    name = triple.partition("-")[0]
    return {"arm64": "aarch64", "amd64": "x86_64"}.get(name, name)


def _vectors(arch: str, features: Mapping[str, bool]) -> tuple[int, int]:
    """32-bit lanes and registers of the widest vectors of a processor with these features."""
    if arch != "x86_64":
        return 4, 32
    if features.get("avx512f") and features.get("avx512vl"):
        return 16, 32
    return (8 if features.get("avx2") else 4), 16


def _forced_lanes(lanes: int) -> int:
    text = os.environ.get("GRAPHC_TARGET_LANES", "")
    if not text:
        return lanes
    if text not in ("4", "8", "16"):
        raise ValueError(f"GRAPHC_TARGET_LANES: expected 4, 8 or 16, got {text!r}")
    if int(text) > lanes:
        raise ValueError(f"GRAPHC_TARGET_LANES: {text} lanes asked for, this machine's vectors have {lanes}")
    return int(text)


def _cache_bytes(level: int, default: int) -> int:
    """Bytes of the data or unified cache of a level; `default` where the system does not say."""
    for index in sorted(_CACHES.glob("index*")):
        try:
            if int((index / "level").read_text()) == level and (index / "type").read_text().strip() != "Instruction":
                size = (index / "size").read_text().strip()
                return int(size.rstrip("KMG")) * _UNITS.get(size[-1], 1)
        except (OSError, ValueError, IndexError):
            continue
    return default
