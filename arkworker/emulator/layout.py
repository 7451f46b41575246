"""Putting a project into an emulator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from arkworker.documents.yaml import to_python
from arkworker.emulator.project import ElementItem, Project, read_mapping, refuse
from arkworker.text import printable

if TYPE_CHECKING:
    from pathlib import Path

    from arkworker.emulator.emulator import Emulator
    from arkworker.errors import ConfigurationError

IMAGES = frozenset({".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp", ".bmp", ".gif"})
VOLUME = "volume"


class Layout:
    """One project on its way into one emulator.

    Attributes:
        path: Of the project's file or folder; other files are beside it.
    """

    def __init__(self, emulator: Emulator, project: Project, path: Path) -> None:
        self.path = path
        self._emulator = emulator
        self._project = project
        self._base = path if path.is_dir() else path.parent
        self._types: set[str] = set()
        self._by_name: dict[str, str] = {}
        self._queue: list[str] = []
        self._folders: set[str] = set()

    def arrange(self) -> str:
        """Make the corpus and a worker run on it, whose id is returned.

        Raises:
            ConfigurationError: A file that the project names is missing or no image, or a name leads nowhere.
        """
        project, emulator = self._project, self._emulator
        emulator.add_corpus(project.corpus, types=())
        for item in project.types:
            self._add_type(item.slug, item.name, folder=item.folder)
        if project.images is not None:
            self._add_folder(self._base / project.images, None)
        for element in project.elements:
            self._add_element(element, None)
        for name, content in project.secrets.items():
            emulator.add_secret(name, content)
        for name, sets in project.datasets.items():
            emulator.add_dataset(name, {key: [self._element(n) for n in names] for key, names in sets.items()})
        for fault in project.faults:
            fault.add_to(emulator.faults)
        return self._add_run()

    def _add_run(self) -> str:
        project = self._project
        model = project.model
        version = None if model is None else self._emulator.add_model_version(model.name, model.configuration)
        try:
            return self._emulator.add_worker_run(
                self._declaration(),
                project.values,
                elements=self._queue,
                chunks=project.chunks,
                model_version=version,
            )
        except ValueError as error:
            raise refuse(self.path, printable(str(error))) from None

    def _declaration(self) -> dict[str, Any] | None:
        worker: Any = self._project.worker
        if isinstance(worker, str):
            worker = to_python(read_mapping(self._base / worker))
        # The legacy file holds several workers.
        several = worker.get("workers") if worker else None
        workers = [item for item in several if isinstance(item, dict)] if isinstance(several, list) else []
        return workers[0] if workers else worker

    def _add_type(self, slug: str, name: str = "", *, folder: bool = False) -> None:
        if slug not in self._types:
            self._types.add(slug)
            self._emulator.add_type(slug, name=name, folder=folder)
            if folder:
                self._folders.add(slug)

    def _add_folder(self, folder: Path, parent: str | None) -> None:
        if not folder.is_dir():
            raise refuse(self.path, f"images: {printable(str(folder))} is no folder")
        found = sorted(item for item in folder.iterdir() if not item.name.startswith("."))
        for path in (item for item in found if item.suffix.lower() in IMAGES and item.is_file()):
            self._add(ElementItem(name=path.stem), parent, path)
        # A link may lead back up, for ever.
        for path in (item for item in found if item.is_dir() and not item.is_symlink()):
            self._add_type(VOLUME, "Volume", folder=True)
            self._add_folder(path, self._add(ElementItem(name=path.name, type=VOLUME), parent, None))

    def _add_element(self, item: ElementItem, parent: str | None) -> None:
        pixels = self._base / item.image if item.image is not None else item.size
        if item.count > 1 and not (parent or item.children or item.polygon or item.transcriptions):
            self._add_many(item, pixels)
            return
        for number in range(1, item.count + 1):
            name = item.name or item.type
            named = item.model_copy(update={"name": f"{name} {number}" if item.count > 1 else name})
            added = self._add(named, parent, pixels)
            for text in item.transcriptions:
                self._emulator.add_transcription(added, text)
            for child in item.children:
                self._add_element(child, added)

    def _add(self, item: ElementItem, parent: str | None, pixels: Path | tuple[int, int] | None) -> str:
        self._add_type(item.type)
        try:
            identifier = self._emulator.add_element(
                item.type,
                item.name,
                parent=parent,
                image=pixels,
                polygon=item.polygon,
                rotation_angle=item.rotation_angle,
                mirrored=item.mirrored,
            )
        except OSError:
            raise self._no_image(pixels) from None
        self._remember(item.type, item.name, identifier)
        return identifier

    def _add_many(self, item: ElementItem, pixels: Path | tuple[int, int] | None) -> None:
        """Many at the top, in one go and on one image: a queue of thousands takes no minute to set up."""
        self._add_type(item.type)
        try:
            added = self._emulator.add_elements(item.count, item.type, name=item.name, image=pixels)
        except OSError:
            raise self._no_image(pixels) from None
        for number, identifier in enumerate(added, start=1):
            self._remember(item.type, f"{item.name or item.type} {number}", identifier)

    def _remember(self, kind: str, name: str, identifier: str) -> None:
        self._by_name.setdefault(name, identifier)
        if kind == self._project.queue or (self._project.queue is None and kind not in self._folders):
            self._queue.append(identifier)

    def _no_image(self, pixels: Path | tuple[int, int] | None) -> ConfigurationError:
        return refuse(self.path, f"{printable(str(pixels))} is missing, or is no image")

    def _element(self, name: str) -> str:
        if name not in self._by_name:
            raise refuse(self.path, f"datasets: no element is named {printable(name)!r}")
        return self._by_name[name]
