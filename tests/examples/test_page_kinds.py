"""The worker that trains a small model, at a desk and on an emulated Arkindex."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from page_kinds import PageKinds, Sample, measure, train
from serving import serve

from arkworker.errors import ArkworkerError
from arkworker.testing import standard_tests

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from arkworker.testing import MakeContext

FOLDER = Path(__file__).parents[2] / "examples" / "page_kinds"
TARGET = f"{FOLDER / 'page_kinds.py'}:PageKinds"
MODEL = "0c1fbe0e-54d9-4f25-8a28-0a5a4cd0a1b3"

TestPageKinds = standard_tests(PageKinds, config={"model": MODEL}, declaration=FOLDER / "arkindex" / "page-kinds.yml")


def test_what_can_be_told_is_learnt() -> None:
    """Two squares, of which one is dark."""
    samples = [Sample(np.array([dark, 1 - dark, 1.0]), "a" if dark > 0.5 else "b") for dark in (0.0, 0.2, 0.8, 1.0)]

    weights = train(samples, ["a", "b"], rounds=200, rate=0.5)

    assert measure(weights, samples, ["a", "b"]) == 1.0


def test_a_version_is_published_after_the_last_set(tmp_path: Path) -> None:
    """With what it needs to be used, and with a report that says how good it is: on pages that it has not seen, too."""
    served = serve(tmp_path, FOLDER / "project.yml", TARGET)

    versions = served.rows("SELECT state, configuration FROM model_versions WHERE state = 'available'")
    assert [json.loads(text) for _, text in versions] == [{"classes": ["left", "right"], "side": 16}]
    assert served.rows("SELECT path FROM artifacts") == [("report.json",)]
    assert "told right: 100% of test, 100% of train" in served.log


def test_sets_of_one_class_train_nothing(make_context: MakeContext, cache: Session) -> None:
    """There is nothing to tell apart: the run fails with one line."""
    worker, context = PageKinds(), make_context(PageKinds, {"model": MODEL})
    worker.setup(context)
    worker.samples["train"] = [Sample(np.ones(257), "left")] * 3

    with pytest.raises(ArkworkerError, match="the set train needs pages of two classes at least, not of 1"):
        worker.finish(context, cache)


def test_at_a_desk_there_is_a_report_and_no_version(make_context: MakeContext, cache: Session) -> None:
    """Nothing is sent."""
    worker, context = PageKinds(), make_context(PageKinds, {"model": MODEL, "rounds": 5})
    worker.setup(context)
    dark, light = np.ones(257), np.append(np.zeros(256), 1.0)
    worker.samples["train"] = [Sample(dark, "left"), Sample(light, "right")]

    worker.finish(context, cache)

    assert json.loads((context.work_dir / "report.json").read_text()) == {"train": 1.0}
