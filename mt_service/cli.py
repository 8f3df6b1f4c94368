"""The command line: `mt prepare | train | diagnose | export | shortlist | translate | evaluate | score | ... | serve`.

Heavy modules are imported inside the command that needs them, so that `mt --help` answers at once.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data.errors import UserError
from mt_service.arguments import add_glossary, add_translate
from mt_service.engine.interface import EngineError

if TYPE_CHECKING:
    from training.synthesis import Wish
    from training.systems import Request

OVERRIDE = re.compile(r"[^-=][^=]*=")
OK, FAILED, WRONG_CALL, INTERRUPTED = 0, 1, 2, 130


def home() -> Path:
    """Where prepared data, runs and bundles are kept."""
    return Path(os.environ.get("MT_HOME", "workspace"))


def prepare(arguments: argparse.Namespace) -> int:
    """`mt prepare`."""
    from training.run import prepare_recipe

    check_settings(arguments)
    return prepare_recipe(arguments.recipe, arguments.overrides, home(), arguments.force, teach)


def train(arguments: argparse.Namespace) -> int:
    """`mt train`."""
    from training.run import train_recipe

    check_settings(arguments)
    return train_recipe(arguments.recipe, arguments.overrides, home(), teach)


def check_settings(arguments: argparse.Namespace) -> None:
    """Refuse bad settings now, where a recipe has teachers: days may pass before these translate by them."""
    from mt_service.settings import load_settings
    from training.teachers import in_order, load_plan

    if any(plan.lessons for plan in in_order(load_plan(arguments.recipe, arguments.overrides))):
        load_settings(os.environ)


def teach(bundle: Path, wish: Wish, source: Path, target: Path) -> None:
    """How teachers translate: as `mt translate` does, each line as one sentence, as it was trained on."""
    from mt_service.between import translate_file

    words = ["--n-best", str(wish.n_best), "--format", "moses"] if wish.n_best > 1 else []
    words += ["--rerank"] if wish.rerank else []
    translate_file(source, target, wish.direction, {"bundle": bundle, "beam": wish.beam}, ["--no-split", *words])


def answer(request: Request, bundle: Path | None) -> list[str]:
    """How `mt evaluate` translates: as `mt translate` and the server do."""
    from mt_service.between import translate_lines

    options = {"bundle": bundle, "beam": request.beam, "length-penalty": request.length_penalty}
    direction = f"{request.source}-{request.target}"
    return translate_lines(request.sources, direction, {**options, "device": request.device})


def shortlist(arguments: argparse.Namespace) -> int:
    """`mt shortlist`."""
    from training.shortlist_job import run

    return run(arguments)


def prune(arguments: argparse.Namespace) -> int:
    """`mt prune`."""
    from training.prune_job import run

    return run(arguments)


def evaluate(arguments: argparse.Namespace) -> int:
    """`mt evaluate`."""
    from training.evaluation_job import run

    return run(arguments, answer)


def score(arguments: argparse.Namespace) -> int:
    """`mt score`."""
    from training.pair_scores import run

    return run(arguments)


def rescore(arguments: argparse.Namespace) -> int:
    """`mt rescore`."""
    from training.rescore import run

    return run(arguments)


def translate(arguments: argparse.Namespace) -> int:
    """`mt translate`."""
    from mt_service.lines import run

    return run(arguments)


def serve(arguments: argparse.Namespace) -> int:
    """`mt serve`."""
    from mt_service.server import run

    return run(arguments)


def add_recipe(parser: argparse.ArgumentParser) -> None:
    """Arguments of the commands that read a recipe."""
    parser.add_argument("recipe", type=Path, metavar="RECIPE", help="a TOML file, such as training/recipes/*.toml")
    parser.add_argument(
        "overrides", nargs="*", metavar="key=value", help="change the recipe for this run: training.updates=5000"
    )


def add_prepare(commands: Any) -> None:
    """`mt prepare`."""
    parser = commands.add_parser(
        "prepare",
        help="clean parallel text and learn a vocabulary",
        description="Read the corpora of a recipe, clean them by its rules, learn a joint vocabulary, and write "
        "$MT_HOME/prepared/NAME with a manifest and a report of every line that was dropped. "
        "`mt train` does this by itself when it was not done before. Teachers that a recipe names are trained first.",
        epilog="example: mt prepare training/recipes/tatoeba-de-en.toml data.root=corpora",
    )
    add_recipe(parser)
    parser.add_argument("--force", action="store_true", help="replace other data, if no run was trained on it")
    parser.set_defaults(run=prepare)


def add_train(commands: Any) -> None:
    """`mt train`."""
    parser = commands.add_parser(
        "train",
        help="train a model by a recipe; the same command resumes",
        description="Train in $MT_HOME/runs/NAME. Interrupted by a signal or a crash, the same command goes on from "
        "the last checkpoint, to the bit. Teachers that a recipe names are trained first, and translate its training "
        "text into $MT_HOME/corpora. Several processes: torchrun --nproc-per-node 2 -m mt_service train RECIPE",
        epilog="example: mt train training/recipes/tatoeba-de-en.toml data.root=corpora training.updates=5000",
    )
    add_recipe(parser)
    parser.set_defaults(run=train)


def add_diagnose(commands: Any) -> None:
    """`mt diagnose`."""
    from training.diagnose_job import add_arguments, run

    parser = commands.add_parser(
        "diagnose",
        help="draw gradients, matrices, gates and attention of a run",
        description="Measure on dev sentences, with the weights of a checkpoint, how far back the gradients of each "
        "recurrence reach, how strong its matrices were through training, how open its gates are, and what attention "
        "looks at in a sentence. Writes RUN/diagnosis/*.png and diagnosis.json, shows the drawings in TensorBoard, and "
        "prints a table. A run that is still training may be looked at.",
        epilog="example: mt diagnose workspace/runs/tatoeba-de-en --direction de-en --sentence 'Ich habe keine Zeit.'",
    )
    add_arguments(parser)
    parser.set_defaults(run=run)


def add_export(commands: Any) -> None:
    """`mt export`."""
    from training.export_job import add_arguments, run

    parser = commands.add_parser(
        "export",
        help="write a run's weights as a checksummed bundle",
        description="Write a bundle that serves on CPU and GPU, check that it translates as the trained network does, "
        "and measure it on the dev sets.",
        epilog="example: mt export workspace/runs/tatoeba-de-en workspace/bundles/de-en --storage int8",
    )
    add_arguments(parser)
    parser.set_defaults(run=run)


def add_shortlist(commands: Any) -> None:
    """`mt shortlist`."""
    from training.arguments import add_remake

    parser = commands.add_parser(
        "shortlist",
        help="make a bundle faster: few words to choose from for each sentence",
        description="Learn from parallel text which pieces each piece is translated with, and write a copy of a bundle "
        "that looks for a sentence's translation among those alone, some hundreds instead of all. Engines for CPUs use "
        "it. Text like what will be translated is best; measure with mt evaluate what it costs there.",
        epilog="example: mt shortlist BUNDLE FASTER --text train.de train.en",
    )
    add_remake(parser)
    parser.add_argument("--most", type=int, default=100, help="pieces that one piece may become; default: 100")
    parser.set_defaults(run=shortlist)


def add_prune(commands: Any) -> None:
    """`mt prune`."""
    from training.arguments import add_remake, add_test

    parser = commands.add_parser(
        "prune",
        help="make a bundle smaller and faster: without feed-forward units that never fire",
        description="Watch which feed-forward units of a bundle fire over parallel text, and write a copy without the "
        "others. Text like what will be translated is best. With fewer units than fire, measure what it costs.",
        epilog="example: mt prune BUNDLE SMALLER --text train.de train.en --test 'dev=dev.de,dev.en,de-en'",
    )
    add_remake(parser)
    for stack in ("encoder", "decoder"):
        text = f"that each block of the {stack} keeps; default: as many as fire where the most do"
        parser.add_argument(f"--{stack}-units", type=int, metavar="N", help=text)
    add_test(parser)
    parser.set_defaults(run=prune)


def add_evaluate(commands: Any) -> None:
    """`mt evaluate`."""
    from training.evaluation_job import add_arguments

    parser = commands.add_parser(
        "evaluate",
        help="BLEU, chrF and TER of a bundle, a server or a file",
        description="Scores by sacreBLEU with signatures and 95 % confidence intervals; with a second system, a "
        "paired bootstrap test. A bundle translates as mt translate does; MT_ENGINE=reference has plain torch do it.",
        epilog="example: mt evaluate --bundle B --source test.de --reference test.en",
    )
    add_arguments(parser)
    parser.set_defaults(run=evaluate)


def add_score(commands: Any) -> None:
    """`mt score`."""
    from training.arguments import add_bundle, add_device, add_languages

    parser = commands.add_parser(
        "score",
        help="tell how probable given translations are",
        description="Print a line for each pair: the natural logarithm of the target's probability given the source, "
        "the same per token, and the tokens, separated by tabs. Low values point at pairs that are no translations.",
        epilog="example: mt score --source train.de --target train.en > scores.tsv",
    )
    add = parser.add_argument
    add_bundle(parser)
    add("--source", type=Path, required=True, metavar="FILE", help="source sentences, one a line")
    add("--target", type=Path, required=True, metavar="FILE", help="their translations, one a line")
    add_languages(parser, "target")
    add_device(parser)
    parser.set_defaults(run=score)


def add_rescore(commands: Any) -> None:
    """`mt rescore`."""
    from training.arguments import add_bundle, add_device, add_languages

    parser = commands.add_parser(
        "rescore",
        help="order n-best lists anew by what other bundles make of them",
        description="Read an n-best list in Moses format, compute how probable each bundle finds each hypothesis\n"
        "(features Joint0, Joint1, ...) and how many tokens it has (Tokens0), and order the list by the\n"
        "weighted sum of these and the list's own total (Total0). Bundles that translate back tell how probable\n"
        "the source is, given each hypothesis (Backward0, ...): what left words out is found out.",
        epilog="""Weights are 1 for Total0 and each bundle, 0.3 for each that translates back, 0 for Tokens0,
unless --weights or --weight says otherwise.
examples:
  mt translate --source en --target de --n-best 20 --format moses < dev.en > dev.nbest
  mt rescore --nbest dev.nbest --source dev.en --bundle JOINT --tune dev.de --weights weights.json > dev.out
  mt rescore --nbest test.nbest --source test.en --target-language de --bundle JOINT --weights weights.json
  mt rescore --nbest test.nbest --source test.en --target-language de --bundle BOTH --backward BOTH""",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add, reference = parser.add_argument, parser.add_mutually_exclusive_group()
    add("--nbest", type=Path, required=True, metavar="LIST", help="'number ||| hypothesis ||| features ||| total'")
    add("--source", type=Path, required=True, metavar="FILE", help="source sentences, one a line")
    add_bundle(parser, "gives each hypothesis a log-probability", many=True)
    back = "gives the source a log-probability, given a hypothesis; may be repeated"
    add("--backward", type=Path, action="append", default=[], metavar="DIR", help=back)
    add_languages(parser, "reference")
    for flag, does in (("--tune", "find the weights with the highest BLEU against"), ("--reference", "tell BLEU by")):
        reference.add_argument(flag, type=Path, metavar="FILE", help=f"{does} these translations, one a line")
    add("--weights", type=Path, metavar="JSON", help="weights to take; with --tune, the file to write")
    add("--weight", action="append", default=[], metavar="NAME=VALUE", help="of one feature; may be repeated")
    add("--format", choices=["text", "moses"], default="text", help="best hypotheses, or lists; default: text")
    add("--output", type=Path, metavar="FILE", help="default: standard output")
    add_device(parser)
    parser.set_defaults(run=rescore)


def add_serve(commands: Any) -> None:
    """`mt serve`."""
    parser = commands.add_parser(
        "serve",
        help="answer HTTP requests and show a web page",
        description="Serve bundles: POST /v1/translate, GET /v1/languages, /health/live, /health/ready, /metrics and\n"
        "a page at /. Every setting is also an environment variable: --port is MT_PORT; an unknown one, such as\n"
        "MT_HELP=1, is refused with the list of valid ones.",
        epilog="""examples:
  mt serve --host 0.0.0.0 --port 8000
  mt serve --bundle workspace/bundles/de-en --bundle workspace/bundles/fr-en
  MT_MAX_CHARACTERS=5000 MT_DEADLINE_SECONDS=10 mt serve""",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--host", help="address to listen on; default: 127.0.0.1, this machine alone")
    add("--port", type=int, help="default: 8000")
    add("--bundle", action="append", dest="bundles", metavar="DIR", help="may be repeated; default: the one that ships")
    add_glossary(parser)
    add("--threads", type=int, help="CPU threads; default, and 0: all processors")
    add("--device", choices=["auto", "cpu", "cuda"], help="default: a GPU when there is one")
    parser.set_defaults(run=serve)


def make_parser() -> argparse.ArgumentParser:
    """All commands."""
    parser = argparse.ArgumentParser(prog="mt", description="Self-hosted machine translation with recurrent networks.")
    parser.add_argument("--version", action="store_true", help="print the version and exit")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    for add in (add_prepare, add_train, add_diagnose, add_export, add_shortlist, add_prune):
        add(commands)
    add_translate(commands, translate)
    for add in (add_evaluate, add_score, add_rescore, add_serve):
        add(commands)
    return parser


def print_version() -> int:
    """`mt --version`."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        print(f"mt-service {version('mt-service')}")
    except PackageNotFoundError:
        raise UserError("mt-service is not installed, so it has no version: see README.md") from None
    return OK


def fail(message: object, code: int) -> int:
    """One sentence for whoever called."""
    if sys.stderr is not None:  # closed, and print would take standard output
        print(f"mt: error: {message}", file=sys.stderr)
    return code


def main(words: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code: 0 when all that was asked for is done, 2 for a wrong call."""
    parser = make_parser()
    arguments, others = parser.parse_known_args(words)
    if others and not (hasattr(arguments, "overrides") and all(map(OVERRIDE.match, others))):
        parser.error(f"unrecognized arguments: {' '.join(others)}")
    if others:  # key=value after a flag
        arguments.overrides += others
    try:
        if arguments.version:
            return print_version()
        if not hasattr(arguments, "run"):
            parser.print_help(sys.stderr)
            return WRONG_CALL
        return int(arguments.run(arguments))
    except UserError as error:
        return fail(error, WRONG_CALL)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains once more at exit
        return FAILED
    except OSError as error:
        what = f"{error.filename}: " if error.filename else "reading or writing failed: "
        return fail(f"{what}{error.strerror}" if error.strerror else error, FAILED)
    except EngineError as error:
        return fail(error, FAILED)


def program() -> int:
    """`mt` as a process: SIGTERM ends it as an exception does, so that no half-written file stays.

    The first process of a container heeds no signal that it has no handler for.
    """
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    if sys.argv[1:2] == ["train"]:
        from training.process import settle

        settle()
    return main()
