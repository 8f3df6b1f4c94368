"""Numbers for Prometheus, in a registry of the application's own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from mt_service.registry import Registry
from mt_service.translator import Translator

BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class Metrics:
    """What the routes count."""

    def __init__(self, registry: Registry) -> None:
        self.collector = CollectorRegistry()
        self.requests = Counter(
            "mt_http_requests", "Requests answered.", ["route", "method", "status"], registry=self.collector
        )
        self.seconds = Histogram(
            "mt_http_request_seconds", "From request to answer.", ["route"], buckets=BUCKETS, registry=self.collector
        )
        self.tokens = Counter("mt_tokens", "Output tokens, ends of sentences counted.", registry=self.collector)
        self.sentences = Counter("mt_sentences", "Sentences translated.", registry=self.collector)
        self.doubtful = Counter(
            "mt_doubtful_sentences", "Those whose translation the model is unsure of.", registry=self.collector
        )
        self.characters = Counter("mt_characters", "Input characters.", registry=self.collector)
        self.collector.register(EngineCollector(registry))


class EngineCollector(Collector):
    """Asks the engines when Prometheus asks."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry

    def collect(self) -> Iterator[Metric]:
        """Queue, batch and bundle of every model."""
        waiting = GaugeMetricFamily("mt_queue_sentences", "Sentences that wait.", labels=["model"])
        running = GaugeMetricFamily("mt_running_rows", "Hypotheses that are decoded.", labels=["model"])
        steps = CounterMetricFamily(
            "mt_engine_steps", "Calls of the engine, each of which decodes one step or a few.", labels=["model"]
        )
        failures = CounterMetricFamily("mt_engine_failures", "Engines that failed.", labels=["model"])
        bundles = InfoMetricFamily("mt_bundle", "Bundles served.", labels=["model"])
        for label, translator in labelled(self.registry.translators):
            name, worker = [label], translator.worker
            waiting.add_metric(name, worker.scheduler.waiting)
            running.add_metric(name, worker.scheduler.running_rows)
            steps.add_metric(name, worker.statistics.steps)
            failures.add_metric(name, worker.statistics.failures)
            bundles.add_metric(name, {"directions": " ".join(translator.info.directions), "engine": worker.description})
        yield from (waiting, running, steps, failures, bundles)


def labelled(translators: Sequence[Translator]) -> Iterator[tuple[str, Translator]]:
    """Translators by name, with a number behind names that were there before: no two samples may have one label."""
    taken = set[str]()
    for translator in translators:
        label, number = translator.info.name, 1
        while label in taken:
            number += 1
            label = f"{translator.info.name}-{number}"
        taken.add(label)
        yield label, translator
