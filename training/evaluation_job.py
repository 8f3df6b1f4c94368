"""`mt evaluate`: arguments and orchestration; scores come from training/scoring.py."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from data.config import check
from data.corpus import all_lines
from data.files import create
from data.languages import of_file
from training.arguments import add_bundle, add_device, add_languages

if TYPE_CHECKING:
    from training.systems import ByBundle


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `mt evaluate`."""
    add = parser.add_argument
    system = parser.add_mutually_exclusive_group()
    add_bundle(system, "translate with a bundle")
    system.add_argument("--hypothesis", type=Path, metavar="FILE", help="score translations in a file")
    system.add_argument("--server", metavar="URL", help="translate through a running server")
    add("--source", type=Path, metavar="FILE", help="source sentences, one a line (not needed with --hypothesis)")
    text = "reference translations, one a line; may be repeated, and a translation may then be like any of them"
    add("--reference", type=Path, required=True, action="append", dest="references", metavar="FILE", help=text)
    add_languages(parser, "reference")
    add("--beam", type=int, help="default: the bundle's")
    add("--length-penalty", type=float, metavar="ALPHA", help="default: the bundle's")
    other = parser.add_mutually_exclusive_group()
    told = "for a paired bootstrap test"
    other.add_argument("--compare", type=Path, metavar="FILE", help=f"translations of a second system, {told}")
    other.add_argument("--compare-bundle", type=Path, metavar="DIR", help=f"a second bundle, {told}")
    add("--output", type=Path, metavar="FILE", help="write the translations there")
    add_device(parser)
    add("--json", action="store_true", help="print JSON instead of a table")


NO_LANGUAGES = ("txt", "text", "tsv", "csv", "json", "out", "hyp", "ref", "src", "tok", "trans")  # but other suffixes


def language(given: str | None, path: Path, flag: str, needed: bool = True) -> str:
    """A language from its flag, or from a file's suffix; empty when there is none and it is not needed."""
    suffix = of_file(path)
    found = given or (suffix if suffix not in NO_LANGUAGES else "")
    check(bool(found) or not needed, f"say the language with {flag}: {path} has no suffix like .de")
    return found


def run(arguments: argparse.Namespace, by_bundle: ByBundle) -> int:
    """Translate if need be, score, print.

    Args:
        arguments: of `mt evaluate`.
        by_bundle: how bundles translate.
    """
    from training.scoring import report_json, report_table, score_all
    from training.systems import Request, translations

    check_place(arguments.output)
    reference, references = arguments.references[0], list(map(all_lines, arguments.references))
    count = len(references[0])
    check(count > 0, f"{reference} is empty: there is nothing to score")
    for path, lines in zip(arguments.references, references, strict=True):
        same_length(path, len(lines), reference, count)
    translating = arguments.hypothesis is None or arguments.compare_bundle is not None
    target = language(arguments.target_language, reference, "--target-language", needed=translating)
    request = None
    if translating:
        check(arguments.source is not None, "--source is needed to translate; or give --hypothesis")
        sources = all_lines(arguments.source)
        same_length(arguments.source, len(sources), reference, count)
        origin = language(arguments.source_language, arguments.source, "--source-language")
        request = Request(sources, origin, target, arguments.beam, arguments.length_penalty, arguments.device)
    hypotheses = translations(request, arguments.hypothesis, arguments.server, arguments.bundle, by_bundle)
    same_length(arguments.hypothesis or "the system", len(hypotheses), reference, count)
    other = None
    if arguments.compare is not None or arguments.compare_bundle is not None:
        other = translations(request, arguments.compare, None, arguments.compare_bundle, by_bundle)
        same_length(arguments.compare or arguments.compare_bundle, len(other), reference, count)
    if arguments.output:
        with create(arguments.output) as stream:
            stream.write("".join(line + "\n" for line in hypotheses).encode())
    report = score_all(hypotheses, references, other, target)
    print(report_json(report) if arguments.json else report_table(report))
    return 0


def check_place(output: Path | None) -> None:
    """Refuse, before any work, a file to write whose folder is not there."""
    there = output is None or output.resolve().parent.is_dir()
    check(there, f"--output {output}: there is no such folder")


def same_length(one: Path | str, one_lines: int, other: Path | str, other_lines: int) -> None:
    """Refuse files whose lines do not pair."""
    check(one_lines == other_lines, f"{one} has {one_lines} lines, but {other} has {other_lines}: they do not pair")
