"""Where to compute, and what that place is good at."""

from __future__ import annotations

from pathlib import Path

from data.config import check

DRIVERS = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")  # one of which there is where torch may see a GPU


def choose_device(wish: str) -> str:
    """`auto` takes a GPU when there is one.

    Args:
        wish: auto, cpu or cuda.
    Raises:
        UserError: when a GPU is asked for and there is none.
    """
    if wish == "cpu" or (wish == "auto" and not any(Path(driver).exists() for driver in DRIVERS)):
        return "cpu"
    import torch  # which takes a second and 200 MB, that serving on a CPU can do without

    available = torch.cuda.is_available()
    check(
        wish != "cuda" or available, "device is cuda, but torch sees no GPU: install a CUDA build of torch, or use cpu"
    )
    return "cuda" if available else "cpu"


def fast_bfloat16() -> str:
    """The processor's instructions that make bfloat16 faster than float32; empty when it has none."""
    return next((name for name in ("amx_bf16", "avx512_bf16") if name in cpu_flags()), "")


def cpu_field(field: str) -> str:
    """A field of the first processor in /proc/cpuinfo, or nothing where there is no such file."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []
    values = (line.partition(":")[2].strip() for line in lines if line.partition(":")[0].strip() == field)
    return next(values, "")


def cpu_flags() -> set[str]:
    """Instruction sets of the processor, as Linux names them."""
    return set(cpu_field("flags").split())
