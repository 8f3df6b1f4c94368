"""From a run to a bundle: choose weights, tune the length penalty, measure, write, check parity.

Legend: B sentences, T target positions, D width, V vocabulary.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from data.batching import BatchingConfig
from data.config import build, check, placeless, read_toml
from data.errors import UserError
from data.fineness import limit
from data.languages import languages_of
from data.normalize import normalize
from data.prepare import Prepared
from data.tokenizer import Tokenizer
from models.bundle import TOKENIZER, Bundle, Storage, check_free
from models.config import ModelConfig
from models.hypotheses import Hypothesis, SearchOptions
from models.info import BundleInfo, Score
from models.seq2seq import Seq2Seq
from models.weights import blank_network, write_bundle
from training.average import blended, choose_weights
from training.evaluation import bleu_for, search
from training.examples import Example, bleu, dev_examples, first, read_test_set
from training.length_penalty import length_ratio, tune
from training.manifest import MANIFEST
from training.recipe_files import RECIPE
from training.run_folder import prepared_folder, read_json
from training.start import Start, check_alike, load_start
from training.telemetry import say

PARITY_SENTENCES = 500
DOUBTFUL = 0.05  # of the sentences of the dev sets, those that the network is least sure of
TOLERANCE = 0.5  # BLEU that low precision may cost in the mean of the dev sets before an export fails


@dataclass(frozen=True)
class Card:
    """What people must know of a bundle that no run knows."""

    licence: str = ""
    attribution: str = ""
    notes: tuple[str, ...] = ()


def export(arguments: argparse.Namespace) -> int:
    """Do all of `mt export`; 1 when the bundle does not translate as the network does."""
    run, folder = arguments.run_folder, arguments.bundle
    check_free(folder, arguments.force)
    recipe, manifest = read_json(run / RECIPE), read_json(run / MANIFEST)
    prepared = Prepared.load(prepared_folder(run))
    home = prepared.folder.parent.parent
    weights, origin = choose_weights(run, arguments.checkpoint, arguments.last)
    if arguments.blend is not None:
        weights, origin = blend(Start(run, prepared.folder / TOKENIZER, weights), origin, arguments.blend, home)
    network = network_of(recipe, weights, len(prepared.tokenizer))
    card = read_card(arguments.card) if arguments.card else Card()
    dev = dev_examples(prepared)
    tests = [read_test_set(text, recipe["data"]["directions"]) for text in arguments.test]
    ratio, alpha = length_ratio(prepared.tokenizer, dev), arguments.length_penalty
    SearchOptions(arguments.beam, length_penalty=1.0 if alpha is None else alpha)  # is refused before any work
    if alpha is None:
        alpha = tune(network, prepared.tokenizer, dev, SearchOptions(arguments.beam, length_ratio=ratio))
    batching = build(BatchingConfig, recipe["batching"])
    info = BundleInfo(
        name=arguments.name or recipe["name"],
        languages=tuple(recipe["data"]["languages"]),
        directions=tuple(recipe["data"]["directions"]),
        beam=arguments.beam,
        length_penalty=alpha,
        length_ratio=ratio,
        placeholders=bool(prepared.tokenizer.placeholders) and batching.symbol_rate > 0,
        training=provenance(recipe, manifest, origin, home.resolve(), prepared.manifest["config"]),
        licence=card.licence,
        attribution=card.attribution,
        notes=card.notes,
    )
    storage = arguments.storage or default_storage(recipe)
    return write_and_check(folder, network, prepared, info, dev, tests, storage, arguments.force)


def blend(mine: Start, origin: dict[str, object], text: str, home: Path) -> tuple[dict[str, Tensor], dict[str, object]]:
    """A run's weights with a share of another one's or a bundle's, from `PLACE=SHARE`; and where they come from.

    Raises:
        UserError: when it is none, or of another network or vocabulary.
    """
    place, _, number = text.rpartition("=")
    try:
        share = float(number)
    except ValueError:
        share = -1.0
    check(bool(place) and 0 < share < 1, f"--blend {text}: expected PLACE=SHARE, with a share between 0 and 1")
    other = load_start(Path(place), home, "--blend")
    check_alike("--blend", mine, other)
    return blended(mine.weights, other.weights, share), {**origin, "blended": f"{share:g} of {other.origin.name}"}


def read_card(path: Path) -> Card:
    """A card's file; UserError, naming it, when it is none."""
    try:
        return build(Card, read_toml(path))
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def default_storage(recipe: dict[str, Any]) -> Storage:
    """int8, but for a closed-form output layer: it cancels large weights against each other, and bears no rounding."""
    return "float32" if recipe["training"].get("method") == "ridge" else "int8"


def named(place: str | None) -> str | None:
    """A run's, bundle's or recipe's name alone."""
    return Path(place).name if place else None


def told_of(teacher: dict[str, Any]) -> dict[str, Any]:
    """A teacher as a recipe has it, without this machine's folders."""
    return {**teacher, "recipe": named(teacher["recipe"]), "bundle": named(teacher.get("bundle"))}


def provenance(
    recipe: dict[str, Any], manifest: dict[str, Any], origin: dict[str, object], home: Path, where: dict[str, Any]
) -> dict[str, Any]:
    """What a bundle tells of its training; the folders of corpora, and of all runs, stay this machine's own affair.

    `where` is the configuration of the data as it was prepared, since corpora may have been moved after that.
    """
    teachers = [told_of(one) for one in recipe.get("teachers", ())]
    start, data = named(recipe.get("start_from")), placeless(recipe["data"])
    sources = placeless_sources(manifest["data"]["sources"], where, home)
    return {
        **origin,
        "recipe": {**recipe, "data": data, "start_from": start, "teachers": teachers},
        **manifest,
        "data": {**manifest["data"], "sources": sources},
    }


def placeless_sources(sources: dict[str, Any], where: dict[str, Any], home: Path) -> dict[str, Any]:
    """What is known of each file, by its path from where its corpus starts; paths that are the same get numbers."""
    corpora = (*where["train"], *where["dev"].values(), *where.get("names", ()))
    roots = (Path(where["root"]), home, *(Path(where["root"], corpus.get("root", "")) for corpus in corpora))
    told = dict[str, Any]()
    for text, entry in sources.items():
        path = Path(text)
        name = str(next((path.relative_to(root) for root in roots if path.is_relative_to(root)), path))
        same = sum(known.partition(" (")[0] == name for known in told)
        told[f"{name} ({same + 1})" if same else name] = entry
    return told


def write_and_check(
    folder: Path,
    network: Seq2Seq,
    prepared: Prepared,
    info: BundleInfo,
    dev: Sequence[Example],
    tests: Sequence[Example],
    storage: Storage,
    force: bool,
) -> int:
    """Write, compare with the network, measure what was written, and write its scores down."""
    tokenizer_file = prepared.folder / TOKENIZER
    folder = folder.resolve()
    trial = folder.with_name(f".{folder.name}.trial")
    bundle = write_bundle(trial, network, tokenizer_file, info, storage, force=True)
    try:
        if not parity(network, bundle, dev, storage):
            return 1
        served = bundle.network()
        scores, unsure_below = measure(served, bundle.tokenizer, dev, tests, info.search())
        info = replace(info, scores=scores, unsure_below=unsure_below, foreign_above=finest(bundle.tokenizer, dev))
    finally:
        shutil.rmtree(trial)
    write_bundle(folder, network, tokenizer_file, info, storage, force)
    size = sum(path.stat().st_size for path in folder.iterdir())
    search = f"length penalty {info.length_penalty:g} up to {info.length_ratio:g} words per source word"
    say(f"wrote {folder}: {size / 1e6:.1f} MB, {storage}, {search}")
    return 0


def network_of(recipe: dict[str, Any], weights: dict[str, Tensor], vocabulary: int) -> Seq2Seq:
    """The trained network, for evaluation."""
    config = build(ModelConfig, {**recipe["model"], "vocabulary_size": vocabulary}, "model")
    network = blank_network(config)
    network.load_state_dict(weights, strict=False, assign=True)
    network.tie()
    return network.eval().requires_grad_(False)


def searched(network: Seq2Seq, tokenizer: Tokenizer, example: Example, options: SearchOptions) -> list[Hypothesis]:
    """Best hypotheses for an example's sentences."""
    sources = [normalize(source) for source in example.sources]
    return search(network, tokenizer, sources, example.target, options)


def translated(network: Seq2Seq, tokenizer: Tokenizer, example: Example, options: SearchOptions) -> list[str]:
    """Best translations of an example's sentences."""
    return [tokenizer.decode(one.tokens) for one in searched(network, tokenizer, example, options)]


def measure(
    network: Seq2Seq, tokenizer: Tokenizer, dev: Sequence[Example], tests: Sequence[Example], options: SearchOptions
) -> tuple[tuple[Score, ...], dict[str, float]]:
    """BLEU of each set, told as well; and how sure the network is, per direction, of most of its dev sets."""
    scores, sure = list[Score](), dict[str, list[float]]()
    for number, example in enumerate((*dev, *tests)):
        found = searched(network, tokenizer, example, options)
        scores.append(score([tokenizer.decode(one.tokens) for one in found], example, options))
        say(f"{example.name} {example.direction}: {scores[-1].metric} {scores[-1].score:.2f} | {scores[-1].signature}")
        if number < len(dev):
            sure.setdefault(example.direction, []).extend(one.per_word for one in found)
    return tuple(scores), {direction: doubtful(values) for direction, values in sure.items()}


def finest(tokenizer: Tokenizer, dev: Sequence[Example]) -> dict[str, float]:
    """Per language, the pieces a letter that hardly any source of the dev sets takes, where there are enough."""
    texts = dict[str, list[str]]()
    for example in dev:
        texts.setdefault(languages_of(example.direction)[0], []).extend(map(normalize, example.sources))
    limits = {language: limit(tokenizer, some) for language, some in texts.items()}
    return {language: one for language, one in limits.items() if one is not None}


def doubtful(sure: Sequence[float]) -> float:
    """What `DOUBTFUL` of some values are below."""
    return round(sorted(sure)[int(DOUBTFUL * len(sure))], 3)


def score(found: Sequence[str], example: Example, options: SearchOptions) -> Score:
    """BLEU with its signature."""
    metric = bleu_for(example.target)
    result = metric.corpus_score(list(found), [example.references])
    signature = str(metric.get_signature())
    return Score(
        example.name,
        example.direction,
        "BLEU",
        round(float(result.score), 2),
        signature,
        options.beam,
        options.length_penalty,
    )


def parity(network: Seq2Seq, bundle: Bundle, dev: Sequence[Example], storage: Storage) -> bool:
    """Compare the trained network with the written bundle on real sentences; say how far apart they are."""
    written, tokenizer, same_everywhere = bundle.network(), bundle.tokenizer, True
    changes: list[float] = []
    for example in (first(part, PARITY_SENTENCES) for part in dev):
        gap = logit_gap(network, written, tokenizer, example)
        options = SearchOptions(beam=1)
        mine, theirs = (translated(one, tokenizer, example, options) for one in (network, written))
        same = sum(one == other for one, other in zip(mine, theirs, strict=True))
        same_everywhere &= same == len(mine)
        changes.append(bleu(theirs, example) - bleu(mine, example))
        say(
            f"parity {example.name} {example.direction}: logits differ by at most {gap:.3f}, "
            f"{same} of {len(mine)} greedy translations are the same, BLEU changes by {changes[-1]:+.2f}"
        )
    # of one set, half a point comes and goes by chance
    good = same_everywhere if storage == "float32" else sum(changes) >= -TOLERANCE * len(changes)
    if not good:
        say(f"mt: error: the {storage} bundle does not translate as the network does; choose another --storage")
    return good


@torch.inference_mode()
def logit_gap(one: Seq2Seq, other: Seq2Seq, tokenizer: Tokenizer, example: Example) -> float:
    """The largest difference of logits over the references of some sentences, one sentence at a time."""
    target, largest = example.target, 0.0
    for source, reference in list(zip(example.sources, example.references, strict=True))[:20]:
        source_BS = torch.tensor([tokenizer.encode_source(normalize(source), target)])
        target_BT = torch.tensor([[tokenizer.bos_id, *tokenizer.encode(normalize(reference))]])
        length_B = torch.tensor([source_BS.shape[1]])
        logits = [net.logits(net(source_BS, length_B, target_BT)[0]) for net in (one, other)]
        largest = max(largest, float((logits[0] - logits[1]).abs().max()))
    return largest
