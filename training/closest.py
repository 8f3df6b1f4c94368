"""Of a teacher's n best translations the one closest to what people wrote: sequence-level interpolation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from sacrebleu.metrics.bleu import BLEU

from data.config import check
from data.files import flush
from data.prepared import Pair
from data.selection import progress
from training.evaluation import bleu_for
from training.evaluation_job import read_lines
from training.nbest import Candidate, read_nbest


def write_closest(candidates: Path, source: Path, real: Iterable[Pair], target: Path) -> None:
    """Choose a translation for each line (Kim and Rush 2016, section 3.3).

    Args:
        candidates: n-best lists as Moses writes them.
        source: the lines that were translated.
        real: pairs with these sources and their references.
        target: where the chosen ones go, a line each.
    Raises:
        UserError: when a list is malformed, or missing.
    """
    references: dict[str, list[str]] = {}
    language = ""
    for pair in real:
        language = pair.target_language
        references.setdefault(pair.source, []).append(pair.target)
    texts = read_lines(source)
    lists, metric = read_nbest(candidates, source, len(texts)), bleu_for(language, sentences=True)
    with target.open("w", encoding="utf-8", newline="\n") as stream:
        for text, found in progress(zip(texts, lists, strict=True), f"choosing {target}"):
            check(bool(found), f"{candidates} has no translation of {text[:80]!r}")
            stream.write(closest(found, references[text], metric) + "\n")
    flush(target)


def closest(found: Sequence[Candidate], references: Sequence[str], metric: BLEU) -> str:
    """The candidate with the best sentence BLEU; the first of equals."""
    return max(dict.fromkeys(one.text for one in found), key=lambda text: metric.sentence_score(text, references).score)
