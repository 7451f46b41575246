"""Worker runs, their tasks, and what those need."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from arkworker.emulator import declarations
from arkworker.emulator.arrange.corpora import Arrangement, corpus_id
from arkworker.emulator.ledger import StateChange
from arkworker.emulator.tables import (
    Activity,
    DatasetSet,
    Element,
    ElementType,
    Process,
    ProcessElement,
    ProcessSet,
    Secret,
    Task,
    WorkerRun,
    WorkerVersion,
    new_id,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from arkworker.emulator.database import Transaction
    from arkworker.runtime.worker import Worker

# Modes in which the platform keeps no activities.
WITHOUT_ACTIVITIES = ("dataset", "export")


class RunArrangement(Arrangement):
    """The part of the `Emulator` that makes worker runs and tasks."""

    def add_worker_run(  # noqa: PLR0913 - keywords, each with a default
        self,
        declaration: Mapping[str, Any] | type[Worker[Any]] | None = None,
        values: Mapping[str, Any] | None = None,
        *,
        corpus: str | None = None,
        elements: Sequence[str] | None = None,
        sets: Sequence[tuple[str, str]] = (),
        model_version: str | None = None,
        mode: str = "workers",
        chunks: int = 1,
        activity_state: str = "ready",
        skip_elements_json: bool = True,
        parents: Sequence[str] = (),
        answer: Mapping[str, Any] | None = None,
        id: str | None = None,  # noqa: A002 - as everywhere in Arkindex
    ) -> str:
        """Add a worker run in a process of its own, with a running task for each chunk; returns its id.

        Args:
            declaration: The class of the worker; or its declaration, in the modern form or in the legacy one (then the
                configuration endpoint answers 400, and the run carries it); without one, a worker without options.
            values: What users saved, by the keys of the declaration; options of a group as `group.child`. For a
                secret, the name that `add_secret` was given.
            corpus: The corpus; by default, the first one.
            elements: The queue, in this order; by default all elements of the corpus whose type is not a folder.
            sets: What a process of mode `dataset` works on: pairs of a dataset's id and a set's name.
            model_version: The id that `add_model_version` gave.
            mode: The mode of the process.
            chunks: The number of tasks that share the queue.
            activity_state: That of the process; elements can only be claimed with `ready`.
            skip_elements_json: False sends old workers to their elements file.
            parents: The ids of the tasks whose files the run's tasks can read.
            answer: Returned unchanged by RetrieveWorkerRunConfiguration, instead of what follows from the rest.
            id: The id of the run.

        Raises:
            ValueError: The declaration has another shape, or a value has a key that a modern one does not have.
            LookupError: An id does not exist.
            ArkworkerError: What is given is not a worker, or has options that Arkindex has no words for.
        """
        declaration = _checked(declaration, values or {})
        with self.database.transaction() as session:
            process = Process(corpus_id=corpus_id(session, corpus), mode=mode, chunks=chunks)
            process.activity_state = "disabled" if mode in WITHOUT_ACTIVITIES else activity_state
            process.skip_elements_json = skip_elements_json
            session.keep(process)
            name = declaration.get("display_name") or declaration.get("slug", "worker")
            run = _add_run(session, process, declaration, f"Worker {name} @ emulator", id=id or new_id())
            run.model_version_id = model_version
            run.saved = None if values is None else dict(values)
            run.answer = None if answer is None else dict(answer)
            self._queue(session, process, run, elements)
            _add_sets(session, process, sets)
            _add_tasks(session, run, declaration.get("slug", "worker"), parents, chunks)
            return run.id

    def _queue(self, session: Transaction, process: Process, run: WorkerRun, elements: Sequence[str] | None) -> None:
        if elements is None:
            rows = select(Element.id).join(ElementType, ElementType.id == Element.type_id)
            rows = rows.where(Element.corpus_id == process.corpus_id, ~ElementType.folder).order_by(Element.position)
            elements = session.scalars(rows).all()
        elif unknown := set(elements).difference(session.scalars(select(Element.id))):
            raise LookupError(f"no Element has the id {min(unknown)!r}")
        session.add_all(ProcessElement(process_id=process.id, element_id=element) for element in elements)
        if process.mode in WITHOUT_ACTIVITIES:
            return
        session.add_all(Activity(worker_run_id=run.id, element_id=element) for element in elements)
        self.ledger.record(StateChange(time.time(), run.id, element, None, "queued", None, 0) for element in elements)

    def copy_worker_run(self, worker_run: str, values: Mapping[str, Any], elements: Sequence[str] | None = None) -> str:
        """A further run of the worker of another one, with other values, on some elements or on all of its; its id.

        Raises:
            LookupError: There is no such run, or no such element.
            ValueError: A value has a key that the declaration does not have.
        """
        with self.database.transaction() as session:
            run = session.look_up(WorkerRun, worker_run)
            if elements is None:
                rows = select(ProcessElement.element_id).filter_by(process_id=run.process_id)
                elements = list(session.scalars(rows.order_by(ProcessElement.position)))
            elements = [session.look_up(Element, element).id for element in elements]
            sets = select(DatasetSet).join(ProcessSet, ProcessSet.set_id == DatasetSet.id)
            sets = sets.where(ProcessSet.process_id == run.process_id).order_by(ProcessSet.position)
            chosen = [(row.dataset_id, row.name) for row in session.scalars(sets)]
            parents = session.scalar(select(Task.parents).filter_by(worker_run_id=run.id).limit(1)) or []
        return self.add_worker_run(
            run.version.declaration,
            values,
            corpus=run.process.corpus_id,
            elements=elements,
            sets=chosen,
            model_version=run.model_version_id,
            mode=run.process.mode,
            chunks=run.process.chunks,
            parents=parents,
        )

    def add_past_run(self, summary: str, *, id: str | None = None) -> str:  # noqa: A002 - as everywhere in Arkindex
        """Add a worker run that has ended, for results that already exist; returns its id."""
        with self.database.transaction() as session:
            process = session.keep(Process(corpus_id=corpus_id(session, None), state="completed", chunks=0))
            declaration = {"slug": "past", "display_name": summary, "configuration": []}
            return _add_run(session, process, declaration, summary, id=id or new_id()).id

    def add_secret(self, name: str, content: str) -> str:
        """Add a secret; returns its id."""
        with self.database.transaction() as session:
            return session.keep(Secret(name=name, content=content)).id

    def add_task(self, worker_run: str | None = None, *, slug: str = "parent", state: str = "completed") -> str:
        """A further task of the process of `worker_run`, or of a process of its own: a parent, with artifacts."""
        with self.database.transaction() as session:
            if worker_run is None:
                process = session.keep(Process(corpus_id=corpus_id(session, None))).id
            else:
                process = session.look_up(WorkerRun, worker_run).process_id
            task = Task(process_id=process, worker_run_id=worker_run, slug=slug, state=state, parents=[])
            return session.keep(task).id

    def tasks(self, worker_run: str) -> list[Task]:
        """The tasks of a worker run, in the order of their chunks."""
        with self.database.transaction() as session:
            session.look_up(WorkerRun, worker_run)
            return list(session.scalars(select(Task).filter_by(worker_run_id=worker_run).order_by(Task.position)))

    def finish_task(self, task: str, state: str = "completed") -> None:
        """End a task: from then on it can claim nothing, unless its state is `running` again."""
        with self.database.transaction() as session:
            session.look_up(Task, task).state = state

    def set_activity_state(self, worker_run: str, state: str) -> None:
        """Change whether the activities of the run's process are `ready`."""
        with self.database.transaction() as session:
            session.look_up(WorkerRun, worker_run).process.activity_state = state

    def activity_states(self, worker_run: str) -> dict[str, str]:
        """How far each element of the queue has come, in the order of the queue."""
        with self.database.transaction() as session:
            rows = select(Activity.element_id, Activity.state).filter_by(worker_run_id=worker_run)
            return dict(session.execute(rows.order_by(Activity.position)).all())

    def environment(
        self,
        worker_run: str,
        *,
        chunk: int = 1,
        data_dir: Path | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> dict[str, str]:
        """The variables that the platform gives to a task of this run.

        Args:
            worker_run: Its id.
            chunk: Which of its tasks, from 1.
            data_dir: The directory of task data, as `PONOS_DATA`.
            environ: The variables that these are added to, by default those of this process; `no_proxy` is extended by
                the address of the emulator.
        """
        tasks = self.tasks(worker_run)
        task = tasks[chunk - 1]
        variables = {
            "ARKINDEX_API_URL": f"{self.site.url}/api/v1/",
            "ARKINDEX_TASK_TOKEN": task.token,
            "ARKINDEX_WORKER_RUN_ID": worker_run,
            "PONOS_TASK": task.id,
            **_without_proxy(os.environ if environ is None else environ, self.site.host),
        }
        files = self._model_files(worker_run)
        if files is not None:
            variables["ARKINDEX_MODEL_DIR"] = str(files)
        if len(tasks) > 1:
            variables["ARKINDEX_TASK_CHUNK"] = str(chunk)
        if data_dir is not None:
            variables["PONOS_DATA"] = str(data_dir)
        return variables

    def _model_files(self, worker_run: str) -> Path | None:
        """The folder of the files of the run's model, where it has one."""
        with self.database.transaction() as session:
            version = session.look_up(WorkerRun, worker_run).model_version
            return None if version is None else version.files


def _without_proxy(environ: Mapping[str, str], host: str) -> dict[str, str]:
    """What `environ` reaches without a proxy, and a host; in both spellings, as libraries read one or the other."""
    named = ",".join(environ.get(name, "") for name in ("no_proxy", "NO_PROXY"))
    hosts = dict.fromkeys(item.strip() for item in [*named.split(","), host] if item.strip())
    text = "*" if "*" in hosts else ",".join(hosts)
    return {"no_proxy": text, "NO_PROXY": text}


def _add_tasks(session: Transaction, run: WorkerRun, slug: str, parents: Sequence[str], chunks: int) -> None:
    for chunk in range(1, chunks + 1):
        task = Task(
            process_id=run.process_id,
            worker_run_id=run.id,
            slug=slug if chunks == 1 else f"{slug}_{chunk}",
            chunk=None if chunks == 1 else chunk,
            parents=list(parents),
            depth=1 if parents else 0,
        )
        session.add(task)


def _checked(declaration: Mapping[str, Any] | type[Worker[Any]] | None, values: Mapping[str, Any]) -> dict[str, Any]:
    if declaration is not None and not isinstance(declaration, Mapping):
        from arkworker.runtime.target import as_worker, declared_content

        name = getattr(declaration, "__name__", repr(declaration))
        declaration = declared_content(as_worker(declaration, name)).as_data()
    declaration = dict(declaration or {"slug": "worker", "display_name": "Worker", "configuration": []})
    declarations.check(declaration)
    is_modern = not declarations.is_legacy(declaration)
    if is_modern and (unknown := declarations.unknown_keys(declaration, values)):
        raise ValueError(f"the declaration has no option {unknown[0]!r}")
    return declaration


def _add_run(
    session: Transaction, process: Process, declaration: dict[str, Any], summary: str, **columns: Any
) -> WorkerRun:
    """A run of a worker of its own."""
    legacy = declarations.is_legacy(declaration)
    version = session.keep(WorkerVersion(worker_id=new_id(), declaration=declaration, legacy=legacy))
    names = {"process_id": process.id, "version_id": version.id, "summary": summary}
    return session.keep(WorkerRun(**names, parents=[], **columns))


def _add_sets(session: Transaction, process: Process, sets: Sequence[tuple[str, str]]) -> None:
    for dataset, name in sets:
        found = session.scalar(select(DatasetSet.id).filter_by(dataset_id=dataset, name=name))
        if found is None:
            raise LookupError(f"the dataset {dataset!r} has no set {name!r}")
        session.add(ProcessSet(process_id=process.id, set_id=found))
