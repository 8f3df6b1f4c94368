"""The drawings of `mt diagnose`: PNG files, and the same in TensorBoard."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from data.files import atomic
from training.telemetry import BOARD, open_board

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")  # Okabe and Ito (2008)
SIZES: dict[str, tuple[str, dict[str, Any]]] = {  # of a matrix: what they are called, and their lines
    "radius": ("spectral radius", {"marker": "o", "linestyle": "-"}),
    "norm": ("largest singular value", {"marker": "s", "linestyle": "--"}),
}
INK: dict[Any, Any] = {"font.size": 11, "axes.titlesize": 11, "axes.grid": True, "grid.alpha": 0.3}
Tree = dict[str, Any]


def draw_pages(tree: Tree, folder: Path) -> list[str]:
    """Draw what the numbers hold, and return the names of the files; a page without content is left out."""
    from matplotlib import rc_context

    pages: dict[str, Callable[[Tree], Any]] = {
        "gradients.png": gradients_page,
        "matrices.png": matrices_page,
        "gates.png": gates_page,
        "attention.png": attention_page,
    }
    written = []
    with rc_context(INK), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # the font draws a box instead
        for name, draw in pages.items():
            figure = draw(tree)
            if figure is not None:
                with atomic(folder / name) as temporary:
                    figure.savefig(temporary, format="png", dpi=110)
                written.append(name)
    return written


def show_pages(run: Path, pages: Sequence[Path], update: int) -> None:
    """Put drawings into TensorBoard.

    They have a folder of their own in the run's: of several event files in one folder TensorBoard follows only the
    newest, and a training may still be writing to another.
    """
    from matplotlib.image import imread

    board = open_board(run / BOARD / "diagnosis")
    if board is not None:
        for page in pages:
            board.add_image(f"diagnosis/{page.stem}", imread(page)[..., :3], update, dataformats="HWC")
        board.close()


def headed(tree: Tree, title: str, size: tuple[float, float]) -> Any:
    """An empty figure that says what it shows."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, layout="constrained")
    figure.suptitle(f"{title}\n{tree['run']}, update {tree['update']:,}", parse_math=False)
    return figure


def gradients_page(tree: Tree) -> Any:
    """Gradient norm against lag, the encoder's recurrences (where it has some) beside the decoder's."""
    read = f"{tree['sentences']} dev sentences, {tree['direction']}"
    figure = headed(tree, f"How far back gradients reach in each recurrence ({read})", (12, 5.5))
    sides = list(dict.fromkeys(name.split()[0] for name in tree["recurrences"]))
    axes = figure.subplots(1, len(sides), sharey=True, squeeze=False)[0]
    axes[0].set_ylabel("norm of the gradient (band: middle 80 %)")
    for axis, side in zip(axes, sides, strict=True):
        mine = {name: one for name, one in tree["recurrences"].items() if name.startswith(side)}
        for name, one in mine.items():
            draw_gradient(axis, name, one["gradient"])
        axis.axhline(1.0, color="grey", linewidth=1)
        axis.set_yscale("log", nonpositive="mask")
        axis.set_title(
            f"{side}: " + ", ".join(sorted({f"{one['cell']}, {one['hidden']} units" for one in mine.values()}))
        )
        axis.set_xlabel("lag, positions")
        axis.legend(title="layer, and factor per position")
    return figure


def draw_gradient(axis: Any, name: str, gradient: Tree) -> None:
    """One recurrence: a colour for each layer, dashes for the way back."""
    _, number, *way = name.split()
    colour = COLOURS[(int(number) - 1) % len(COLOURS)]
    lag, label = range(len(gradient["mean"])), f"{' '.join([number, *way])}: {gradient['factor']:.2f}"
    axis.plot(lag, gradient["mean"], "--" if way == ["backwards"] else "-", color=colour, linewidth=2, label=label)
    axis.fill_between(lag, gradient["low"], gradient["high"], color=colour, alpha=0.1, linewidth=0)


def grid(count: int, columns: int) -> tuple[int, int]:
    """Rows and columns for a number of panels."""
    columns = min(columns, count)
    return math.ceil(count / columns), columns


def matrices_page(tree: Tree) -> Any:
    """Spectral radius and norm of every recurrent matrix through training; None without such matrices."""
    from matplotlib.ticker import LogLocator

    shown = {name: one for name, one in tree["recurrences"].items() if one["matrices"]}
    if not shown:
        return None
    rows, columns = grid(len(shown), 2)  # both directions of a layer side by side
    names = list(dict.fromkeys(matrix for one in shown.values() for matrix in one["matrices"]))
    colours = {name: COLOURS[index % len(COLOURS)] for index, name in enumerate(names)}
    figure = headed(tree, "Recurrent matrices through training", (max(8.0, 5.0 * columns), 1.6 + 2.7 * rows))
    axes = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    for axis, (name, one) in zip(axes.flat, shown.items(), strict=False):
        for matrix, points in one["matrices"].items():
            for size, (_, line) in SIZES.items():
                values = [point[size] for point in points]
                axis.plot([point["update"] for point in points], values, color=colours[matrix], markersize=4, **line)
        axis.axhline(1.0, color="grey", linewidth=1)
        axis.set_yscale("log")
        axis.yaxis.set_major_locator(LogLocator(subs=(1.0, 1.5, 2.0, 3.0, 5.0, 7.0)))
        axis.yaxis.set_major_formatter("{x:g}")
        axis.minorticks_off()
        axis.set_title(f"{name}: {one['cell']}")
    finish(figure, axes, [True] * len(shown), "updates", "size of the matrix")
    figure.legend(handles=legend_of(colours), loc="outside lower center", ncols=min(6, len(colours) + 2))
    return figure


def legend_of(colours: dict[str, str]) -> list[Any]:
    """What colours and lines of the matrices stand for."""
    from matplotlib.lines import Line2D

    blocks = [Line2D([], [], color=colour, linewidth=3, label=name) for name, colour in colours.items()]
    sizes = [Line2D([], [], color="grey", label=text, **line) for text, line in SIZES.values()]
    return blocks + sizes


def finish(figure: Any, axes: Any, filled: Sequence[bool], below: str, beside: str) -> None:
    """Say what the axes of a grid are, and take away the panels that hold nothing."""
    figure.supylabel(beside, fontsize=INK["font.size"])
    flat, columns = list(axes.flat), axes.shape[1]
    holds = [*filled, *[False] * (len(flat) + columns - len(filled))]
    for number, axis in enumerate(flat):
        if not holds[number]:
            axis.remove()
        elif not holds[number + columns]:
            axis.tick_params(labelbottom=True)
            axis.set_xlabel(below)


def gates_page(tree: Tree) -> Any:
    """How open gates are, a row for each recurrence that has several; None where no cell tells."""
    most = max(len(one["gates"]) for one in tree["recurrences"].values())
    panels: list[tuple[str, Tree] | None] = []
    for name, one in tree["recurrences"].items():
        mine = [(f"{name}\n{one['cell']}, {gate}", values) for gate, values in one["gates"].items()]
        panels += [*mine, *[None] * (most - len(mine))] if mine else []
    if not panels:
        return None
    rows, columns = grid(len(panels), most if most > 1 else 3)
    read = f"{tree['sentences']} dev sentences, {tree['direction']}"
    title = f"How open gates are; orange: saturated ({read})"
    figure = headed(tree, title, (max(8.0, 4.0 * columns), max(4.0, 1.2 + 2.2 * rows)))
    axes = figure.subplots(rows, columns, squeeze=False)
    for axis, panel in zip(axes.flat, panels, strict=False):
        if panel is not None:
            draw_gate(axis, *panel)
    finish(figure, axes, [panel is not None for panel in panels], "activation", "share of units and positions, %")
    return figure


def draw_gate(axis: Any, title: str, values: Tree) -> None:
    """A histogram whose ends stand out."""
    edges, total = values["edges"], max(1, sum(values["counts"]))
    heights = [100 * count / total for count in values["counts"]]
    middles = [(left + right) / 2 for left, right in pairwise(edges)]
    ends = [middle < edges[0] + 0.1 or middle > edges[-1] - 0.1 for middle in middles]
    axis.bar(
        middles,
        heights,
        width=edges[1] - edges[0],
        color=[COLOURS[1] if end else COLOURS[0] for end in ends],
    )
    axis.set_title(title)
    axis.set_xlim(edges[0], edges[-1])
    axis.set_ylim(0, 1.25 * max(heights, default=1.0))
    for text, place, side in ((values["low"], 0.03, "left"), (values["high"], 0.97, "right")):
        axis.text(place, 0.95, f"{100 * text:.0f} %", transform=axis.transAxes, ha=side, va="top", color="#a03f00")


def attention_page(tree: Tree) -> Any:
    """Source pieces by target pieces; None for a network that looks at none."""
    found = tree["attention"]
    if found is None:
        return None
    source, target = found["source"], found["target"]
    size = (max(7.0, 3.0 + 0.34 * len(source)), max(4.0, 2.6 + 0.3 * len(target)))
    figure = headed(tree, "Attention of greedy search, first layer", size)
    axis = figure.subplots()
    drawn = axis.imshow(found["weights"], cmap="Blues", vmin=0.0, vmax=1.0, aspect="auto")
    axis.set_xticks(range(len(source)), source, rotation=90, parse_math=False)
    axis.set_yticks(range(len(target)), target, parse_math=False)
    axis.grid(visible=False)
    axis.set_xlabel("source pieces")
    axis.set_ylabel("target pieces" if found["complete"] else f"target pieces, cut after {len(target)}")
    figure.colorbar(drawn, ax=axis, label="weight (a row sums to 1)", aspect=30)
    return figure
