"""The worker that trains a small model, at a desk and on an emulated Arkindex."""

from __future__ import annotations

import io
import json
import sys
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import yaml
import zstandard
from page_kinds import PageKinds, Sample, measure, train
from PIL import Image, ImageDraw
from sqlalchemy import select

from arkworker.arkindex.client import Client, Connection
from arkworker.emulator import Emulator, run_worker, tables
from arkworker.errors import ArkworkerError
from arkworker.testing import standard_tests

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from arkworker.testing import MakeContext

FOLDER = Path(__file__).parents[2] / "examples" / "page_kinds"
TARGET = f"{FOLDER / 'page_kinds.py'}:PageKinds"
MODEL = "0c1fbe0e-54d9-4f25-8a28-0a5a4cd0a1b3"

TestPageKinds = standard_tests(PageKinds, config={"model": MODEL}, declaration=FOLDER / "arkindex" / "page-kinds.yml")


def draw(path: Path, kind: str, seed: int) -> Path:
    """A page with marks on its left or on its right half."""
    page = Image.new("L", (64, 64), "white")
    pen = ImageDraw.Draw(page)
    left = 8 if kind == "left" else 40
    for number in range(6):
        top = (7 * seed + 10 * number) % 60
        pen.rectangle((left + seed % 5, top, left + 12, top + 4), fill="black")
    page.save(path)
    return path


def test_what_can_be_told_is_learnt() -> None:
    """Two squares, of which one is dark."""
    samples = [Sample(np.array([dark, 1 - dark, 1.0]), "a" if dark > 0.5 else "b") for dark in (0.0, 0.2, 0.8, 1.0)]

    weights = train(samples, ["a", "b"], rounds=200, rate=0.5)

    assert measure(weights, samples, ["a", "b"]) == 1.0


class School:
    """An emulated Arkindex with two sets of pages, whose classes people have given."""

    def __init__(self, arkindex: Emulator, folder: Path) -> None:
        self.arkindex = arkindex
        self.corpus = arkindex.add_corpus()
        self._client = Client(Connection(url=arkindex.url, token=arkindex.token))
        self._classes = {
            kind: self._client.request("CreateMLClass", {"name": kind}, id=self.corpus)["id"]
            for kind in ("left", "right")
        }
        sets = {name: self._pages(folder, name, count) for name, count in (("train", 8), ("test", 4))}
        dataset = arkindex.add_dataset("Pages", sets)
        self.version = arkindex.add_model_version("Kinds")
        with arkindex.database.transaction() as session:
            self.model = session.scalars(select(tables.ModelVersion.model_id)).one()
        self.run = arkindex.add_worker_run(
            yaml.safe_load((FOLDER / "arkindex" / "page-kinds.yml").read_text()),
            values={"model": self.model},
            mode="dataset",
            sets=[(dataset, name) for name in sets],
        )
        self._client.close()

    def _pages(self, folder: Path, name: str, count: int) -> list[str]:
        pages = []
        for number in range(count):
            kind = "left" if number % 2 else "right"
            image = draw(folder / f"{name}-{number}.png", kind, number)
            page = self.arkindex.add_element("page", f"{name} {number}", image=image)
            body = {"element": page, "ml_class": self._classes[kind], "confidence": 1.0}
            self._client.request("CreateClassification", body)
            pages.append(page)
        return pages


def test_a_version_is_published_after_the_last_set(tmp_path: Path) -> None:
    """With what it needs to be used, and with a report that says how good it is."""
    with Emulator() as arkindex:
        school = School(arkindex, tmp_path)

        code = run_worker(arkindex, school.run, [sys.executable, "-m", "arkworker", "run", TARGET])

        assert code == 0
        with arkindex.database.transaction() as session:
            versions = session.scalars(select(tables.ModelVersion)).all()
            reports = session.scalars(select(tables.Artifact)).all()
            (made,) = [row for row in versions if row.id != school.version]
            assert (made.state, made.configuration) == ("available", {"classes": ["left", "right"], "side": 16})
            archive = arkindex.site.storage.path(f"models/{made.id}").read_bytes()
            names = [row.path for row in reports]
        weights = np.load(io.BytesIO(member(archive, "weights.npy")))
    assert (weights.shape, names) == ((2, 257), ["report.json"])


def member(archive: bytes, name: str) -> bytes:
    content = zstandard.ZstdDecompressor().decompressobj().decompress(archive)
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        found: Any = tar.extractfile(name)
        data: bytes = found.read()
        return data


def test_sets_of_one_class_train_nothing(make_context: MakeContext, cache: Session) -> None:
    """There is nothing to tell apart: the run fails with one line."""
    worker, context = PageKinds(), make_context(PageKinds, {"model": MODEL})
    worker.setup(context)
    worker.samples["train"] = [Sample(np.ones(257), "left")] * 3

    with pytest.raises(ArkworkerError, match="the set train has pages of 1 classes: two are needed"):
        worker.finish(context, cache)


def test_at_a_desk_there_is_a_report_and_no_version(make_context: MakeContext, cache: Session) -> None:
    """Nothing is sent."""
    worker, context = PageKinds(), make_context(PageKinds, {"model": MODEL, "rounds": 5})
    worker.setup(context)
    dark, light = np.ones(257), np.append(np.zeros(256), 1.0)
    worker.samples["train"] = [Sample(dark, "left"), Sample(light, "right")]

    worker.finish(context, cache)

    assert json.loads((context.work_dir / "report.json").read_text()) == {"train": 1.0}
