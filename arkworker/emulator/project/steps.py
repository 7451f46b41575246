"""The workers of a project: what each is, and its run with what it works on."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from sqlalchemy import select

from arkworker.emulator import declarations
from arkworker.emulator.arrange.corpora import spelled
from arkworker.emulator.project.corpus import CorpusLayout, Names
from arkworker.emulator.project.reading import read_project
from arkworker.emulator.project.source import is_target, read_mapping
from arkworker.emulator.tables import Dataset, DatasetSet, Element, ElementType
from arkworker.storage.cache import open_cache
from arkworker.text import did_you_mean, is_id, printable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from arkworker.emulator.emulator import Emulator
    from arkworker.emulator.project.items import ParentItem, Project, RunItem
    from arkworker.emulator.project.source import Loc

CACHE = "db.sqlite"


def add_project(emulator: Emulator, path: Path) -> str:
    """Create what a project, a YAML file or a folder of images, describes: its corpus, and a run of its first worker.

    Returns:
        The id of the worker run.

    Raises:
        ConfigurationError: The project is wrong.
    """
    return arrange(emulator, read_project(path))[0].start(())


def arrange(emulator: Emulator, project: Project) -> list[Step]:
    """Make the corpus with all in it, and put the faults in force; the workers are to be started one after the other.

    Raises:
        ConfigurationError: A file that the project names is missing or not an image, or a name leads nowhere.
    """
    names = Names(project.source)
    corpus = CorpusLayout(emulator, project, names)
    corpus.arrange()
    for fault in project.faults:
        fault.add_to(emulator.faults)
    layout = WorkerLayout(emulator, project, names, corpus)
    items = project.workers or [project]
    steps = [layout.step(item) for item in items]
    for item, step in zip(items, steps, strict=True):
        if len(steps) > 1 and step.command is None:
            message = "one of several workers needs a command, to know when it has ended"
            raise project.source.refuse(item.place(), message)
    return steps


@dataclass
class Step:
    """A worker of a project.

    Attributes:
        make: Makes its worker run, once tasks of the workers before it have ended; the id.
        command: What is run for it; None where the project has none.
        cwd: Where the command is run; by default where the caller is.
        name: Of the worker.
        runs: Those that were made.
    """

    make: Callable[[Sequence[str]], str]
    command: Sequence[str] | None
    cwd: Path | None = None
    name: str = ""
    runs: list[str] = field(default_factory=list)

    def start(self, before: Sequence[str]) -> str:
        """The id of the worker run, which is made the first time; `before` are tasks that ended."""
        if not self.runs:
            self.runs.append(self.make(before))
        return self.runs[0]


class WorkerLayout:
    """The workers of a project on their way into an emulator which has its corpus."""

    def __init__(self, emulator: Emulator, project: Project, names: Names, corpus: CorpusLayout) -> None:
        self._emulator = emulator
        self._project = project
        self._source = project.source
        self._base = project.source.folder
        self._names = names
        self._corpus = corpus

    def step(self, item: RunItem) -> Step:
        """A worker with its declaration, its values and its model, all of which is there."""
        declaration = self._declaration(item)
        try:
            declarations.check(declaration or {})
        except ValueError as error:
            raise self._source.refuse(item.place("worker"), printable(str(error))) from None
        model = item.model
        version = None
        if model is not None and model.model_fields_set == {"name"} and model.name in self._names.models:
            version = self._names.models[model.name][1]
        elif model is not None:
            version = self._corpus.add_model(model)[1]
        self._chosen_sets(item)
        for parent in item.parents:
            for key, path in self._files(parent):
                if not path.exists():
                    raise self._source.refuse(parent.place(key), f"{printable(str(path))} is missing")
        columns = {"declaration": declaration, "values": self._values(item, declaration), "model_version": version}
        make = partial(self._add_run, item, columns)
        # A single worker without a command is for a person to run, who sees its variables.
        command = command_of(item) if item.place() or item.command else None
        return Step(make, command, self._base, str((declaration or {}).get("slug", "worker")))

    def _add_run(self, item: RunItem, columns: dict[str, Any], before: Sequence[str]) -> str:
        elements = self._queue(item)
        parents = [*before, *map(self._add_parent, item.parents)]
        if item.cache:
            parents.insert(0, self._add_cache())
        sets = self._chosen_sets(item)
        return self._emulator.add_worker_run(
            **columns,
            elements=elements,
            chunks=item.chunks,
            mode="dataset" if sets else item.mode,
            sets=sets,
            parents=parents,
            id=item.run_id,
        )

    def _files(self, item: ParentItem) -> list[tuple[str, Path]]:
        named = (("files", item.files), ("cache", item.cache))
        return [(key, self._base / name) for key, name in named if name is not None]

    def _add_parent(self, item: ParentItem) -> str:
        task = self._emulator.add_task(slug=item.slug)
        for key, path in self._files(item):
            if path.is_file():
                self._emulator.add_artifact(task, CACHE if key == "cache" else spelled(path.name), path)
            elif path.is_dir() and key == "files":
                for file in sorted(item for item in path.iterdir() if item.is_file()):
                    self._emulator.add_artifact(task, spelled(file.name), file)
            else:
                raise self._source.refuse(item.place(key), f"{printable(str(path))} is missing, or is not a file")
        return task

    def _add_cache(self) -> str:
        """A task that has left an empty cache, with the tables that workers expect."""
        task = self._emulator.add_task(slug="initialisation")
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / CACHE
            open_cache(path, create=True).dispose()
            self._emulator.add_artifact(task, CACHE, path)
        return task

    def _chosen_sets(self, item: RunItem) -> list[tuple[str, str]]:
        if item.mode != "dataset":
            if item.sets:
                raise self._source.refuse(item.place("sets"), "sets are what a process of `mode: dataset` works on")
            return []
        chosen: list[tuple[str, str]] = []
        known = self._sets()
        for number, name in enumerate(item.sets):
            found = [(one.id, key) for one, key in known if name in (one.name, f"{one.name}/{key}")]
            if not found:
                hint = did_you_mean(name, [*(f"{one.name}/{key}" for one, key in known), *self._names.datasets])
                raise self._source.refuse(item.place("sets", number), f"no set is named {printable(name)!r}", hint)
            chosen += found
        chosen = chosen or [(one.id, key) for one, key in known]
        if not chosen:
            raise self._source.refuse(item.place("mode"), "there is no dataset to work on: give some under `datasets`")
        return list(dict.fromkeys(chosen))

    def _sets(self) -> list[tuple[Dataset, str]]:
        """Each set with its dataset; an export can bring several datasets of the same name."""
        with self._emulator.database.transaction() as session:
            rows = select(Dataset, DatasetSet.name).join(DatasetSet, DatasetSet.dataset_id == Dataset.id)
            return [(dataset, name) for dataset, name in session.execute(rows.order_by(DatasetSet.position))]

    def _queue(self, item: RunItem) -> list[str]:
        """What a worker works on; a type that is not there by now, also after the workers before it, is a mistake."""
        with self._emulator.database.transaction() as session:
            types = session.scalars(select(ElementType.slug)).all()
            if item.queue is not None and item.queue not in types:
                message = f"no element type is named {printable(item.queue)!r}"
                hint = did_you_mean(item.queue, types) or f"there are: {', '.join(map(printable, types))}"
                raise self._source.refuse(item.place("queue"), message, hint)
            rows = select(Element.id).join(ElementType, ElementType.id == Element.type_id).order_by(Element.position)
            condition = ~ElementType.folder if item.queue is None else ElementType.slug == item.queue
            return list(session.scalars(rows.where(condition)))

    def _declaration(self, item: RunItem) -> dict[str, Any] | None:
        worker: Any = item.worker
        if is_target(worker):
            worker = self._declared(worker, item.place("worker"))
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
            told = " ".join(lines).removeprefix("arkworker: ")
            raise self._source.refuse(loc, printable(told, 600) or "cannot be loaded")
        content: dict[str, Any] = yaml.safe_load(done.stdout)
        return content

    def _values(self, item: RunItem, declaration: dict[str, Any] | None) -> dict[str, Any] | None:
        """Values by the keys of the declaration, with names instead of ids."""
        if item.values is None or declaration is None or declarations.is_legacy(declaration):
            return item.values
        fields = dict(declarations.fields(declaration))
        groups = {key.partition(".")[0] for key in fields if "." in key}
        values: dict[str, Any] = {}
        for key, value in item.values.items():
            place = item.place("values", key)
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
            raise self._source.refuse(
                loc, "no secret has this name", did_you_mean(str(value), secrets) or "list it under `secrets`"
            )
        models = {name: model for name, (model, _) in self._names.models.items()}
        known = {"model": models, "corpus_export": self._names.exports}.get(kind)
        if known is None or not isinstance(value, str) or is_id(value):
            return value
        return self._names.find(known, value, loc, "model" if kind == "model" else "export")


def command_of(item: RunItem) -> list[str] | None:
    """What is run for a worker: its command, or by default its code."""
    if item.command is None and not is_target(item.worker):
        return None
    words = item.command or [sys.executable, "-m", "arkworker", "run", item.worker]
    return words if item.jobs is None else [*words, "--jobs", str(item.jobs)]
