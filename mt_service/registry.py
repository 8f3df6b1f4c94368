"""Which bundles are served, and for which languages."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from data.config import check
from data.errors import UserError
from data.glossary import Glossary, read_glossaries
from data.languages import turned
from models.bundle import (
    SUMS,
    Bundle,
    read_bundle,
    shipped_bundles,
    shipped_dictionaries,
    shipped_glossaries,
    verify_sums,
)
from models.cores import available_cores, set_threads
from models.device import choose_device
from models.native.compiler import UnavailableError
from mt_service.engine.interface import Engine, Limits
from mt_service.engine.native.engine import NativeEngine
from mt_service.engine.native.pack import fits
from mt_service.engine.worker import Worker
from mt_service.settings import Settings
from mt_service.translator import Translator

log = logging.getLogger(__name__)
ROWS = {"cpu": 256, "cuda": 1280}  # hypotheses at once, where the settings leave it open


def device_of(settings: Settings) -> str:
    """Where an engine computes: the one for GPUs asks for a GPU, whatever the device is set to.

    Raises:
        UserError: when a GPU is asked for and there is none.
    """
    return choose_device("cuda" if settings.engine == "cuda" else settings.device)


def make_engine(bundle: Bundle, settings: Settings) -> Engine:
    """The engine that is wished for, or the fastest for this bundle on this machine.

    All that computes does so in the thread that calls this: OpenMP keeps a pool for every thread that ever did, and no
    longer waits actively once they are more than the processors, which makes small steps several times slower.

    Raises:
        UserError: when the compiled engine is wished for and cannot be had, when a GPU is asked for and there is none,
            or when the bundle's tensors are not those of its architecture.
    """
    obstacle = "its network is of a kind that only the reference knows"
    on_cpu = device_of(settings) == "cpu"
    if settings.engine in ("auto", "cuda") and not on_cpu and fits(bundle.config.architecture):
        return make_cuda(bundle)
    if settings.engine in ("auto", "native") and on_cpu and fits(bundle.config.architecture):
        try:
            return NativeEngine(bundle, settings.threads or available_cores())
        except UnavailableError as error:
            obstacle = f"{error}; install one, such as gcc"
    check(settings.engine != "native" or on_cpu, "engine 'native' computes on the CPU: set the device to cpu")
    wished = settings.engine not in ("native", "cuda")
    check(wished, f"engine '{settings.engine}' cannot serve {bundle.info.name}: {obstacle}")
    if settings.engine == "auto":
        log.warning("%s is translated slowly, by the reference engine: %s", bundle.info.name, obstacle)
    return make_reference(bundle, settings)


def make_cuda(bundle: Bundle) -> Engine:
    """The engine for GPUs, in half precision."""
    import torch

    from mt_service.engine.cuda import CudaEngine

    return CudaEngine(bundle.network("cuda").to(torch.float16), bundle.specials)


def make_reference(bundle: Bundle, settings: Settings) -> Engine:
    """The engine in torch, which is imported only now."""
    from mt_service.engine.reference import ReferenceEngine

    set_threads(settings.threads)
    return ReferenceEngine(bundle.network(choose_device(settings.device)), bundle.specials, bundle.shortlist)


def unaltered(bundle: Bundle, settings: Settings) -> Callable[[], Engine]:
    """What makes the engine of a bundle, and makes it anew only while the folder holds what it held at first: of the
    bundle, all but the weights stays in memory, and would not fit others.

    Raises, when called: UserError, when it holds something else, and as make_engine.
    """
    sums, again = (bundle.folder / SUMS).read_bytes(), False

    def make() -> Engine:
        nonlocal again
        if again:
            verify_sums(bundle.folder)
            same = (bundle.folder / SUMS).read_bytes() == sums
            check(same, f"{bundle.folder} holds another bundle than was loaded: reload the bundles, or start anew")
        again = True
        return make_engine(bundle, settings)

    return make


def make_translator(bundle: Bundle, settings: Settings) -> Translator:
    """A bundle made ready: weights read, engine and thread started.

    Raises:
        UserError: as make_engine.
    """
    rows = settings.max_rows or ROWS[device_of(settings)]
    limits = Limits(rows, settings.max_tokens, settings.max_queue)
    worker = Worker(unaltered(bundle, settings), limits)
    log.info("%s: %s", bundle.info.name, worker.description)
    return Translator(bundle, worker)


def first_of_each(translators: Sequence[Translator]) -> dict[str, Translator]:
    """The first translator of each direction."""
    found: dict[str, Translator] = {}
    for translator in translators:
        for direction in translator.info.directions:
            found.setdefault(direction, translator)
    return found


@dataclass
class Registry:
    """Translators by direction; the first bundle that offers a direction serves it."""

    settings: Settings
    make: Callable[[Bundle, Settings], Translator] = make_translator
    translators: list[Translator] = field(default_factory=list)
    retiring: list[Translator] = field(default_factory=list)  # that were replaced, until they have stopped
    loading: threading.Lock = field(default_factory=threading.Lock)

    def load(self) -> None:
        """Read all bundles, at first or anew; the old ones finish what they are at. When one is bad, nothing changes.

        Who asks while others load waits for them, so that each retires what the one before it loaded.

        Raises:
            UserError: when a bundle is missing or damaged, or there is none.
        """
        with self.loading:
            made, before = self.make_all(), self.translators
            self.retiring += before
            self.translators = made
            for translator in before:  # nobody waits for it, so all may end
                translator.retire(self.settings.deadline_seconds, partial(self.retiring.remove, translator))

    def make_all(self) -> list[Translator]:
        """Translators of all bundles, or of none."""
        folders = [Path(folder) for folder in self.settings.bundles] or shipped_bundles()
        check(bool(folders), "there is no bundle to serve: name one with --bundle or MT_BUNDLES")
        bundles = [read_bundle(folder) for folder in folders]
        self.warn_of_duplicates(bundles)
        glossaries = self.glossaries({name for bundle in bundles for name in bundle.info.directions})
        made: list[Translator] = []
        try:
            for bundle in bundles:
                made.append(self.make(bundle, self.settings))
            for direction, translator in first_of_each(made).items():
                translator.follow(direction, glossaries.get(direction, ()))
        except BaseException:
            for translator in made:
                translator.worker.close()
            raise
        return made

    def glossaries(self, served: Collection[str]) -> dict[str, list[Glossary]]:
        """The glossaries that the settings name, by direction, and those that come along with the bundles that do.

        Raises:
            UserError: for a bad one, or one between languages that nothing translates.
        """
        shipped, looked_up = ([], []) if self.settings.bundles else (shipped_glossaries(), shipped_dictionaries())
        found = read_glossaries([*map(Path, self.settings.glossaries), *shipped], looked_up)
        for direction, some in found.items():
            used = direction in served or turned(direction) in served
            check(used, f"a glossary is for {direction}, but there are only: {', '.join(sorted(served))}")
            if direction in served:
                log.info("glossaries for %s: %d terms", direction, sum(len(one.terms) for one in some))
        return found

    def warn_of_duplicates(self, bundles: list[Bundle]) -> None:
        """Say which bundle wins where two offer the same direction, and which have one name."""
        first, called = dict[str, Bundle](), dict[str, Bundle]()
        for bundle in bundles:
            name = bundle.info.name
            namesake = called.setdefault(name, bundle)
            if namesake is not bundle:
                both = namesake.folder, bundle.folder
                log.warning("%s and %s are both called %s: metrics number them; export one with --name", *both, name)
            for direction in bundle.info.directions:
                winner = first.setdefault(direction, bundle)
                if winner is not bundle:
                    log.warning(
                        "%s is offered by %s and %s; the first serves it", direction, winner.folder, bundle.folder
                    )

    def directions(self) -> dict[str, Translator]:
        """Every direction that is served, and by whom."""
        return first_of_each(self.translators)

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
        end, workers = time.monotonic() + self.settings.drain_seconds, self.workers()
        for worker in workers:
            worker.drain(0)
        finished = [worker.drain(max(0.0, end - time.monotonic())) for worker in workers]
        self.close()
        return all(finished)

    def close(self) -> None:
        """Stop at once; who still waits is told so."""
        for worker in self.workers():
            worker.close()

    def workers(self) -> list[Worker]:
        """Those of all translators, and of those that were replaced and have not stopped yet."""
        return [translator.worker for translator in (*self.retiring, *self.translators)]
