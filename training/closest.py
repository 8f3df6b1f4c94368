"""Of a teacher's n best translations the one closest to what people wrote: sequence-level interpolation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from sacrebleu.metrics.bleu import BLEU

from data.config import check
from data.files import flush
from data.selection import progress
from training.evaluation import bleu_for
from training.nbest import Candidate, read_nbest


def write_closest(
    candidates: Path, source: Path, references: Mapping[str, Sequence[str]], language: str, target: Path
) -> None:
    """Choose a translation for each line (Kim and Rush 2016, section 3.3).

    Args:
        candidates: n-best lists as Moses writes them.
        source: the lines that were translated; named in messages.
        references: of each of these lines, in their order; where there is none, the first translation is taken.
        language: of the translations.
        target: where the chosen ones go, a line each.
    Raises:
        UserError: when a list is malformed, or missing.
    """
    lists, metric = read_nbest(candidates, source, len(references)), bleu_for(language, sentences=True)
    with target.open("w", encoding="utf-8", newline="\n") as stream:
        for (text, wanted), found in progress(zip(references.items(), lists, strict=True), f"choosing {target}"):
            check(bool(found), f"{candidates} has no translation of {text[:80]!r}")
            stream.write(closest(found, wanted, metric) + "\n")
    flush(target)


def closest(found: Sequence[Candidate], references: Sequence[str], metric: BLEU) -> str:
    """The candidate with the best sentence BLEU; the first of equals."""
    if not references:
        return found[0].text
    return max(dict.fromkeys(one.text for one in found), key=lambda text: metric.sentence_score(text, references).score)
