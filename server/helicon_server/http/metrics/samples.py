"""Numbers on their way from a worker to the page: plain samples, which also fit in a file of JSON.

Several workers share one port, and a scrape reaches any of them. Each leaves its samples in the node's folder every few
seconds, and whoever is asked puts those of the others beside its own, apart by the label ``worker``. A file that nobody
has written for a while is of a worker that is gone.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

import orjson
from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric as Family
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

from helicon_server.delivery.histogram import Histogram

from .catalogue import METRICS, Metric, Node, Row, read

FRESH_S: Final = 15.0  # older files are left out
_FILE_LIMIT: Final = 1024 * 1024  # bytes

Sample = tuple[str, dict[str, str], float]
"""The suffix of the name, the labels, the number."""
Samples = Mapping[str, list[Sample]]
"""By the name of the metric."""


def samples_of(node: Node, worker: int) -> Samples:
    """The samples of one worker."""
    found: dict[str, list[Sample]] = {}
    for metric, rows in read(node):
        found[metric.name] = [sample for row in rows for sample in _samples(metric, row, str(worker))]
    return found


def _samples(metric: Metric, row: Row, worker: str) -> Iterator[Sample]:
    values, number = row
    labels = {"worker": worker, **dict(zip(metric.labels, values, strict=True))}
    if isinstance(number, Histogram):
        for bound, count in number.cumulative():
            yield "_bucket", {**labels, "le": "+Inf" if bound is None else f"{bound:g}"}, count
        yield "_sum", labels, number.total
        yield "_count", labels, len(number)
    else:
        yield "_total" if metric.kind == "counter" else "", labels, float(number)


def text(every: Iterable[Samples]) -> bytes:
    """The page: each metric once, with the samples of all workers."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collected(list(every)))
    return generate_latest(registry)


class _Collected(Collector):
    def __init__(self, every: list[Samples]) -> None:
        self._every = every

    def collect(self) -> Iterator[Family]:
        for metric in METRICS:
            family = Family(metric.name, metric.meaning, metric.kind)
            for samples in self._every:
                for suffix, labels, number in samples.get(metric.name, ()):
                    family.add_sample(metric.name + suffix, labels, number)
            yield family


class Exchange:
    """The folder where the workers of one node leave their samples. All calls touch the disk."""

    def __init__(self, folder: Path, worker: int) -> None:
        self._folder = folder
        self._own = folder / f"worker-{worker}.json"

    def leave(self, samples: Samples) -> None:
        """Puts this worker's samples in the place of its last ones. Raises OSError."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = self._own.with_suffix(".new")
        draft.write_bytes(orjson.dumps(samples))
        draft.replace(self._own)

    def others(self) -> list[Samples]:
        """The samples of the other workers that are alive; what cannot be read is left out."""
        oldest = time.time() - FRESH_S
        found = []
        for file in sorted(self._folder.glob("worker-*.json")):
            if file == self._own:
                continue
            with suppress(OSError, ValueError, TypeError, KeyError):
                state = file.stat()
                if state.st_mtime >= oldest and state.st_size <= _FILE_LIMIT and state.st_uid == os.getuid():
                    found.append(_checked(orjson.loads(file.read_bytes())))
        return found

    def leave_nothing(self) -> None:
        """Takes this worker's samples away, because it stops."""
        with suppress(OSError):
            self._own.unlink(missing_ok=True)


def _checked(loaded: Mapping[str, list[Sample]]) -> Samples:
    """Takes only what a worker can have written. Raises ValueError, TypeError, KeyError."""
    found: dict[str, list[Sample]] = {}
    for name, samples in loaded.items():
        found[str(name)] = [
            (str(suffix), {str(key): str(value) for key, value in labels.items()}, float(number))
            for suffix, labels, number in samples
        ]
    return found
