"""`mt prune`: a bundle without the feed-forward units that never fire.

Legend: F units of a feed-forward part.
"""

from __future__ import annotations

import argparse
import dataclasses
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from safetensors.torch import load_file
from torch import Tensor

from data.config import check
from data.lexicon import Pair
from models.bundle import MODEL, SHORTLIST, TOKENIZER, Bundle, check_free, read_bundle
from models.pruning import STACKS, STEP, Units, feed_forwards, keep, smaller, units_of
from models.seq2seq import Seq2Seq
from models.weights import Contents, write_contents
from training.examples import Example, read_test_set
from training.export import measure
from training.firing import firing
from training.parallel import read_texts
from training.telemetry import say

LOOKED_AT = 5000  # pairs of each direction


def run(arguments: argparse.Namespace) -> int:
    """See which units fire, and write a bundle without the others."""
    bundle, folder = read_bundle(arguments.bundle), arguments.output
    check_free(folder, arguments.force)
    had = units_of(bundle.config.architecture)
    check(any(had), f"{bundle.folder} has no feed-forward units, so there is nothing to prune")
    tests = [read_test_set(text, bundle.info.directions) for text in arguments.test]
    wished = [getattr(arguments, f"{stack}_units") for stack in STACKS]
    smaller(bundle.config.architecture, wanted(wished, Units(0, 0)))  # refuses what cannot be before a long look
    for stack, wish, all_of_them in zip(STACKS, wished, had, strict=True):
        whole = wish in (None, all_of_them) or wish % STEP == 0
        check(whole, f"--{stack}-units must be a multiple of {STEP}, which the compiled engine takes, but is {wish}")
    texts = read_texts(bundle, arguments.text)
    pairs = [pair for some in texts.values() for pair in some[:: len(some) // LOOKED_AT + 1]]
    worth = worth_of(bundle.network(), pairs, bundle.tokenizer.bos_id)
    units = wanted(wished, Units(*map(min, most_firing(worth).rounded_up(), had)))
    report(worth, units)
    written = write(bundle, pruned(bundle, worth, units), tests, folder, arguments.force)
    size, before = (sum(path.stat().st_size for path in one.folder.iterdir()) / 1e6 for one in (written, bundle))
    say(f"wrote {folder}: {size:.1f} MB instead of {before:.1f}")
    return 0


def wanted(wished: Sequence[int | None], otherwise: Units) -> Units:
    """As many units of each stack as are wished for."""
    return Units(*(other if wish is None else wish for wish, other in zip(wished, otherwise, strict=True)))


def worth_of(network: Seq2Seq, pairs: Sequence[Pair], bos: int) -> dict[str, Tensor]:
    """What each unit [F] adds over some pairs, by the name of its part; 0 if it never fires.

    That is the root of its squared activations' sum, times the length of its weights to the output.
    """
    found, parts = firing(network, pairs, bos), feed_forwards(network)
    return {name: one.square_F.sqrt() * parts[name].contract.weight.double().norm(dim=0) for name, one in found.items()}


def fires(worth_F: Tensor) -> int:
    """How many units of a part ever fire."""
    return int((worth_F > 0).sum())


def most_firing(worth: Mapping[str, Tensor]) -> Units:
    """Units that fire in the block where the most do, of either stack."""
    return Units(
        *(max((fires(part) for name, part in worth.items() if name.startswith(stack)), default=0) for stack in STACKS)
    )


def report(worth: Mapping[str, Tensor], units: Units) -> None:
    """Tell what fires, what is kept, and how much of what the units add goes."""
    for name, worth_F in worth.items():
        count = units.of(name)
        lost = 100 * worth_F.sort(descending=True).values[count:].sum() / worth_F.sum().clamp_min(1e-30)
        fire = f"{fires(worth_F):,} of {len(worth_F):,} units fire"
        say(f"{name}: {fire}; {count:,} are kept, {lost:.2f} % of what they add goes")


def pruned(bundle: Bundle, worth: Mapping[str, Tensor], units: Units) -> Contents:
    """A bundle's contents with fewer units; its scores are those of another network, and go, and so does how sure it
    is, unless all that goes never fires."""
    config = bundle.config
    story = {"before": units_of(config.architecture)._asdict(), "after": units._asdict()}
    told = {**config.info.training, "pruned": story}
    same = all(fires(worth_F) <= units.of(name) for name, worth_F in worth.items())
    sure = config.info.unsure_below if same else {}
    info = dataclasses.replace(config.info, scores=(), unsure_below=sure, training=told)
    tensors = keep(load_file(bundle.folder / MODEL), worth, units)
    return Contents(tensors, smaller(config.architecture, units), config.storage, info)


def write(bundle: Bundle, contents: Contents, tests: Sequence[Example], folder: Path, force: bool) -> Bundle:
    """Measure and write what was pruned, with the shortlist that was there."""
    tokenizer, shortlist = bundle.folder / TOKENIZER, bundle.folder / SHORTLIST
    if tests:
        with tempfile.TemporaryDirectory() as place:
            trial = write_contents(Path(place) / "trial", contents, tokenizer)
            scores, _ = measure(trial.network(), trial.tokenizer, (), tests, contents.info.search())
        contents = contents._replace(info=dataclasses.replace(contents.info, scores=scores))
    return write_contents(folder, contents, tokenizer, shortlist if shortlist.exists() else None, force)
