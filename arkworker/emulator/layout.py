"""Putting a project into an emulator."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import yaml
from sqlalchemy import select

from arkworker.elements.files import is_image_name
from arkworker.emulator import declarations
from arkworker.emulator.arrange.corpora import spelled
from arkworker.emulator.project import ElementItem, Project, RunItem, read_mapping, read_project
from arkworker.emulator.tables import Corpus, Dataset, DatasetSet, Element, ElementType, WorkerRun
from arkworker.storage.cache import open_cache
from arkworker.text import did_you_mean, printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from arkworker.emulator.emulator import Emulator
    from arkworker.emulator.project import ModelItem, ParentItem, Result

VOLUME = "volume"
CACHE = "db.sqlite"

# Where something stands in the file of a project.
Loc = tuple[int | str, ...]


def add_project(emulator: Emulator, path: Path) -> str:
    """Create what a project, a YAML file or a folder of images, describes: its corpus, and a run of its first worker.

    Returns:
        The id of the worker run.

    Raises:
        ConfigurationError: The project is wrong.
    """
    return Layout(emulator, read_project(path)).arrange()[0].start(())


@dataclass
class Step:
    """A worker of a project.

    Attributes:
        name: Of the worker.
        command: What is run for it; None where the project has none.
    """

    layout: Layout
    item: RunItem
    declaration: dict[str, Any] | None
    values: dict[str, Any] | None
    model: str | None
    loc: Loc

    @property
    def name(self) -> str:
        return str((self.declaration or {}).get("slug", "worker"))

    @property
    def command(self) -> list[str] | None:
        if self.item.command is not None:
            words = self.item.command
        elif self.loc and _is_target(self.item.worker):
            words = [sys.executable, "-m", "arkworker", "run", self.item.worker]
        else:
            return None
        return words if self.item.jobs is None else [*words, "--jobs", str(self.item.jobs)]

    def start(self, before: Sequence[str]) -> str:
        """Make the worker run, whose id is returned; `before` are tasks that ended, of the workers before it."""
        return self.layout.add_run(self, before)


class Layout:
    """One project on its way into one emulator."""

    def __init__(self, emulator: Emulator, project: Project) -> None:
        self._emulator = emulator
        self._project = project
        self._source = project.source
        self._base = project.source.folder
        self._types: set[str] = set()
        self._elements: dict[str, str] = {}
        self._images: dict[Path | tuple[int, int] | str, str] = {}
        self._runs: dict[str, str] = {}
        self._models: dict[str, tuple[str, str]] = {}  # of each name, the ids of the model and of its version
        self._datasets: dict[str, str] = {}
        self._exports: dict[str, str] = {}
        self._sets: list[tuple[str, str]] = []

    def arrange(self) -> list[Step]:
        """Make the corpus with all in it; its workers are returned, to be started one after the other.

        Raises:
            ConfigurationError: A file that the project names is missing or not an image, or a name leads nowhere.
        """
        project, emulator = self._project, self._emulator
        if not self._find_corpus():
            emulator.add_corpus(project.corpus, types=(), id=_text(project.corpus_id))
        self._add_vocabulary()
        if project.images is not None:
            self._add_folder(self._base / project.images, None)
        for number, element in enumerate(project.elements):
            self._add_element(element, None, ("elements", number))
        for name, content in project.secrets.items():
            emulator.add_secret(name, content)
        self._add_datasets()
        for fault in project.faults:
            fault.add_to(emulator.faults)
        items: Iterable[tuple[Loc, RunItem]] = [(("workers", n), item) for n, item in enumerate(project.workers)]
        steps = [self._step(item, loc) for loc, item in (items or [((), project)])]
        if len(steps) > 1 and (silent := [step for step in steps if step.command is None]):
            raise self._source.refuse(
                silent[0].loc, "one of several workers needs a command, to know when it has ended"
            )
        return steps

    def add_run(self, step: Step, before: Sequence[str]) -> str:
        """Make the worker run of a step; called once the steps before it have ended."""
        item, emulator = step.item, self._emulator
        parents = [
            *before,
            *(self._add_parent(parent, (*step.loc, "parents", n)) for n, parent in enumerate(item.parents)),
        ]
        if item.cache:
            parents.insert(0, self._add_cache())
        sets = self._chosen_sets(item, step.loc)
        return emulator.add_worker_run(
            step.declaration,
            step.values,
            elements=self._queue(item.queue),
            chunks=item.chunks,
            model_version=step.model,
            mode="dataset" if sets else item.mode,
            sets=sets,
            parents=parents,
            id=_text(item.run_id),
        )

    def _find_corpus(self) -> bool:
        """Learn what is there already, of an export; whether there is a corpus."""
        with self._emulator.database.transaction() as session:
            self._types = set(session.scalars(select(ElementType.slug)))
            for row in session.execute(select(Element.name, Element.id).order_by(Element.position)):
                self._elements.setdefault(row[0], row[1])
            self._runs = dict(session.execute(select(WorkerRun.summary, WorkerRun.id)).all())
            self._datasets = dict(session.execute(select(Dataset.name, Dataset.id)).all())
            self._sets = [(row[0], row[1]) for row in session.execute(select(DatasetSet.dataset_id, DatasetSet.name))]
            return session.scalar(select(Corpus.id)) is not None

    def _add_vocabulary(self) -> None:
        project, emulator = self._project, self._emulator
        for item in project.types:
            self._add_type(item.slug, item.name, folder=item.folder, color=item.color or "")
        for name in project.classes:
            emulator.add_class(name)
        for kind in project.entity_types:
            emulator.add_entity_type(kind.name, color=kind.color or "")
        for run in project.runs:
            self._runs[run.name] = emulator.add_past_run(run.name, id=_text(run.id))
        for number, model in enumerate(project.models):
            self._add_model(model, ("models", number))

    def _add_type(self, slug: str, name: str = "", *, folder: bool = False, color: str = "") -> None:
        if slug not in self._types:
            self._types.add(slug)
            self._emulator.add_type(slug, name=name, folder=folder, color=color)

    def _add_folder(self, folder: Path, parent: str | None) -> None:
        if not folder.is_dir():
            raise self._source.refuse(("images",), f"{printable(str(folder))} is not a folder")
        found = sorted(item for item in folder.iterdir() if not item.name.startswith("."))
        for path in filter(_is_image, found):
            page = self._add(ElementItem(name=spelled(path.stem)), parent, path, ("images",))
            text = _beside(path)
            if text:
                self._emulator.add_transcription(page, text)
        for path in filter(_has_images, found):
            self._add_type(VOLUME, "Volume", folder=True)
            volume = ElementItem(name=spelled(path.name), type=VOLUME)
            self._add_folder(path, self._add(volume, parent, None, ("images",)))

    def _add_element(self, item: ElementItem, parent: str | None, loc: Loc) -> None:
        pixels = self._base / item.image if item.image is not None else item.size
        if item.count > 1 and parent is None and item.is_plain and item.url is None:
            self._add_many(item, pixels, loc)
            return
        for number in range(1, item.count + 1):
            name = item.name or item.type
            named = item.model_copy(update={"name": f"{name} {number}" if item.count > 1 else name})
            added = self._add(named, parent, pixels, loc)
            self._add_results(item, added, loc)
            for place, child in enumerate(item.children):
                self._add_element(child, added, (*loc, "children", place))

    def _add(self, item: ElementItem, parent: str | None, pixels: Path | tuple[int, int] | None, loc: Loc) -> str:
        self._add_type(item.type)
        chosen = {"id": _text(item.id)} if item.id else {}
        if item.id and str(item.id) in self._elements.values():
            raise self._source.refuse((*loc, "id"), "another element has this id")
        identifier = self._emulator.add_element(
            item.type,
            item.name,
            parent=parent,
            image=self._image(pixels, item.url, loc),
            polygon=item.polygon,
            rotation_angle=item.rotation_angle,
            mirrored=item.mirrored,
            confidence=item.confidence,
            worker_run_id=self._run(item, loc),
            **chosen,
        )
        self._elements.setdefault(item.name, identifier)
        return identifier

    def _add_many(self, item: ElementItem, pixels: Path | tuple[int, int] | None, loc: Loc) -> None:
        """Many at the top, in one go and on one image: a queue of thousands takes no minute to set up."""
        self._add_type(item.type)
        image = self._image(pixels, None, loc)
        added = self._emulator.add_elements(item.count, item.type, name=item.name, image=image)
        for number, identifier in enumerate(added, start=1):
            self._elements.setdefault(f"{item.name or item.type} {number}", identifier)

    def _image(self, pixels: Path | tuple[int, int] | None, url: str | None, loc: Loc) -> str | None:
        """The id of an image; a file or an address that several elements name is one image."""
        if pixels is None:
            return None
        key = url or pixels
        if key not in self._images or isinstance(key, tuple):
            try:
                self._images[key] = self._emulator.add_image(pixels, url=url)
            except OSError:
                place = (*loc, "image") if loc != ("images",) else loc
                raise self._source.refuse(place, f"{printable(str(pixels))} is missing, or is not an image") from None
        return self._images[key]

    def _add_results(self, item: ElementItem, element: str, loc: Loc) -> None:
        emulator = self._emulator
        for number, text in enumerate(item.transcriptions):
            place: Loc = (*loc, "transcriptions", number)
            chosen = {"id": str(text.id)} if text.id else {}
            added = emulator.add_transcription(
                element,
                text.text,
                confidence=text.confidence,
                orientation=text.orientation,
                worker_run=self._run(text, place),
                **chosen,
            )
            for at, entity in enumerate(text.entities):
                where: Loc = (*place, "entities", at)
                signed = self._run(entity, where) or self._run(text, place)
                span = (entity.offset, entity.length)
                try:
                    emulator.add_entity(added, entity.type, *span, confidence=entity.confidence, worker_run=signed)
                except ValueError as error:
                    raise self._source.refuse(where, str(error)) from None
        for number, found in enumerate(item.classifications):
            run = self._run(found, (*loc, "classifications", number))
            emulator.add_classification(element, found.name, confidence=found.confidence, worker_run=run)
        for number, fact in enumerate(item.metadata):
            run = self._run(fact, (*loc, "metadata", number))
            emulator.add_metadata(element, fact.name, fact.value, type=fact.type, worker_run=run)
        for number, vector in enumerate(item.embeddings):
            emulator.add_embedding(element, vector.value, worker_run=self._run(vector, (*loc, "embeddings", number)))

    def _run(self, item: Result, loc: Loc) -> str | None:
        if item.worker_run is None:
            return None
        return self._named(self._runs, item.worker_run, (*loc, "worker_run"), "worker run of `runs`")

    def _named(self, known: dict[str, str], name: str, loc: Loc, kind: str) -> str:
        if name in known:
            return known[name]
        if name in known.values():
            return name  # an id
        raise self._source.refuse(loc, f"no {kind} is named {printable(name)!r}", did_you_mean(name, known))

    def _add_model(self, item: ModelItem, loc: Loc) -> tuple[str, str]:
        files = None
        if item.files is not None:
            files = self._base / item.files
            if not files.is_dir():
                raise self._source.refuse((*loc, "files"), f"{printable(str(files))} is not a folder")
        model = _text(item.id)
        version = self._emulator.add_model_version(
            item.name, item.configuration, tag=item.version, files=files, id=_text(item.version_id), model_id=model
        )
        self._models[item.name] = (self._emulator.model_of(version), version)
        return self._models[item.name]

    def _add_datasets(self) -> None:
        for name, item in self._project.datasets.items():
            sets = {
                key: [
                    self._named(self._elements, n, ("datasets", name, key, at), "element") for at, n in enumerate(names)
                ]
                for key, names in item.sets.items()
            }
            identifier = self._emulator.add_dataset(name, sets, id=_text(item.id), description=item.description)
            self._datasets[name] = identifier
            self._sets += [(identifier, key) for key in sets]
        for number, export in enumerate(self._project.exports):
            loc: Loc = ("exports", number)
            dataset = export.dataset and self._named(self._datasets, export.dataset, (*loc, "dataset"), "dataset")
            self._exports[export.name] = self._emulator.add_export(None, dataset=dataset, id=_text(export.id))

    def _add_parent(self, item: ParentItem, loc: Loc) -> str:
        task = self._emulator.add_task(slug=item.slug)
        for key, name in (("files", item.files), ("cache", item.cache)):
            if name is None:
                continue
            path = self._base / name
            place = (*loc, key)
            if path.is_file():
                self._emulator.add_artifact(task, CACHE if key == "cache" else spelled(path.name), path)
            elif path.is_dir() and key == "files":
                for file in sorted(item for item in path.iterdir() if item.is_file()):
                    self._emulator.add_artifact(task, spelled(file.name), file)
            else:
                raise self._source.refuse(place, f"{printable(str(path))} is missing, or is not a file")
        return task

    def _add_cache(self) -> str:
        """A task that has left an empty cache, with the tables that workers expect."""
        task = self._emulator.add_task(slug="initialisation")
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / CACHE
            open_cache(path, create=True).dispose()
            self._emulator.add_artifact(task, CACHE, path)
        return task

    def _chosen_sets(self, item: RunItem, loc: Loc) -> list[tuple[str, str]]:
        if item.mode != "dataset":
            if item.sets:
                raise self._source.refuse((*loc, "sets"), "sets are what a process of `mode: dataset` works on")
            return []
        chosen: list[tuple[str, str]] = []
        names = {identifier: name for name, identifier in self._datasets.items()}
        known = {f"{names[dataset]}/{key}": (dataset, key) for dataset, key in self._sets}
        for number, name in enumerate(item.sets):
            found = [pair for full, pair in known.items() if full == name or full.rpartition("/")[0] == name]
            if not found:
                hint = did_you_mean(name, [*known, *self._datasets])
                raise self._source.refuse((*loc, "sets", number), f"no set is named {printable(name)!r}", hint)
            chosen += found
        chosen = chosen or self._sets
        if not chosen:
            raise self._source.refuse((*loc, "mode"), "there is no dataset to work on: give some under `datasets`")
        return list(dict.fromkeys(chosen))

    def _queue(self, kind: str | None) -> list[str]:
        with self._emulator.database.transaction() as session:
            rows = select(Element.id).join(ElementType, ElementType.id == Element.type_id).order_by(Element.position)
            condition = ~ElementType.folder if kind is None else ElementType.slug == kind
            return list(session.scalars(rows.where(condition)))

    def _step(self, item: RunItem, loc: Loc) -> Step:
        """A worker with its declaration, its values and its model, all of which is there."""
        declaration = self._declaration(item, (*loc, "worker"))
        try:
            declarations.check(declaration or {})
        except ValueError as error:
            raise self._source.refuse((*loc, "worker"), printable(str(error))) from None
        model = item.model
        version = None
        if model is not None and model.model_fields_set == {"name"} and model.name in self._models:
            version = self._models[model.name][1]
        elif model is not None:
            version = self._add_model(model, (*loc, "model"))[1]
        self._chosen_sets(item, loc)
        for number, parent in enumerate(item.parents):
            for key, name in (("files", parent.files), ("cache", parent.cache)):
                if name is not None and not (self._base / name).exists():
                    place = (*loc, "parents", number, key)
                    raise self._source.refuse(place, f"{printable(str(self._base / name))} is missing")
        return Step(self, item, declaration, self._values(item, declaration, loc), version, loc)

    def _declaration(self, item: RunItem, loc: Loc) -> dict[str, Any] | None:
        worker: Any = item.worker
        if _is_target(worker):
            worker = self._declared(worker, loc)
        elif isinstance(worker, str):
            worker, _ = read_mapping(self._base / worker)
        # The legacy file holds several workers.
        several = worker.get("workers") if worker else None
        workers = [item for item in several if isinstance(item, dict)] if isinstance(several, list) else []
        return workers[0] if workers else worker

    def _declared(self, target: str, loc: Loc) -> dict[str, Any]:
        """What the code of a worker declares, in a process of its own: it may import anything."""
        words = [sys.executable, "-m", "arkworker", "schema", target, "--format", "arkindex"]
        done = subprocess.run(words, cwd=self._base, capture_output=True, text=True, check=False)  # noqa: S603 - our own
        if done.returncode:
            lines = [line for line in done.stderr.splitlines() if line.strip()]
            raise self._source.refuse(loc, printable(" ".join(lines), 600) or "cannot be loaded")
        content: dict[str, Any] = yaml.safe_load(done.stdout)
        return content

    def _values(self, item: RunItem, declaration: dict[str, Any] | None, loc: Loc) -> dict[str, Any] | None:
        """Values by the keys of the declaration, with names in the place of ids."""
        if item.values is None or declaration is None or declarations.is_legacy(declaration):
            return item.values
        fields = dict(declarations.fields(declaration))
        groups = {key.partition(".")[0] for key in fields if "." in key}
        values: dict[str, Any] = {}
        for key, value in item.values.items():
            place: Loc = (*loc, "values", key)
            if key in groups and isinstance(value, dict):
                for child, inner in value.items():
                    values[f"{key}.{child}"] = self._value(fields, f"{key}.{child}", inner, (*place, child))
            else:
                values[key] = self._value(fields, key, value, place)
        return values

    def _value(self, fields: dict[str, Any], key: str, value: Any, loc: Loc) -> Any:
        if key not in fields:
            raise self._source.refuse(
                loc, f"the declaration has no option {printable(key)!r}", did_you_mean(key, fields)
            )
        kind = fields[key].get("type")
        if isinstance(value, list):
            return [self._value({key: {"type": kind}}, key, item, (*loc, n)) for n, item in enumerate(value)]
        secrets = self._project.secrets
        if kind == "secret" and secrets and value is not None and value not in secrets:
            raise self._source.refuse(loc, "no secret has this name", did_you_mean(str(value), secrets))
        models = {name: model for name, (model, _) in self._models.items()}
        known = {"model": models, "corpus_export": self._exports}.get(kind)
        if known is None or not isinstance(value, str) or _is_id(value):
            return value
        return self._named(known, value, loc, "model" if kind == "model" else "export")


def _text(identifier: UUID | None) -> str | None:
    return None if identifier is None else str(identifier)


def _is_id(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def _is_target(worker: Any) -> bool:
    """Whether a project names a worker's code: `file.py:Name`, `module:Name`."""
    place, colon, name = worker.rpartition(":") if isinstance(worker, str) else ("", "", "")
    return bool(colon) and name.isidentifier() and (place.endswith(".py") or place.replace(".", "_").isidentifier())


def _is_image(path: Path) -> bool:
    return is_image_name(path.name) and path.is_file()


def _has_images(path: Path) -> bool:
    """Whether a folder has an image in it, at any depth; a link may lead back up, for ever."""
    if path.name.startswith(".") or path.is_symlink() or not path.is_dir():
        return False
    return holds_images(path)


def holds_images(folder: Path) -> bool:
    """Whether a page of a project comes of a folder."""
    return any(_is_image(item) or _has_images(item) for item in folder.iterdir() if not item.name.startswith("."))


def _beside(image: Path) -> str:
    """The text in the file beside an image, `page.txt` of `page.jpg`."""
    try:
        return image.with_suffix(".txt").read_text(encoding="utf-8-sig").strip()
    except (OSError, UnicodeDecodeError):
        return ""
