"""How long torch's threads keep a processor busy while they wait for each other: briefly, since others want it, too."""

from __future__ import annotations

import os

SPINS = 10_000  # looks at whether the others are done: 0.12 ms on an Intel Xeon; by itself GNU OpenMP takes 300,000


def wait_briefly() -> None:
    """Have threads that wait for another one sleep soon, so that it gets a processor when it was put off its own.

    Else one busy program beside a training takes nine tenths of its speed. What the user set holds. To be called before
    torch is imported, whose OpenMP looks once; those of other makers do not heed it.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", str(SPINS))
