"""The corpus of a project, put into an emulator: its vocabulary, its elements and what is on them; and their names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from arkworker.elements.image_files import is_image_name
from arkworker.emulator.arrange.corpora import spelled
from arkworker.emulator.project.items import ElementItem
from arkworker.emulator.tables import Corpus, Dataset, Element, ElementType, WorkerRun
from arkworker.errors import ConfigurationError, Problem
from arkworker.text import did_you_mean, printable

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy.orm import Session

    from arkworker.emulator.emulator import Emulator
    from arkworker.emulator.project.items import ModelItem, Part, Project, Result
    from arkworker.emulator.project.source import Loc, Source

VOLUME = "volume"


class Names:
    """Ids by names, of all that other parts of a project can refer to.

    Attributes:
        types: The slugs of the element types that are there.
        models: Of each name, the ids of the model and of its version.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self.types: set[str] = set()
        self.elements: dict[str, str] = {}
        self.runs: dict[str, str] = {}
        self.models: dict[str, tuple[str, str]] = {}
        self.datasets: dict[str, str] = {}
        self.exports: dict[str, str] = {}

    def learn(self, session: Session) -> None:
        """Take in what is there already, of an export."""
        self.types = set(session.scalars(select(ElementType.slug)))
        for row in session.execute(select(Element.name, Element.id).order_by(Element.position)):
            self.elements.setdefault(row[0], row[1])
        self.runs = dict(session.execute(select(WorkerRun.summary, WorkerRun.id)).all())
        self.datasets = dict(session.execute(select(Dataset.name, Dataset.id)).all())

    def find(self, known: dict[str, str], name: str, loc: Loc, kind: str) -> str:
        """The id that a name at a place of the file leads to; an id of something known is one already.

        Raises:
            ConfigurationError: Nothing of this kind has the name.
        """
        if name in known:
            return known[name]
        if name in known.values():
            return name
        hint = did_you_mean(name, known) or f"list it under `{kind.rpartition(' ')[2]}s`"
        raise self._source.refuse(loc, f"no {kind} is named {printable(name)!r}", hint)


class CorpusLayout:
    """A project's corpus on its way into an emulator."""

    def __init__(self, emulator: Emulator, project: Project, names: Names) -> None:
        self._emulator = emulator
        self._project = project
        self._source = project.source
        self._base = project.source.folder
        self._names = names
        self._images: dict[Path | tuple[int, int] | str, str | None] = {}
        self._problems: list[Problem] = []

    def arrange(self) -> None:
        """Make the corpus, unless an export has brought one, with all in it.

        Raises:
            ConfigurationError: A file that the project names is missing or not an image, or a name leads nowhere.
        """
        project, emulator = self._project, self._emulator
        with emulator.database.transaction() as session:
            self._names.learn(session)
            has_corpus = session.scalar(select(Corpus.id)) is not None
        if not has_corpus:
            emulator.add_corpus(project.corpus, types=(), id=project.corpus_id)
        self._add_vocabulary()
        if project.images is not None:
            self._add_folder(self._base / project.images, None)
        for element in project.elements:
            self._add_element(element, None)
        if self._problems:
            raise ConfigurationError(self._problems)
        for name, content in project.secrets.items():
            emulator.add_secret(name, content)
        self._add_datasets()

    def _add_vocabulary(self) -> None:
        project, emulator = self._project, self._emulator
        for item in project.types:
            self._add_type(item.slug, item.name, folder=item.folder, color=item.color or "")
        for name in project.classes:
            emulator.add_class(name)
        for kind in project.entity_types:
            emulator.add_entity_type(kind.name, color=kind.color or "")
        for run in project.runs:
            self._names.runs[run.name] = emulator.add_past_run(run.name, id=run.id)
        for model in project.models:
            self.add_model(model)

    def _add_type(self, slug: str, name: str = "", *, folder: bool = False, color: str = "") -> None:
        if slug not in self._names.types:
            self._names.types.add(slug)
            self._emulator.add_type(slug, name=name, folder=folder, color=color)

    def _add_folder(self, folder: Path, parent: str | None) -> None:
        if not folder.is_dir():
            raise self._source.refuse(("images",), f"{printable(str(folder))} is not a folder")
        found = sorted(item for item in folder.iterdir() if not item.name.startswith("."))
        for path in filter(_is_image, found):
            page = self._add(ElementItem(name=spelled(path.stem)).at(("images",)), parent, path)
            text = _beside(path)
            if text:
                self._emulator.add_transcription(page, text)
        for path in filter(_has_images, found):
            self._add_type(VOLUME, "Volume", folder=True)
            volume = ElementItem(name=spelled(path.name), type=VOLUME)
            self._add_folder(path, self._add(volume, parent, None))

    def _add_element(self, item: ElementItem, parent: str | None) -> None:
        pixels = self._base / item.image if item.image is not None else item.size
        if item.count > 1 and parent is None and item.is_plain and item.url is None:
            self._add_many(item, pixels)
            return
        for number in range(1, item.count + 1):
            name = item.name or item.type
            named = item.model_copy(update={"name": f"{name} {number}" if item.count > 1 else name})
            added = self._add(named, parent, pixels)
            self._add_results(item, added)
            for child in item.children:
                self._add_element(child, added)

    def _add(self, item: ElementItem, parent: str | None, pixels: Path | tuple[int, int] | None) -> str:
        self._add_type(item.type)
        if item.id in self._names.elements.values():
            raise self._source.refuse(item.place("id"), "another element has this id")
        identifier = self._emulator.add_element(
            **_said(item, "id", "type", "name", "polygon", "rotation_angle", "mirrored", "confidence"),
            parent=parent,
            image=self._image(item, pixels),
            worker_run_id=self._run(item),
        )
        self._names.elements.setdefault(item.name, identifier)
        return identifier

    def _add_many(self, item: ElementItem, pixels: Path | tuple[int, int] | None) -> None:
        """Many at the top, in one go and on one image: a queue of thousands takes no minute to set up."""
        self._add_type(item.type)
        image = self._image(item, pixels)
        added = self._emulator.add_elements(item.count, item.type, name=item.name, image=image)
        for number, identifier in enumerate(added, start=1):
            self._names.elements.setdefault(f"{item.name or item.type} {number}", identifier)

    def _image(self, item: ElementItem, pixels: Path | tuple[int, int] | None) -> str | None:
        """The id of an image, of which several elements may name the file or address; None for one without pixels."""
        if pixels is None:
            return None
        key = item.url or pixels
        if key not in self._images or isinstance(key, tuple):
            try:
                self._images[key] = self._emulator.add_image(pixels, url=item.url)
            except OSError:
                place = item.place() if item.image is None else item.place("image")
                refused = self._source.refuse(place, f"{printable(str(pixels))} is missing, or is not an image")
                self._problems += refused.problems
                self._images[key] = None  # all of them are told at once
        return self._images[key]

    def _add_results(self, item: ElementItem, element: str) -> None:
        emulator = self._emulator
        for text in item.transcriptions:
            run = self._run(text)
            words = _said(text, "id", "text", "confidence", "orientation")
            added = emulator.add_transcription(element, **words, worker_run=run)
            for entity in text.entities:
                words = _said(entity, "type", "offset", "length", "confidence")
                try:
                    emulator.add_entity(added, **words, worker_run=self._run(entity) or run)
                except ValueError as error:
                    raise self._source.refuse(entity.place(), str(error)) from None
        for found in item.classifications:
            emulator.add_classification(element, found.name, confidence=found.confidence, worker_run=self._run(found))
        for fact in item.metadata:
            emulator.add_metadata(element, fact.name, fact.value, type=fact.type, worker_run=self._run(fact))
        for vector in item.embeddings:
            emulator.add_embedding(element, vector.value, worker_run=self._run(vector))

    def _run(self, item: Result) -> str | None:
        if item.worker_run is None:
            return None
        return self._names.find(self._names.runs, item.worker_run, item.place("worker_run"), "earlier run")

    def add_model(self, item: ModelItem) -> tuple[str, str]:
        """Add a model with a version; the ids of both."""
        files = None
        if item.files is not None:
            files = self._base / item.files
            if not files.is_dir():
                raise self._source.refuse(item.place("files"), f"{printable(str(files))} is not a folder")
        model = item.id
        version = self._emulator.add_model_version(
            item.name, item.configuration, tag=item.version, files=files, id=item.version_id, model_id=model
        )
        self._names.models[item.name] = (self._emulator.model_of(version), version)
        return self._names.models[item.name]

    def _add_datasets(self) -> None:
        for name, item in self._project.datasets.items():
            sets = {
                key: [
                    self._names.find(self._names.elements, n, item.place(key, at), "element")
                    for at, n in enumerate(names)
                ]
                for key, names in item.sets.items()
            }
            identifier = self._emulator.add_dataset(name, sets, id=item.id, description=item.description)
            self._names.datasets[name] = identifier
        for export in self._project.exports:
            place = export.place("dataset")
            dataset = export.dataset and self._names.find(self._names.datasets, export.dataset, place, "dataset")
            self._names.exports[export.name] = self._emulator.add_export(None, dataset=dataset, id=export.id)


def _said(item: Part, *names: str) -> dict[str, Any]:
    """What a part says of these; what it leaves out the emulator knows better."""
    return item.model_dump(include=set(names), exclude_none=True)


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
