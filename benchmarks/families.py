"""Every recurrent family on the same captions, with as many parameters and as many minutes each.

usage: python benchmarks/families.py RECIPE ROOT [--minutes 2] [--families NAME ...] [--output FILE] [--page FILE]

RECIPE names data and vocabulary, ROOT is the folder of its corpora. Widths are chosen so that each network has about as
many parameters as the first one. Each trains for the minutes asked for, over which the learning rate's schedule spans.
Measured are BLEU on the dev set (greedy and beam 5), target tokens/s in training, and the milliseconds that a sentence
takes alone, greedily, by the reference engine on one thread. The joint model judges n-best lists of the first family.

Writes the results (JSON) after each family; killed and started again at the same commit it goes on with the next one.
At the end it puts table and drawing into docs/families.md.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import statistics
import sys
import tempfile
import time
from bisect import bisect_left
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from family_report import BEAM, GREEDY, LONE_TIME, refresh
from family_rescoring import judged, lists_of
from tqdm import tqdm

from data.config import check
from data.errors import UserError
from data.files import write_json, write_text
from data.prepare import Pair, Prepared, prepare
from models.config import ModelConfig
from models.hypotheses import SearchOptions
from models.seq2seq import Seq2Seq
from training.config import Recipe, TrainingConfig, load_recipe
from training.device import choose, hardware
from training.distributed import World
from training.evaluation import bleu_for, dev_pairs, translate
from training.manifest import git_state, versions
from training.nbest import moses, read_nbest
from training.ridge_trainer import RidgeTrainer
from training.telemetry import duration, say
from training.trainer import Trainer

PLAIN = (
    "model.dropout.residual=0.1 model.dropout.embedding=0.1 model.dropout.word=0 model.dropout.recurrent=0 "
    "batching.tokens=1536 batching.sampling=0 optimizer.decay_fraction=0.5 training.ema_decay=0.99 "
    "training.dev_sentences=1 training.checkpoint_minutes=0 training.checkpoint_every=1000000 training.log_every=100"
)
CLASSIC = "model.decoder.bridge=ends"
FIRST, JOINT = "LSTM, deep bidirectional", "Joint language and translation model"
FAMILIES = {  # overrides of the recipe; the first is what the others' sizes are measured by
    FIRST: "",
    "LSTM, one direction": "model.encoder.bidirectional=false",
    "GRU": "model.encoder.cell=gru model.decoder.cell=gru",
    "GRU, Cho's form": "model.encoder.cell=gru_cho model.decoder.cell=gru_cho",
    "SRN (Elman), tanh": "model.encoder.cell=srn model.decoder.cell=srn",
    "SRN, rectified": "model.encoder.cell=srn_relu model.decoder.cell=srn_relu optimizer.rate=0.001",
    "SSRU": "model.encoder.cell=ssru model.decoder.cell=ssru",
    "minGRU": "model.encoder.cell=mingru model.decoder.cell=mingru",
    "Clockwork RNN": "model.encoder.cell=clockwork model.decoder.cell=clockwork",
    "Echo state encoder, LSTM decoder": "model.encoder.cell=esn",
    "Echo state network, ridge read-out": "model.encoder.cell=esn model.decoder.cell=esn model.attention.kind=fixed "
    f"{CLASSIC} model.tie=none training.method=ridge training.dev_sentences=200 "
    "model.width=704 model.encoder.hidden=352 model.decoder.hidden=704",
    "Cho 2014: GRU, fixed context": "model.encoder.cell=gru_cho model.decoder.cell=gru_cho model.attention.kind=fixed "
    f"model.encoder.bidirectional=false {CLASSIC}",
    "Sutskever 2014: deep LSTM, reversed": "model.attention.kind=none model.encoder.bidirectional=false "
    f"model.encoder.reverse_source=true {CLASSIC}",
    JOINT: "model.encoder.layers=0 model.attention.kind=mean model.decoder.attention_blocks=all",
}
SIZES = range(16, 2049, 16)
RATIO = 1.5  # words per source word, plus ten, at which translations are cut: poor networks hardly find an end
LONE = 50  # sentences that are translated alone
LIMIT = 10**6  # updates, before the first one tells how long they take
GUESS = 30.0  # seconds that a family takes beside its training, before the first one tells
HERE = Path(__file__).parent
RESULTS, PAGE = HERE / "results", HERE.parent / "docs" / "families.md"


def size_of(model: ModelConfig) -> int:
    """Numbers that training may change."""
    with torch.device("meta"):
        return sum(part.numel() for part in Seq2Seq(model).parameters())


def with_hidden(model: ModelConfig, hidden: int) -> ModelConfig:
    """Cells of another size: as wide in the decoder as all directions of the encoder together."""
    share = hidden // 2 if model.encoder.bidirectional else hidden
    encoder, decoder = (
        dataclasses.replace(model.encoder, hidden=share),
        dataclasses.replace(model.decoder, hidden=hidden),
    )
    return dataclasses.replace(model, encoder=encoder, decoder=decoder)


def fitted(recipe: Recipe, vocabulary: int, parameters: int) -> Recipe:
    """The recipe with cells as wide as its parameters allow; where the output layer alone is learned, as it is."""
    model = dataclasses.replace(recipe.model, vocabulary_size=vocabulary)
    if recipe.training.method == "ridge":
        return dataclasses.replace(recipe, model=model)
    above = bisect_left(SIZES, parameters, key=lambda hidden: size_of(with_hidden(model, hidden)))
    near = SIZES[max(0, above - 2) : above + 3]  # sizes dip where cells are as wide as the model and need no projection
    sized = min((with_hidden(model, hidden) for hidden in near), key=lambda one: abs(size_of(one) - parameters))
    return dataclasses.replace(recipe, model=sized)


def with_updates(recipe: Recipe, updates: int) -> Recipe:
    """The recipe with so many updates, evaluated at the end."""
    warmup = min(recipe.optimizer.warmup, max(1, updates // 10))
    training = dataclasses.replace(recipe.training, updates=updates, evaluate_every=updates)
    return dataclasses.replace(
        recipe, training=training, optimizer=dataclasses.replace(recipe.optimizer, warmup=warmup)
    )


def train_for(recipe: Recipe, prepared: Prepared, seconds: float, folder: Path, title: str) -> Trainer:
    """Train for so many seconds of updates; the rate's schedule spans as many as fit by the speed seen so far."""
    trainer = Trainer(with_updates(recipe, LIMIT), folder, prepared, World())
    trainer.network.train()
    with tqdm(total=round(seconds), desc=title, unit="s", file=sys.stderr) as progress:
        while trainer.seconds < seconds:
            started = time.perf_counter()
            trainer.step()
            trainer.seconds += time.perf_counter() - started
            fitting = round(trainer.update * seconds / trainer.seconds)
            trainer.recipe = with_updates(recipe, max(fitting, trainer.update + 1))
            progress.update(min(round(trainer.seconds), round(seconds)) - progress.n)
    return trainer


def learn(
    recipe: Recipe, prepared: Prepared, seconds: float, folder: Path, title: str
) -> tuple[Seq2Seq, dict[str, Any]]:
    """Train; return the network with its averaged weights, and how fast it went."""
    if recipe.training.method == "ridge":
        ridge, started = RidgeTrainer(recipe, folder, prepared, World()), time.perf_counter()
        ridge.run()
        return ridge.network, {"seconds": round(time.perf_counter() - started), "updates": 0, "tokens_per_second": None}
    trainer = train_for(recipe, prepared, seconds, folder, title)
    if trainer.average is not None:
        trainer.average.swap(trainer.network)
    rate = round(trainer.tokens / trainer.seconds)
    return trainer.network, {"seconds": round(trainer.seconds), "updates": trainer.update, "tokens_per_second": rate}


def dev_of(recipe: Recipe, prepared: Prepared) -> list[Pair]:
    """All dev sentences of the recipe's first direction."""
    return [pair for pairs in dev_pairs(prepared, recipe.data.directions[:1], 0).values() for pair in pairs]


@torch.inference_mode()
def milliseconds_alone(network: Seq2Seq, prepared: Prepared, pairs: Sequence[Pair]) -> float:
    """The median time of a sentence alone on one thread."""
    threads, times, options = torch.get_num_threads(), list[float](), SearchOptions(beam=1, max_ratio=RATIO)
    torch.set_num_threads(1)
    for pair in pairs[:LONE]:
        started = time.perf_counter()
        translate(network, prepared.tokenizer, [pair.source], pair.target_language, options)
        times.append(time.perf_counter() - started)
    torch.set_num_threads(threads)
    return round(1000 * statistics.median(times), 1)


def translating(network: Seq2Seq, prepared: Prepared, pairs: Sequence[Pair]) -> dict[str, Any]:
    """How well and how fast a network translates."""
    target, references = pairs[0].target_language, [pair.target for pair in pairs]
    scores = {}
    for key, beam in ((GREEDY, 1), (BEAM, 5)):
        options = SearchOptions(beam=beam, max_ratio=RATIO)
        found = translate(network, prepared.tokenizer, [pair.source for pair in pairs], target, options)
        scores[key] = round(float(bleu_for(target).corpus_score(found, [references]).score), 2)
    return {**scores, LONE_TIME: milliseconds_alone(network, prepared, pairs)}


def measure(name: str, recipe: Recipe, prepared: Prepared, seconds: float, lists: Path, title: str) -> dict[str, Any]:
    """All figures of one family; the first one also leaves its n-best lists, which the joint model judges."""
    with tempfile.TemporaryDirectory() as folder:
        network, facts = learn(recipe, prepared, seconds, Path(folder) / "runs" / recipe.name, title)
    network.float().eval()
    started, pairs = time.perf_counter(), dev_of(recipe, prepared)
    if name == JOINT:
        proposed = read_nbest(lists, Path("the dev set"), len(pairs))
        found = {"rescoring": {"lists_of": FIRST, **judged(network, prepared.tokenizer, pairs, proposed)}}
    else:
        found = translating(network, prepared, pairs)
    if name == FIRST:
        write_text(lists, moses(lists_of(network, prepared.tokenizer, pairs, RATIO)))
    bag = recipe.model.encoder.layers == 0
    return {
        "parameters": network.output_weight.numel() if recipe.training.method == "ridge" else size_of(recipe.model),
        "hidden": [0 if bag else recipe.model.encoder.hidden, recipe.model.decoder.hidden],
        **facts,
        **found,
        "evaluation_seconds": round(time.perf_counter() - started),
    }


def begun(output: Path, facts: dict[str, Any]) -> dict[str, Any]:
    """The results to go on with: those in the file, or none yet.

    Raises:
        UserError: when the file holds figures of something else.
    """
    if not output.exists():
        check(output.parent.is_dir(), f"cannot write {output}: there is no folder {output.parent}")
        return {"families": {}, **facts}
    tree: dict[str, Any] = json.loads(output.read_text(encoding="utf-8"))
    differing = ", ".join(key for key in facts if tree.get(key) != facts[key])
    check(not differing, f"{output} holds another comparison ({differing} differ): name another --output, or remove it")
    return tree


def compare(arguments: argparse.Namespace, tree: dict[str, Any]) -> None:
    """Measure the families that the results lack; write them after each."""
    seconds, rows, lists = arguments.minutes * 60, tree["families"], arguments.output.with_suffix(".nbest")
    missing = [name for name in arguments.families or FAMILIES if name not in rows]
    common, started = [f"data.root={arguments.root}", *PLAIN.split()], time.monotonic()
    check(
        JOINT not in missing or FIRST in missing or lists.is_file(),
        f"'{JOINT}' judges lists of '{FIRST}' that are not there: measure both by one command",
    )
    with tempfile.TemporaryDirectory() as folder:
        recipe = load_recipe(arguments.recipe, common)
        prepared = prepare(recipe.data, Path(folder) / "prepared", recipe.seed)
        vocabulary = len(prepared.tokenizer)
        parameters = size_of(dataclasses.replace(recipe.model, vocabulary_size=vocabulary))
        for done, name in enumerate(missing):
            each = (time.monotonic() - started) / done if done else seconds + GUESS
            title = f"{done + 1} of {len(missing)}, {name}"
            say(f"{title}: all are done in about {duration(each * (len(missing) - done))}")
            one = fitted(load_recipe(arguments.recipe, [*common, *FAMILIES[name].split()]), vocabulary, parameters)
            rows[name] = measure(name, one, prepared, seconds, lists, title)
            tree["families"] = {known: rows[known] for known in FAMILIES if known in rows}
            write_json(arguments.output, tree)
    if rows.keys() == FAMILIES.keys():
        lists.unlink(missing_ok=True)


def main() -> None:
    """Measure, write, draw."""
    today = datetime.now(UTC).date().isoformat()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", type=Path)
    parser.add_argument("root", type=Path)
    parser.add_argument("--minutes", type=float, default=2.0, help="of updates, for each family (default: 2)")
    parser.add_argument("--families", nargs="+", choices=list(FAMILIES), metavar="NAME", help="some of them alone")
    parser.add_argument("--output", type=Path, default=RESULTS / f"{today}-families.json")
    parser.add_argument("--page", type=Path, help="default: docs/families.md, once all families are measured")
    arguments = parser.parse_args()
    facts = {
        "recipe": arguments.recipe.name,
        "minutes": arguments.minutes,
        "precision": str(choose(TrainingConfig()).precision).removeprefix("torch."),
        "hardware": hardware(),
        "versions": versions(),
        "git": git_state(),
    }
    try:
        tree = begun(arguments.output, facts)
        compare(arguments, tree)
        whole = tree["families"].keys() == FAMILIES.keys()
        page = arguments.page or (PAGE if whole else None)
        if page is not None:
            refresh(page, tree, arguments.output)
    except UserError as error:
        parser.error(str(error))
    say(f"wrote {arguments.output}{f', {page} and its drawing' if page else ''}")


if __name__ == "__main__":
    main()
