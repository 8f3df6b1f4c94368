"""What the comparison of recurrent families tells people: a table between two comments of a page, and a drawing."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

from data.config import check
from data.files import atomic, write_text

BEGIN, END = "<!-- families: made by benchmarks/families.py -->", "<!-- families: end -->"
COLUMNS = (
    *("family", "million parameters", "hidden (encoder, decoder)", "seconds", "updates", "tokens/s"),
    *("BLEU, greedy", "beam 5", "ms"),
)
GREEDY, BEAM, LONE_TIME = "bleu, greedy", "bleu, beam 5", "ms_per_sentence"
Row = dict[str, Any]


def refresh(page: Path, tree: Row, results: Path) -> None:
    """Put the table of a run between the comments of a page, and the drawing beside it.

    Raises:
        UserError: when the page has no such comments.
    """
    text = page.read_text(encoding="utf-8") if page.is_file() else ""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    check(bool(begin and end), f"{page} needs a line '{BEGIN}' and, further on, '{END}': the table goes between them")
    picture = page.with_suffix(".png")
    draw(tree["families"], picture)
    write_text(page, f"{before}{BEGIN}\n\n{block(tree, results.name, picture.name)}\n\n{END}{after}")


def block(tree: Row, results: str, picture: str) -> str:
    """All that depends on a run, in Markdown."""
    parts = [wrap(caption(tree, results)), table(tree["families"]), *map(wrap, rescoring(tree["families"]))]
    return "\n\n".join([*parts, f"![BLEU against the time that a sentence takes]({picture})"])


def wrap(paragraph: str) -> str:
    """A paragraph in lines as long as the page's."""
    return textwrap.fill(paragraph, 120, break_long_words=False, break_on_hyphens=False)


def caption(tree: Row, results: str) -> str:
    """Which command made a run, where and of what."""
    machine, git = tree["hardware"], tree["git"] or {"commit": "unknown", "changed": False}
    commit = f"{git['commit'][:12]}{', changed' if git['changed'] else ''}"
    return (
        f"`python benchmarks/families.py training/recipes/{tree['recipe']} ROOT --minutes {tree['minutes']:g}`, "
        f"{machine['threads']} threads of {machine['processor']} ({machine['instructions']}), torch "
        f"{tree['versions']['torch']}{', training in ' + tree['precision'] if 'precision' in tree else ''}, "
        f"commit {commit}. All figures: `benchmarks/results/{results}`."
    )


def table(rows: dict[str, Row]) -> str:
    """A line for each family."""
    lines = [list(COLUMNS), ["---"] * len(COLUMNS), *(cells(name, row) for name, row in rows.items())]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def cells(name: str, row: Row) -> list[str]:
    """A family's line; what it has no figure for is a dash."""
    return [
        name,
        f"{row['parameters'] / 1e6:.2f}",
        ", ".join(str(size) if size else "-" for size in row["hidden"]),
        str(row["seconds"]),
        f"{row['updates']:,}" if row["updates"] else "-",
        f"{row['tokens_per_second']:,}" if row["tokens_per_second"] else "-",
        *(f"{row[key]:.1f}" if key in row else "-" for key in (GREEDY, BEAM, LONE_TIME)),
    ]


def rescoring(rows: dict[str, Row]) -> list[str]:
    """A paragraph for each family that judges what another one proposes."""
    return [
        f"The {name[0].lower()}{name[1:]} only judges here. The lists of up to {one['width']} hypotheses a sentence "
        f"that the first family found have {one['before']:.1f} BLEU as they are. Chosen anew with weights of their "
        f"score, their length and the judge's log-probability they have {one['after']:.1f}; without the judge, "
        f"{one['without']:.1f}. Weights are tuned for BLEU on one half of the dev set and used on the other, both "
        f"ways. Choosing with the references in hand gives {one['oracle']:.1f} at least."
        for name, one in ((name, row["rescoring"]) for name, row in rows.items() if "rescoring" in row)
    ]


def draw(rows: dict[str, Row], path: Path) -> None:
    """BLEU against what a sentence costs, of all that translate."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 5.5), layout="constrained")
    axes = figure.subplots()
    shown = {name: (row[LONE_TIME], row[BEAM]) for name, row in rows.items() if LONE_TIME in row}
    times = [time for time, _ in shown.values()]
    late = min(times) + 0.7 * (max(times) - min(times))  # names of points beyond it stand at their left
    for name, place in shown.items():
        axes.plot(*place, "o", color="#0072B2")
        offset, side = ((-6, 5), "right") if place[0] > late else ((6, 5), "left")
        axes.annotate(name, place, xytext=offset, textcoords="offset points", fontsize=8, ha=side)
    axes.set(xlabel="milliseconds a sentence alone, greedy, one thread", ylabel="dev BLEU, beam 5")
    axes.margins(x=0.1, y=0.1)
    axes.grid(alpha=0.3)
    with atomic(path) as temporary:
        figure.savefig(temporary, format="png", dpi=120)
