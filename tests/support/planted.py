"""The same elements twice: on an emulated Arkindex and in a cache, with all that hangs on them."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import insert

from arkworker.emulator import iiif, tables
from arkworker.storage import cache

if TYPE_CHECKING:
    from pathlib import Path

    from arkworker.emulator import Emulator

TYPES = ("page", "paragraph", "text_line")
ORIENTATIONS = ("horizontal-lr", "vertical-rl")


@dataclass
class Planted:
    """What was made, by the names of the cache's columns; ids are text with dashes."""

    image: dict[str, Any]
    runs: tuple[str | None, ...]
    elements: list[dict[str, Any]] = field(default_factory=list)
    transcriptions: list[dict[str, Any]] = field(default_factory=list)
    classifications: list[dict[str, Any]] = field(default_factory=list)
    entities: list[dict[str, Any]] = field(default_factory=list)

    @property
    def ids(self) -> list[str]:
        return [row["id"] for row in self.elements]


def plant(emulator: Emulator, path: Path, seed: int, count: int = 25) -> Planted:
    """A tree of elements at random, on the emulator and in a new cache."""
    dice = random.Random(seed)
    corpus = emulator.add_corpus(types=TYPES)
    planted = _grow(dice, emulator, count)
    _plant_on_emulator(emulator, corpus, planted)
    _plant_in_cache(path, planted)
    return planted


def _grow(dice: random.Random, emulator: Emulator, count: int) -> Planted:
    image_id = emulator.add_image((1000, 1400))
    with emulator.database.transaction() as session:
        url = iiif.url(session.query(tables.Image).filter_by(id=image_id).one(), emulator.site)
    image = {"id": image_id, "width": 1000, "height": 1400, "url": url, "version": 2}
    planted = Planted(image, (None, emulator.add_worker_run(), emulator.add_worker_run()))
    for _ in range(count):
        planted.elements.append(_element(dice, planted))
        signature = {"element_id": dice.choice(planted.ids), "worker_run_id": dice.choice(planted.runs)}
        text = {"id": _id(dice), "text": f"text {dice.random()}", "confidence": dice.choice([None, 0.25])}
        planted.transcriptions.append({**text, "orientation": dice.choice(ORIENTATIONS), **signature})
        for kind in dice.sample(["place", "person"], dice.randint(0, 2)):
            entity = {"transcription_id": text["id"], "type": kind, "offset": dice.randint(0, 3), "length": 2}
            planted.entities.append({**entity, "confidence": None, "worker_run_id": signature["worker_run_id"]})
        found = {"id": _id(dice), "class_name": f"class {len(planted.classifications)}", "confidence": 0.5}
        planted.classifications.append({**found, "state": "pending", **signature})
    return planted


def _element(dice: random.Random, planted: Planted) -> dict[str, Any]:
    left, top = dice.randint(0, 400), dice.randint(0, 400)
    return {
        "id": _id(dice),
        "parent_id": dice.choice(planted.ids[-12:]) if planted.elements else None,
        "type": dice.choice(TYPES),
        "image_id": planted.image["id"],
        "polygon": [[left, top], [left, top + 9], [left + 9, top + 9], [left, top]],
        "rotation_angle": dice.choice([0, 90]),
        "mirrored": dice.choice([True, False]),
        "worker_run_id": dice.choice(planted.runs),
        "confidence": dice.choice([None, 0.5]),
    }


def _plant_on_emulator(emulator: Emulator, corpus: str, planted: Planted) -> None:
    with emulator.database.transaction() as session:
        kinds = {row.slug: row.id for row in session.query(tables.ElementType).filter_by(corpus_id=corpus)}
        for row in planted.elements:
            values = {name: value for name, value in row.items() if name not in ("parent_id", "type")}
            session.add(tables.Element(corpus_id=corpus, type_id=kinds[row["type"]], name=row["type"], **values))
            session.flush()
            if row["parent_id"]:
                session.add(tables.ElementLink(parent_id=row["parent_id"], child_id=row["id"]))
        session.add_all(tables.Transcription(**row) for row in planted.transcriptions)
        session.flush()
        names = {name: tables.EntityType(corpus_id=corpus, name=name) for name in ("place", "person")}
        session.add_all(names.values())
        for row in planted.entities:
            session.add(tables.TranscriptionEntity(**{**row, "type": names[row["type"]]}))
        for row in planted.classifications:
            values = {name: value for name, value in row.items() if name != "class_name"}
            session.add(
                tables.Classification(ml_class=tables.MLClass(corpus_id=corpus, name=row["class_name"]), **values)
            )


def _plant_in_cache(path: Path, planted: Planted) -> None:
    engine = cache.open_cache(path, create=True)
    with cache.session_scope(engine) as session:
        session.execute(insert(cache.CachedImage), [planted.image])
        session.execute(insert(cache.CachedElement), planted.elements)
        session.execute(insert(cache.CachedTranscription), planted.transcriptions)
        session.execute(insert(cache.CachedClassification), planted.classifications)
        session.execute(insert(cache.CachedTranscriptionEntity), planted.entities)
    engine.dispose()


def _id(dice: random.Random) -> str:
    return str(UUID(int=dice.getrandbits(128), version=4))
