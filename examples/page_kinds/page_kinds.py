"""A worker that trains a small model on the pages of a dataset, with nothing but numpy, and publishes it."""

from __future__ import annotations

import json
import logging
import sqlite3
import tempfile
from collections import defaultdict
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from pydantic import Field

from arkworker import (
    ArkworkerError,
    DatasetSet,
    DatasetWorker,
    Declaration,
    Element,
    Model,
    UserConfiguration,
    WorkerContext,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from sqlalchemy.orm import Session

    Numbers = NDArray[np.float64]

logger = logging.getLogger("arkworker.examples.page_kinds")


class PageKindsConfiguration(UserConfiguration):
    model: Model = Field(title="Model", description="The model that gets a new version.")
    training_set: str = Field("train", title="Training set", description="The others are for measuring.")
    side: int = Field(16, ge=4, le=128, title="Side", description="Pages are looked at with so many pixels squared.")
    rounds: int = Field(300, ge=1, title="Rounds", description="How often the weights are corrected.")
    rate: float = Field(0.5, gt=0, title="Rate", description="How much they are corrected each time.")


class Sample(NamedTuple):
    """A page as numbers from 0 to 1, and its class."""

    pixels: Numbers
    kind: str


class PageKinds(DatasetWorker[PageKindsConfiguration]):
    """Learn the classes of pages from their images: a softmax over the darkness of a few squares.

    The classes are those that the pages of the dataset have. The version of the model holds the weights; the report,
    an artifact of the task, says how many pages of each set are told right.
    """

    declaration = Declaration(type="training", model_usage="supported")

    def setup(self, context: WorkerContext[PageKindsConfiguration]) -> None:
        self.samples: dict[str, list[Sample]] = defaultdict(list)

    def process_set(
        self, dataset_set: DatasetSet, export: Path, context: WorkerContext[PageKindsConfiguration], cache: Session
    ) -> None:
        kinds = classes_of(export)
        for element in context.list_dataset_elements(dataset_set):
            if element.id in kinds:
                pixels = look(element, context.config.side)
                self.samples[dataset_set.name].append(Sample(pixels, kinds[element.id]))
            else:
                logger.warning("%s has no class, and is left out", element)

    def finish(self, context: WorkerContext[PageKindsConfiguration], cache: Session) -> None:
        config = context.config
        training = self.samples[config.training_set]
        kinds = sorted({sample.kind for sample in training})
        if len(kinds) < 2:
            raise ArkworkerError(
                f"the set {config.training_set} needs pages of two classes at least, not of {len(kinds)}"
            )
        weights = train(training, kinds, config.rounds, config.rate)
        report = {name: measure(weights, samples, kinds) for name, samples in sorted(self.samples.items())}
        (context.work_dir / "report.json").write_text(json.dumps(report, indent=2))
        logger.info("told right: %s", ", ".join(f"{share:.0%} of {name}" for name, share in report.items()))
        if context.is_read_only:
            return
        with tempfile.TemporaryDirectory() as folder:
            np.save(Path(folder) / "weights.npy", weights)
            context.publish_model_version(
                folder,
                model_id=config.model,
                configuration={"classes": kinds, "side": config.side},
                parent=context.model_version_id,
            )


def classes_of(export: Path) -> dict[str, str]:
    """The class of each element of an export; the surest, where it has several."""
    with closing(sqlite3.connect(export)) as database:
        rows = database.execute("SELECT element_id, class_name FROM classification ORDER BY confidence")
        return dict(rows.fetchall())


def look(element: Element, side: int) -> Numbers:
    """How dark each square of a page is, and a constant."""
    image = element.open_image(mode="L").resize((side, side))
    return np.append(1 - np.asarray(image, dtype=np.float64).ravel() / 255, 1.0)


def train(samples: list[Sample], kinds: list[str], rounds: int, rate: float) -> Numbers:
    """The weights of a softmax, by gradient descent; a row for each class."""
    pixels = np.stack([sample.pixels for sample in samples])
    wanted = np.array([[float(sample.kind == kind) for kind in kinds] for sample in samples])
    weights = np.zeros((len(kinds), pixels.shape[1]))
    for _ in range(rounds):
        weights -= rate * (softmax(pixels @ weights.T) - wanted).T @ pixels / len(samples)
    return weights


def softmax(scores: Numbers) -> Numbers:
    powers: Numbers = np.exp(scores - scores.max(axis=1, keepdims=True))
    shares: Numbers = powers / powers.sum(axis=1, keepdims=True)
    return shares


def measure(weights: Numbers, samples: list[Sample], kinds: list[str]) -> float:
    """The share of samples that are told right."""
    guesses = [kinds[int(np.argmax(weights @ sample.pixels))] for sample in samples]
    return sum(guess == sample.kind for guess, sample in zip(guesses, samples, strict=True)) / len(samples)
