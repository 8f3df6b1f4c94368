"""Which bundles are served, and for which languages."""

from __future__ import annotations

import functools
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch

import models
from data.config import check
from data.errors import UserError
from models.bundle import Bundle, read_bundle
from models.device import choose_device, fast_bfloat16
from models.seq2seq import Seq2Seq
from mt_service.engine.cpu import CpuEngine
from mt_service.engine.interface import Engine, Limits
from mt_service.engine.packed import packable, products_exact, products_pay
from mt_service.engine.reference import ReferenceEngine
from mt_service.engine.worker import Worker
from mt_service.settings import Settings
from mt_service.translator import Translator

log = logging.getLogger(__name__)


def shipped_bundles() -> list[Path]:
    """The bundles that come with the program."""
    folder = Path(models.__file__).parent / "pretrained"
    return sorted(path.parent for path in folder.glob("*/config.json"))


def make_engine(bundle: Bundle, network: Seq2Seq, wish: str) -> Engine:
    """The engine that is wished for, or the fastest for this network on this machine.

    Raises:
        UserError: when the fast engine is wished for, and does not know this kind of network or processor.
    """
    fits = packable(network)
    check(
        wish != "cpu" or fits, f"engine 'cpu' does not know the network of {bundle.info.name}: take auto or reference"
    )
    check(wish != "cpu" or products_exact(), "engine 'cpu' needs a processor with VNNI or AMX: take auto or reference")
    if wish == "cpu" or (wish == "auto" and fits and products_pay()):
        return CpuEngine(network, bundle.specials, low_precision=bool(fast_bfloat16()))
    return ReferenceEngine(network, bundle.specials)


def make_translator(bundle: Bundle, settings: Settings) -> Translator:
    """A bundle made ready: weights read, engine and thread started.

    All that computes does so in the engine's thread: OpenMP keeps a pool for every thread that ever did, and no longer
    waits actively once they are more than the processors, which makes small steps several times slower.

    Raises:
        UserError: when a GPU is asked for and there is none.
    """

    @functools.cache
    def network() -> Seq2Seq:
        return bundle.network(choose_device(settings.device))

    def make() -> Engine:
        if settings.threads:
            torch.set_num_threads(settings.threads)
        return make_engine(bundle, network(), settings.engine)

    worker = Worker(make, Limits(settings.max_rows, settings.max_tokens, settings.max_queue))
    log.info("%s: %s", bundle.info.name, worker.description)
    return Translator(bundle, worker)


@dataclass
class Registry:
    """Translators by direction; the first bundle that offers a direction serves it."""

    settings: Settings
    make: Callable[[Bundle, Settings], Translator] = make_translator
    translators: list[Translator] = field(default_factory=list)

    def load(self) -> None:
        """Read all bundles, at first or anew; the old ones finish what they are at. When one is bad, nothing changes.

        Raises:
            UserError: when a bundle is missing or damaged, or there is none.
        """
        folders = [Path(folder) for folder in self.settings.bundles] or shipped_bundles()
        check(bool(folders), "there is no bundle to serve: name one with --bundle or MT_BUNDLES")
        bundles = [read_bundle(folder) for folder in folders]
        self.warn_of_duplicates(bundles)
        made: list[Translator] = []
        try:
            for bundle in bundles:
                made.append(self.make(bundle, self.settings))
        except BaseException:
            for translator in made:
                translator.worker.close()
            raise
        before, self.translators = self.translators, made
        for translator in before:
            translator.retire(self.settings.drain_seconds)

    def warn_of_duplicates(self, bundles: list[Bundle]) -> None:
        """Say which bundle wins where two offer the same direction."""
        first: dict[str, Bundle] = {}
        for bundle in bundles:
            for direction in bundle.info.directions:
                winner = first.setdefault(direction, bundle)
                if winner is not bundle:
                    log.warning(
                        "%s is offered by %s and %s; the first serves it", direction, winner.folder, bundle.folder
                    )

    def directions(self) -> dict[str, Translator]:
        """Every direction that is served, and by whom."""
        served: dict[str, Translator] = {}
        for translator in self.translators:
            for direction in translator.info.directions:
                served.setdefault(direction, translator)
        return served

    def find(self, source: str, target: str) -> Translator:
        """The translator of a direction.

        Raises:
            UserError: naming the directions there are.
        """
        served = self.directions()
        if f"{source}-{target}" not in served:
            raise UserError(f"no model translates {source} to {target}; there are: {', '.join(sorted(served))}")
        return served[f"{source}-{target}"]

    def drain(self) -> bool:
        """Take nothing new, wait for what is under way, then stop; False when not all could be finished in time."""
        end = time.monotonic() + self.settings.drain_seconds
        for translator in self.translators:
            translator.worker.drain(0)
        finished = [translator.worker.drain(max(0.0, end - time.monotonic())) for translator in self.translators]
        self.close()
        return all(finished)

    def close(self) -> None:
        """Stop at once; who still waits is told so."""
        for translator in self.translators:
            translator.worker.close()
