"""The corpus of a project: its vocabulary, its elements and what is on them, put into an emulator."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from arkworker.elements.image_files import is_image_name
from arkworker.emulator.arrange.corpora import spelled
from arkworker.emulator.project.items import ElementItem
from arkworker.emulator.tables import Corpus
from arkworker.text import printable

if TYPE_CHECKING:
    from pathlib import Path

    from arkworker.emulator.emulator import Emulator
    from arkworker.emulator.project.items import ModelItem, Project, Result
    from arkworker.emulator.project.names import Names
    from arkworker.emulator.project.source import Loc

VOLUME = "volume"


class CorpusLayout:
    """A project's corpus on its way into an emulator."""

    def __init__(self, emulator: Emulator, project: Project, names: Names) -> None:
        self._emulator = emulator
        self._project = project
        self._source = project.source
        self._base = project.source.folder
        self._names = names
        self._images: dict[Path | tuple[int, int] | str, str] = {}

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
        for number, element in enumerate(project.elements):
            self._add_element(element, None, ("elements", number))
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
        for number, model in enumerate(project.models):
            self.add_model(model, ("models", number))

    def _add_type(self, slug: str, name: str = "", *, folder: bool = False, color: str = "") -> None:
        if slug not in self._names.types:
            self._names.types.add(slug)
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
        chosen = {"id": item.id} if item.id else {}
        if item.id and str(item.id) in self._names.elements.values():
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
        self._names.elements.setdefault(item.name, identifier)
        return identifier

    def _add_many(self, item: ElementItem, pixels: Path | tuple[int, int] | None, loc: Loc) -> None:
        """Many at the top, in one go and on one image: a queue of thousands takes no minute to set up."""
        self._add_type(item.type)
        image = self._image(pixels, None, loc)
        added = self._emulator.add_elements(item.count, item.type, name=item.name, image=image)
        for number, identifier in enumerate(added, start=1):
            self._names.elements.setdefault(f"{item.name or item.type} {number}", identifier)

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
        return self._names.find(self._names.runs, item.worker_run, (*loc, "worker_run"), "worker run of `runs`")

    def add_model(self, item: ModelItem, loc: Loc) -> tuple[str, str]:
        """Add a model with a version; the ids of both."""
        files = None
        if item.files is not None:
            files = self._base / item.files
            if not files.is_dir():
                raise self._source.refuse((*loc, "files"), f"{printable(str(files))} is not a folder")
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
                    self._names.find(self._names.elements, n, ("datasets", name, key, at), "element")
                    for at, n in enumerate(names)
                ]
                for key, names in item.sets.items()
            }
            identifier = self._emulator.add_dataset(name, sets, id=item.id, description=item.description)
            self._names.datasets[name] = identifier
            self._names.sets += [(identifier, key) for key in sets]
        for number, export in enumerate(self._project.exports):
            loc: Loc = ("exports", number)
            dataset = export.dataset and self._names.find(
                self._names.datasets, export.dataset, (*loc, "dataset"), "dataset"
            )
            self._names.exports[export.name] = self._emulator.add_export(None, dataset=dataset, id=export.id)


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
