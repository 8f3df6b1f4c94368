"""`mt diagnose`: look into a trained network, from its run to a folder of drawings and numbers."""

from __future__ import annotations

import argparse
from importlib.util import find_spec
from pathlib import Path

from data.config import check
from data.files import write_json
from data.normalize import normalize
from data.prepared import Prepared
from training.average import choose_weights
from training.diagnosis_numbers import LONGEST, Subject, Tree, measure
from training.diagnosis_pages import draw_pages, show_pages
from training.export import network_of
from training.recipe_files import RECIPE
from training.run_folder import prepared_folder, read_json
from training.telemetry import say

FOLDER, NUMBERS = "diagnosis", "diagnosis.json"
LAGS = (1, 5, 10, 20)  # in the table
LEGEND = (
    "lag: norm of the gradient that far back, 1 at lag 0; factor: from a lag to the next, in the mean",
    "radius, norm: largest eigenvalue and singular value of its matrices; saturated: gates within 0.1 of an end",
)


def diagnose(arguments: argparse.Namespace) -> int:
    """Do all of `mt diagnose`."""
    check(find_spec("matplotlib") is not None, "drawing needs matplotlib: pip install 'mt-service[train]'")
    check(arguments.sentences >= 1, f"--sentences must be at least 1, but is {arguments.sentences}")
    check(arguments.sentence is None or normalize(arguments.sentence) != "", "--sentence is empty: give it some words")
    subject = choose(arguments.run_folder, arguments.checkpoint, arguments.direction)
    text = sentence_of(subject, arguments.sentence)
    tree = measure(subject._replace(pairs=subject.pairs[: arguments.sentences]), text)
    folder = subject.run / FOLDER
    folder.mkdir(exist_ok=True)
    tree["pages"] = draw_pages(tree, folder)
    write_json(folder / NUMBERS, tree)
    show_pages(subject.run, [folder / name for name in tree["pages"]], subject.update)
    print(table(tree))
    say(f"wrote {', '.join([*tree['pages'], NUMBERS])} into {folder}")
    return 0


def choose(run: Path, checkpoint: str, direction: str | None) -> Subject:
    """A run's network with the weights that are evaluated, and its dev sentences of a direction.

    Raises:
        UserError: when there is no such run, checkpoint, direction, prepared data or dev sentence.
    """
    recipe = read_json(run / RECIPE)
    directions = recipe["data"]["directions"]
    wanted = directions[0] if direction is None else direction
    check(wanted in directions, f"{run} does not translate {wanted}; its directions are: {', '.join(directions)}")
    weights, origin = choose_weights(run, checkpoint, 1)
    prepared = Prepared.load(prepared_folder(run))
    pairs = [pair for dev in prepared.dev.values() for pair in dev if pair.direction == wanted]
    check(
        bool(pairs), f"{prepared.folder} has no dev sentences of {wanted} to measure on: name a dev set in the recipe"
    )
    network = network_of(recipe, weights, len(prepared.tokenizer))
    return Subject(run, recipe, prepared.tokenizer, network, int(str(origin["update"])), pairs)


def sentence_of(subject: Subject, text: str | None) -> str:
    """The sentence whose attention is drawn, normalised: the given one, or the first dev sentence that is not too long.

    Raises:
        UserError: when there is none.
    """
    candidates = [pair.source for pair in subject.pairs] if text is None else [normalize(text)]
    lengths = [len(subject.tokenizer.encode(one)) for one in candidates]
    what = "the shortest dev sentence" if text is None else "--sentence"
    check(
        min(lengths) <= LONGEST,
        f"{what} has {min(lengths)} pieces, and a drawing has room for {LONGEST}: give a shorter --sentence",
    )
    return next(one for one, length in zip(candidates, lengths, strict=True) if length <= LONGEST)


def table(tree: Tree) -> str:
    """For people: a line for each recurrence and each feed-forward part."""
    title = f"{'recurrence':<20}{'cell':<10}{'units':>6}{'factor':>8}" + "".join(f"{f'lag {lag}':>9}" for lag in LAGS)
    lines = [
        f"{tree['run']}, update {tree['update']:,}, {tree['sentences']} dev sentences of {tree['direction']}",
        f"{title}{'radius':>8}{'norm':>8}{'saturated':>11}",
    ]
    for name, one in tree["recurrences"].items():
        mean = one["gradient"]["mean"]
        reached = "".join(f"{mean[lag]:>9.1e}" if lag < len(mean) else f"{'-':>9}" for lag in LAGS)
        line = f"{name:<20}{one['cell']:<10}{one['hidden']:>6}{one['gradient']['factor']:>8.3f}{reached}"
        now = [sizes for points in one["matrices"].values() for sizes in points if sizes["update"] == tree["update"]]
        for size in ("radius", "norm"):
            line += f"{max(sizes[size] for sizes in now):>8.2f}" if now else f"{'-':>8}"
        closed = [gate["low"] + gate["high"] for gate in one["gates"].values()]
        lines.append(line + (f"{100 * sum(closed) / len(closed):>9.0f} %" if closed else f"{'-':>11}"))
    for name, part in tree["feed_forward"].items():
        fires = (
            f"{part['firing']:,} of {part['units']:,} units fire, in the mean {100 * part['share']:.1f} % of the time"
        )
        dead = "; mt prune takes the others out of a bundle" if part["firing"] < part["units"] else ""
        lines.append(f"{name}: {fires}{dead}")
    return "\n".join([*lines, *LEGEND])
