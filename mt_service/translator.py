"""Text to ids and back: the only place that knows both.

A text is split into sentences; each is normalised, encoded and searched for; the translations are put together with
the white space that stood between the sentences.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import itertools
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from typing import ParamSpec, TypeVar

from data.config import check
from data.glossary import Glossary
from data.languages import languages_of
from data.literals import Masking
from data.normalize import normalize
from models.bundle import Bundle
from models.hypotheses import Hypothesis, SearchOptions
from models.info import BundleInfo
from mt_service.alignment import Alignment, Passage, add_links
from mt_service.engine.interface import DeadlineError, EngineError, Job, OverloadError
from mt_service.engine.worker import Worker, outcome
from mt_service.foreign import is_foreign
from mt_service.pieces import Piece, Plan, Spans, make_plan, separators
from mt_service.rerank import Reranker, beam_of, reordered
from mt_service.retries import Found, Rows, SecondTries, whole_beam
from mt_service.translation import Alternative, Options, Translation

P = ParamSpec("P")
T = TypeVar("T")
WINDOW = 4096  # lines of a stream that are asked for at once
FOREVER = float("inf")
ASKED_BACK = 512  # hypotheses that a request has read backwards at once
TOGETHER = 256  # lines of a stream that are tried again and reranked at once
AT_ONCE = 2000  # characters that take less time than handing them to a thread does
GRACE = 1.0  # seconds in which requests that found a translator just before it was replaced may still reach it


class Translator:
    """One bundle with its engine.

    Args:
        bundle: tokenizer and description.
        worker: owns the engine; the translator closes it.
    """

    def __init__(self, bundle: Bundle, worker: Worker) -> None:
        self.bundle, self.worker = bundle, worker
        self.info: BundleInfo = bundle.info
        self.names = itertools.count()
        self.maskings = {
            direction: Masking(bundle.tokenizer, bundle.placeholders, *languages_of(direction))
            for direction in bundle.info.directions
        }

    def follow(self, direction: str, glossaries: Sequence[Glossary]) -> None:
        """Translate the terms of glossaries as they say.

        Raises:
            UserError: when the network knows no symbols to put in their place.
        """
        self.maskings[direction] = self.masking(direction, *glossaries)

    def masking(self, direction: str, *glossaries: Glossary | None) -> Masking:
        """What finds literals and terms, those of some glossaries first.

        Raises:
            UserError: as `follow`.
        """
        some = [one for one in glossaries if one is not None]
        why = "it was trained without placeholder symbols (batching.placeholder_rate)"
        check(not some or bool(self.bundle.placeholders), f"{self.info.name} cannot follow a glossary: {why}")
        return self.maskings[direction].following(*some) if some else self.maskings[direction]

    def search_options(self, options: Options) -> SearchOptions:
        """The search that options ask for, with the bundle's defaults.

        Raises:
            UserError: for a direction that the bundle does not offer, or options that make no sense.
        """
        asked, offered = options.direction, self.info.directions
        check(asked in offered, f"{self.info.name} does not translate {asked}, but {', '.join(offered)}")
        return self.info.search(options.beam, options.n_best, options.length_penalty, options.alignments)

    def search_for(self, options: Options, reverse: Translator | None) -> SearchOptions:
        """As `search_options`; a list that is to be reranked is as long as the beam."""
        if reverse is None:
            return self.search_options(options)
        beam = beam_of(self.info, options.beam, options.n_best, rerank=True)
        asked = self.search_options(dataclasses.replace(options, beam=beam))
        return whole_beam(asked)

    def plan(self, texts: Iterable[str], options: Options, kept: Sequence[Spans] = ()) -> list[Plan]:
        """Make texts ready for the engine; `kept` as `translate`."""
        masking, tokenizer = self.masking(options.direction, options.glossary), self.bundle.tokenizer
        both = zip(texts, itertools.chain(kept, itertools.repeat(())), strict=False)
        return [make_plan(tokenizer, masking, text, options.split, spans) for text, spans in both]

    def submit(
        self,
        name: Hashable,
        plans: Sequence[Plan],
        search: SearchOptions,
        deadline: float,
        client: Hashable = None,
        awaited: bool = False,
    ) -> list[list[Future[Found] | None]]:
        """Ask the engine for all pieces, as `Worker.submit`; None stands where there is nothing to translate.

        A piece with literals or numbers gets a list as long as the beam, since not all hypotheses hold them.
        """
        longer = whole_beam(search)
        pieces = [piece for plan in plans for piece in plan.pieces if piece.ids]
        jobs = [Job(piece.ids, longer if piece.masked.exacting else search) for piece in pieces]
        futures = iter(self.worker.submit(name, jobs, deadline, client, awaited))
        return [[next(futures) if piece.ids else None for piece in plan.pieces] for plan in plans]

    async def translate(
        self,
        texts: Sequence[str],
        options: Options,
        seconds: float = FOREVER,
        client: Hashable = None,
        reverse: Translator | None = None,
        kept: Sequence[Spans] = (),
    ) -> list[Translation]:
        """Translate texts; when this task is cancelled, the engine stops within one step.

        Args:
            texts: any text; nothing is refused.
            options: languages and search.
            seconds: that it may take.
            client: whose requests share a turn with each other; None makes the request a client of its own.
            reverse: translates back, if lists are to be reranked.
            kept: of each text, where parts begin and end that stay as they are; none, if it is left out.
        Raises:
            UserError: for options that make no sense.
            QueueFullError, DrainingError, DeadlineError, EngineError: nothing was translated.
        """
        deadline, name = time.monotonic() + seconds, next(self.names)
        search = self.search_for(options, reverse)
        aside = at_once if sum(map(len, texts)) <= AT_ONCE else asyncio.to_thread
        back = contextlib.nullcontext() if reverse is None else reverse.worker.awaited()
        with self.worker.awaited(), back:  # who drains the worker waits for second tries, too
            plans = await aside(self.plan, texts, options, kept)
            futures = self.submit(name, plans, search, deadline, client, awaited=True)
            try:
                found = [[None if one is None else await outcome(one) for one in row] for row in futures]
            finally:
                self.worker.cancel(name)  # which does nothing when all is done
            tries = await aside(self.second_tries, plans, found, options)
            if answers := await self.try_again(tries.jobs(search), deadline, client):
                await aside(tries.settle, answers)
            if reverse is not None:
                found = await self.rerank(plans, found, options, reverse, deadline, client)
        return await aside(self.put_all_together, plans, found, options)

    def second_tries(self, plans: Sequence[Plan], found: Rows, options: Options) -> SecondTries:
        """What to try again of some texts."""
        return SecondTries(self.bundle.tokenizer, self.masking(options.direction, options.glossary), plans, found)

    async def try_again(self, jobs: Sequence[Job], deadline: float, client: Hashable) -> list[Found]:
        """Ask anew for sentences whose literals and numbers no hypothesis holds, as long as there is time and room."""
        if jobs:
            with contextlib.suppress(OverloadError, DeadlineError):  # what was found first will do
                return await self.answers(jobs, deadline, client, awaited=True)
        return []

    async def answers(
        self, jobs: Sequence[Job], deadline: float, client: Hashable, awaited: bool = False
    ) -> list[Found]:
        """What the engine makes of some jobs; when this task is cancelled, it stops within one step.

        Args and Raises: as `Worker.submit`.
        """
        name = next(self.names)
        try:
            return [await outcome(one) for one in self.worker.submit(name, jobs, deadline, client, awaited)]
        finally:
            self.worker.cancel(name)

    async def rerank(
        self,
        plans: Sequence[Plan],
        found: Rows,
        options: Options,
        reverse: Translator,
        deadline: float,
        client: Hashable,
    ) -> Rows:
        """Have n-best lists read backwards, so many hypotheses at once, and order them anew."""
        reranker = self.reranker(reverse, options.source)
        jobs = await asyncio.to_thread(reranker.jobs, plans, found)
        answers = list[Found]()
        for start in range(0, len(jobs), ASKED_BACK):
            answers += await reverse.answers(jobs[start : start + ASKED_BACK], deadline, client, awaited=True)
        return reordered(found, iter(answers))

    def translate_lines(self, lines: Iterable[str], options: Options) -> Iterator[Translation]:
        """Translate a stream of lines in order; see `translate_windows`."""
        remaining = iter(lines)
        return self.translate_windows(iter(lambda: list(itertools.islice(remaining, WINDOW)), []), options)

    def translate_windows(
        self, windows: Iterable[Sequence[str]], options: Options, reverse: Translator | None = None
    ) -> Iterator[Translation]:
        """Translate a stream in order, keeping the engine full; memory does not grow with the stream.

        Args:
            windows: texts that are asked for at once; while one window is translated, the next one is read. An empty
                one says that the next may take a while: what was read is answered first.
            options: languages and search.
            reverse: translates back, if lists are to be reranked.
        Raises:
            UserError: for options that make no sense.
            EngineError: when the engine fails.
        """
        search = self.search_for(options, reverse)
        under_way: deque[tuple[Hashable, list[Plan], list[list[Future[Found] | None]]]] = deque()
        try:
            for window in itertools.chain(windows, [()]):
                if window:
                    plans, name = self.plan(window, options), next(self.names)
                    under_way.append((name, plans, self.submit(name, plans, search, FOREVER, "lines")))
                while len(under_way) > (1 if window else 0):
                    _, plans, futures = under_way[0]
                    yield from self.collect(plans, futures, options, search, reverse)
                    under_way.popleft()
        finally:
            for asked, *_ in under_way:
                self.worker.cancel(asked)

    def collect(
        self,
        plans: Sequence[Plan],
        futures: Sequence[Sequence[Future[Found] | None]],
        options: Options,
        search: SearchOptions,
        reverse: Translator | None,
    ) -> Iterator[Translation]:
        """Wait for the pieces of some texts after the other."""
        for start in range(0, len(plans), TOGETHER):
            some = plans[start : start + TOGETHER]
            found = [[one.result() if one else None for one in row] for row in futures[start : start + TOGETHER]]
            tries = self.second_tries(some, found, options)
            if tries.retries:
                tries.settle(list(ask(self, tries.jobs(search), "again")))
            if reverse is not None:
                found = reordered(found, ask(reverse, self.reranker(reverse, options.source).jobs(some, found)))
            yield from self.put_all_together(some, found, options)

    def reranker(self, reverse: Translator, source: str) -> Reranker:
        """What asks another translator for texts of the source language; it sees symbols where it knows them."""

        known = set(reverse.bundle.placeholders)

        def texts(piece: Piece, hypothesis: Hypothesis) -> tuple[str, str]:
            if piece.masked.is_changed and piece.masked.targets.keys() <= known:
                return piece.masked.text, self.raw(hypothesis)
            return piece.line, self.decode(piece, hypothesis)

        return Reranker(texts, reverse.bundle.tokenizer, source)

    def raw(self, hypothesis: Hypothesis) -> str:
        """A hypothesis as the network wrote it, symbols included."""
        return self.bundle.tokenizer.decode(hypothesis.tokens)

    def decode(self, piece: Piece, hypothesis: Hypothesis) -> str:
        """A hypothesis as one line of text; symbols and broken bytes that nobody asked for are left out."""
        return normalize(piece.masked.restored(self.raw(hypothesis)))

    def best(self, piece: Piece, found: Found, count: int) -> Found:
        """The first hypotheses of a list, those before others that hold all literals and no other numbers."""
        if piece.masked.exacting:
            found = sorted(found, key=lambda one: piece.masked.faults(self.raw(one)))
        return found[:count]

    def put_all_together(self, plans: Sequence[Plan], found: Rows, options: Options) -> list[Translation]:
        """All texts from their pieces."""
        return [self.put_together(plan, row, options) for plan, row in zip(plans, found, strict=True)]

    def put_together(self, plan: Plan, lists: Sequence[Found | None], options: Options) -> Translation:
        """One text from its pieces, with the white space that stood between them."""
        pairs = list(zip(plan.pieces, lists, strict=True))
        if any(one is not None and not one for one in lists):
            raise EngineError(f"{self.info.name} finds no translation at all of a sentence: its weights are of no use")
        found = [self.best(piece, one, options.n_best) if one else None for piece, one in pairs]
        searched, gaps = [one for one in found if one], separators(plan.pieces, options.target)
        alternatives = []
        for rank in range(max(map(len, searched), default=1)):
            chosen = [one[min(rank, len(one) - 1)] if one else None for one in found]
            parts = [self.spell(*part) for part in zip(plan.pieces, chosen, gaps, strict=True)]
            score = sum(one.score for one in chosen if one) / max(1, len(searched))
            alternatives.append(Alternative("".join(parts), score))
        tokens = sum(len(one[0].tokens) + 1 for one in searched)
        endless = sum(not one[0].complete for one in searched)
        warnings = [f"translations that grew too long and were cut off: {endless}"] if endless else []
        warnings += self.lost(plan, found)
        alignment = self.align(plan, found, gaps, options) if options.alignments else None
        best, warnings = alternatives[0], plan.warnings + warnings
        both = zip(plan.pieces, found, strict=True)
        foreign = self.foreign(plan, options)
        doubtful = [] if foreign else [piece.text for piece, one in both if self.doubts(one, options)]
        said = (warnings, doubtful, foreign)
        return Translation(best.text, best.score, alternatives, alignment, tokens, len(searched), *said)

    def doubts(self, found: Found | None, options: Options) -> bool:
        """Whether the network holds a translation for less likely than nearly all that it was measured on."""
        least = self.info.unsure_below.get(options.direction)
        return found is not None and least is not None and found[0].per_word < least

    def foreign(self, plan: Plan, options: Options) -> list[str]:
        """A text, if it seems to be in a language that the network does not read."""
        masking, limit = self.maskings[options.direction], self.info.foreign_above.get(options.source)
        found = is_foreign(plan, self.bundle.tokenizer, masking, limit)
        return [" ".join(piece.text for piece in plan.pieces)] if found else []

    def spell(self, piece: Piece, hypothesis: Hypothesis | None, gap: str) -> str:
        """A piece's translation and what follows it; literals alone need no hypothesis."""
        text = piece.masked.restored(piece.masked.text) if hypothesis is None else self.decode(piece, hypothesis)
        stopped = piece.text.endswith(".") and gap.isspace() and "\n" not in gap  # XVI. has one as it is
        mark = "." if hypothesis is not None and stopped and text[-1:].isalnum() else ""
        return piece.writing.write(text + mark) + gap

    def lost(self, plan: Plan, found: Sequence[Found | None]) -> list[str]:
        """Warnings that name the literals and numbers which the translation does not hold as it should."""
        both = zip(plan.pieces, found, strict=True)
        pairs = [(piece.masked, self.raw(one[0])) for piece, one in both if one and piece.masked.exacting]
        literals = [text for masked, raw in pairs for text in masked.lost(raw)]
        numbers = [one for masked, raw in pairs for one in masked.lacking(raw)]
        told = {"the translation lacks or repeats what it should hold once": literals}
        told |= {"numbers that the translation seems to lack": numbers}
        return [f"{what}: {', '.join(which)}" for what, which in told.items() if which]

    def align(self, plan: Plan, found: Sequence[Found | None], gaps: Sequence[str], options: Options) -> Alignment:
        """Word links of the best translation; a piece whose words cannot be matched up has none."""
        alignment, position, unsure = Alignment([], [], []), 0, list[Passage]()
        for piece, one, gap in zip(plan.pieces, found, gaps, strict=True):
            text = self.spell(piece, one[0] if one else None, gap)
            if one:
                add_links(alignment, self.bundle.tokenizer, piece, one[0], text, position)
            if self.doubts(one, options):
                end = position + len(text) - len(gap)
                unsure.append(Passage(piece.start, piece.start + len(piece.text), position, end))
            position += len(text)
        return alignment._replace(unsure=unsure)

    def retire(self, seconds: float, stopped: Callable[[], None]) -> None:
        """Finish what runs, stop, and say so, without making anybody wait."""

        def stop() -> None:
            threading.Event().wait(GRACE)
            self.worker.drain(seconds)
            self.worker.close()
            stopped()

        threading.Thread(target=stop, name="retire", daemon=True).start()


def ask(translator: Translator, jobs: Sequence[Job], client: Hashable = "lines") -> Iterator[Found]:
    """Wait for answers, one after the other; when nobody wants them any more, they are no longer worked on."""
    name = next(translator.names)
    asked = translator.worker.submit(name, jobs, FOREVER, client)
    try:
        yield from (one.result() for one in asked)
    finally:
        translator.worker.cancel(name)


async def at_once(function: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
    """Call a function right here, where `asyncio.to_thread` would call it in a thread."""
    return function(*arguments, **named)
