"""Every recurrent family on the same captions, with as many parameters and as many minutes each.

usage: python benchmarks/families.py RECIPE ROOT [--minutes 10] [--families NAME ...] [--plot FILE]

RECIPE names data and vocabulary, ROOT is the folder of its corpora. Widths are chosen so that each network has about as
many parameters as the first one; updates so that they fill the minutes at the speed of a short try, which the learning
rate's schedule then spans. Prints JSON: BLEU on the dev set (greedy and beam 5), target tokens/s in training, and
milliseconds a sentence takes to translate alone, greedily, by the reference engine on one thread.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from data.prepare import Prepared, prepare
from models.config import ModelConfig
from models.seq2seq import Seq2Seq
from training.config import Recipe, load_recipe
from training.device import hardware
from training.distributed import World
from training.evaluation import dev_bleu, translate
from training.manifest import git_state, versions
from training.ridge_trainer import RidgeTrainer
from training.trainer import Trainer

PLAIN = (
    "model.dropout.residual=0.1 model.dropout.embedding=0.1 model.dropout.word=0 model.dropout.recurrent=0 "
    "batching.sampling=0 optimizer.decay_fraction=0.5 training.ema_decay=0.99 training.dev_sentences=1 "
    "training.checkpoint_minutes=0 training.checkpoint_every=1000000 training.log_every=100"
)
CLASSIC = "model.decoder.bridge=ends"
FAMILIES = {  # overrides of the recipe; the first is what the others' sizes are measured by
    "LSTM, deep bidirectional": "",
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
    f"{CLASSIC} model.tie=none training.method=ridge model.width=704 model.encoder.hidden=352 model.decoder.hidden=704",
    "Cho 2014: GRU, fixed context": "model.encoder.cell=gru_cho model.decoder.cell=gru_cho model.attention.kind=fixed "
    f"model.encoder.bidirectional=false {CLASSIC}",
    "Sutskever 2014: deep LSTM, reversed": "model.attention.kind=none model.encoder.bidirectional=false "
    f"model.encoder.reverse_source=true {CLASSIC}",
}
SIZES = range(16, 2049, 16)
PILOT, LONE = 12.0, 100  # seconds of a try, sentences that are translated alone


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
    sized = min((with_hidden(model, hidden) for hidden in SIZES), key=lambda one: abs(size_of(one) - parameters))
    return dataclasses.replace(recipe, model=sized)


def with_updates(recipe: Recipe, updates: int) -> Recipe:
    """The recipe with so many updates, evaluated at the end."""
    warmup = min(recipe.optimizer.warmup, max(1, updates // 10))
    training = dataclasses.replace(recipe.training, updates=updates, evaluate_every=updates)
    return dataclasses.replace(
        recipe, training=training, optimizer=dataclasses.replace(recipe.optimizer, warmup=warmup)
    )


def updates_in(recipe: Recipe, prepared: Prepared, seconds: float) -> int:
    """How many updates fit, by the speed of a try."""
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(with_updates(recipe, 10**6), Path(folder), prepared, World())
        trainer.network.train()
        for _ in range(3):
            trainer.step()
        count, started = 0, time.perf_counter()
        while (spent := time.perf_counter() - started) < PILOT:
            trainer.step()
            count += 1
    return max(20, round(seconds * count / spent))


def learn(recipe: Recipe, prepared: Prepared, seconds: float, folder: Path) -> tuple[Seq2Seq, dict[str, Any]]:
    """Train; return the network with its averaged weights, and how fast it went."""
    if recipe.training.method == "ridge":
        ridge, started = RidgeTrainer(recipe, folder, prepared, World()), time.perf_counter()
        ridge.run()
        return ridge.network, {"seconds": round(time.perf_counter() - started), "updates": 0, "tokens_per_second": None}
    trainer = Trainer(with_updates(recipe, updates_in(recipe, prepared, seconds)), folder, prepared, World())
    trainer.run()
    if trainer.average is not None:
        trainer.average.swap(trainer.network)
    rate = round(trainer.tokens / trainer.seconds)
    return trainer.network, {"seconds": round(trainer.seconds), "updates": trainer.update, "tokens_per_second": rate}


@torch.inference_mode()
def milliseconds_alone(network: Seq2Seq, prepared: Prepared, direction: str) -> float:
    """The median time of a sentence alone on one thread."""
    from models.hypotheses import SearchOptions

    threads, times = torch.get_num_threads(), list[float]()
    torch.set_num_threads(1)
    pairs = [pair for dev in prepared.dev.values() for pair in dev if pair.direction == direction]
    for pair in pairs[:LONE]:
        started = time.perf_counter()
        translate(network, prepared.tokenizer, [pair.source], pair.target_language, SearchOptions(beam=1))
        times.append(time.perf_counter() - started)
    torch.set_num_threads(threads)
    return round(1000 * statistics.median(times), 1)


def measure(recipe: Recipe, prepared: Prepared, seconds: float) -> dict[str, Any]:
    """All figures of one family."""
    with tempfile.TemporaryDirectory() as folder:
        network, facts = learn(recipe, prepared, seconds, Path(folder) / "runs" / recipe.name)
    network.float().eval()
    directions = recipe.data.directions
    scores = {}
    for name, beam in (("greedy", 1), ("beam 5", 5)):
        (scores[name],) = dev_bleu(network, prepared, directions, 0, beam).values()
    return {
        "parameters": network.output_weight.numel() if recipe.training.method == "ridge" else size_of(recipe.model),
        "hidden": [recipe.model.encoder.hidden, recipe.model.decoder.hidden],
        **facts,
        **{f"bleu, {name}": round(score, 2) for name, score in scores.items()},
        "ms_per_sentence": milliseconds_alone(network, prepared, directions[0]),
    }


def draw(rows: dict[str, dict[str, Any]], path: Path) -> None:
    """BLEU against what a sentence costs."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(9, 5.5), layout="constrained")
    times = [row["ms_per_sentence"] for row in rows.values()]
    late = min(times) + 0.7 * (max(times) - min(times))  # names of points beyond it stand at their left
    for name, row in rows.items():
        place, right = (row["ms_per_sentence"], row["bleu, beam 5"]), row["ms_per_sentence"] > late
        axes.plot(*place, "o", color="#0072B2")
        offset, side = (-6, 5) if right else (6, 5), "right" if right else "left"
        axes.annotate(name, place, xytext=offset, textcoords="offset points", fontsize=8, ha=side)
    axes.set(xlabel="milliseconds a sentence alone, greedy, one thread", ylabel="dev BLEU, beam 5")
    axes.margins(x=0.1, y=0.1)
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=120)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", type=Path)
    parser.add_argument("root", type=Path)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--families", nargs="+", default=list(FAMILIES), metavar="NAME")
    parser.add_argument("--plot", type=Path)
    arguments = parser.parse_args()
    rows: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as folder:
        common = [f"data.root={arguments.root}", *PLAIN.split()]
        recipe = load_recipe(arguments.recipe, common)
        prepared = prepare(recipe.data, Path(folder) / "prepared", recipe.seed)
        vocabulary = len(prepared.tokenizer)
        parameters = size_of(dataclasses.replace(recipe.model, vocabulary_size=vocabulary))
        for name in arguments.families:
            one = load_recipe(arguments.recipe, [*common, *FAMILIES[name].split()])
            rows[name] = measure(fitted(one, vocabulary, parameters), prepared, arguments.minutes * 60)
            print(name, rows[name], file=sys.stderr)
    if arguments.plot:
        draw(rows, arguments.plot)
    facts = {"recipe": arguments.recipe.name, "minutes": arguments.minutes, "hardware": hardware()}
    print(json.dumps({"families": rows, **facts, "versions": versions(), "git": git_state()}, indent=2))


if __name__ == "__main__":
    main()
