"""BLEU as papers on Multi30k state it, beside sacreBLEU's own tokenisation.

usage: python benchmarks/paper_bleu.py HYPOTHESES REFERENCES LANGUAGE   (pip install sacremoses)

Most papers report BLEU of text that Moses' scripts normalised, tokenised and lower-cased. For German that is close to
tokenisation 13a; French gets more tokens by it ("l'" is one of its own), which match more often. Prints JSON.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import sacremoses
from sacrebleu.metrics import BLEU

from data.corpus import all_lines
from data.errors import UserError
from training.evaluation_job import same_length


def scored(metric: BLEU, hypotheses: list[str], references: list[str]) -> dict[str, str | float]:
    """A score with its signature."""
    score = metric.corpus_score(hypotheses, [references]).score
    return {"bleu": round(score, 2), "signature": str(metric.get_signature())}


def main() -> None:
    """Read the arguments, score, print."""
    parser = argparse.ArgumentParser(description="BLEU as papers on Multi30k state it.")
    parser.add_argument("hypotheses", type=Path)
    parser.add_argument("references", type=Path)
    parser.add_argument("language")
    arguments = parser.parse_args()
    try:
        hypotheses, references = all_lines(arguments.hypotheses), all_lines(arguments.references)
        same_length(arguments.hypotheses, len(hypotheses), arguments.references, len(references))
    except UserError as error:
        parser.error(str(error))
    normalizer = sacremoses.MosesPunctNormalizer(arguments.language)
    tokenizer = sacremoses.MosesTokenizer(arguments.language)

    def as_papers(text: str) -> str:
        return str(tokenizer.tokenize(normalizer.normalize(text).lower(), escape=False, return_str=True))

    tokenized = [[as_papers(line) for line in lines] for lines in (hypotheses, references)]
    by_moses = scored(BLEU(tokenize="none", force=True), *tokenized)
    results = {
        "cased": scored(BLEU(), hypotheses, references),
        "lower": scored(BLEU(lowercase=True), hypotheses, references),
        "papers": {**by_moses, "tokenized_by": f"sacremoses {sacremoses.__version__}, normalised, lower-cased"},
    }
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
