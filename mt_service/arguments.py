"""The flags of `mt translate`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any


def add_glossary(parser: argparse.ArgumentParser) -> None:
    """The flag for files of terms."""
    text = "terms, each 'source<TAB>target', after a line 'de<TAB>en' that names the languages; may be repeated"
    parser.add_argument("--glossary", action="append", dest="glossaries", metavar="FILE", help=text)


def add_translate(commands: Any, run: Callable[[argparse.Namespace], int]) -> None:
    """`mt translate`."""
    parser = commands.add_parser(
        "translate",
        help="translate lines from standard input or a file",
        description="N lines in, N lines out, always: empty ones stay empty, and a line may hold several sentences.\n"
        "The last line on standard error gives seconds without loading, sentences/s and output tokens/s.",
        epilog="""examples:
  echo 'Ich habe keine Zeit.' | mt translate --source de --target en
  mt translate --source de --target en --input book.de --output book.en
  mt translate --source de --target en --rerank < letter.de
  mt translate --source de --target en --html < page.de.html > page.en.html
  mt translate --source de --target en --n-best 5 --format moses < test.de > test.nbest""",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--bundle", type=Path, metavar="DIR", help="default: the bundle that ships")
    add("--source", required=True, metavar="LANGUAGE", help="of the input, such as de")
    add("--target", required=True, metavar="LANGUAGE", help="of the output, such as en")
    add("--input", type=Path, metavar="FILE", help="default: standard input")
    add("--output", type=Path, metavar="FILE", help="default: standard output")
    add("--beam", type=int, help="hypotheses kept at each step; 1 is greedy; default: the bundle's")
    add("--length-penalty", type=float, metavar="ALPHA", help="above 1 prefers longer; default: the bundle's")
    add("--n-best", type=int, default=1, metavar="N", help="translations per line (with --format json or moses)")
    add("--format", choices=["text", "json", "moses"], default="text", help="of the output; default: text")
    add(
        "--html",
        action="store_true",
        help="translate a document of HTML as a whole, and put its tags where they belong",
    )
    add("--batch", type=int, default=64, help="sentences decoded at once; default: 64")
    add("--threads", type=int, help="CPU threads; default, and 0: all processors")
    add("--device", choices=["auto", "cpu", "cuda"], help="default: a GPU when there is one")
    add("--rerank", action="store_true", help="also read hypotheses backwards: better, several times slower (beam 12)")
    add_glossary(parser)
    add("--no-split", action="store_true", help="translate each line as one sentence")
    add("--quiet", action="store_true", help="no progress on standard error")
    parser.set_defaults(run=run)
