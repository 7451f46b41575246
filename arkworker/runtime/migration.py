"""Names of the published library that its users still write, and what to write instead; see `docs/migration.md`."""

from __future__ import annotations

import inspect
from typing import Any

#: Names that went from what the context replaces.
GONE = {
    "api_client": "use context.api",
    "args": "the flags of arkworker are in the context; extra flags of a worker are context.arguments",
    "check_export_status": "use context.download_export(destination, dataset_id), which waits for the export",
    "create_dataset": "use create_dataset(context.api, …) of arkworker.arkindex.datasets",
    "create_dataset_element": "use add_element(context.api, …) of arkworker.arkindex.datasets",
    "create_model_version": "use context.publish_model_version(files, …), which makes the version, too",
    "destroy_dataset_element": "use remove_element(context.api, …) of arkworker.arkindex.datasets",
    "download_artifact": "use download_artifact(context.api, …) of arkworker.arkindex.tasks",
    "download_latest_export": "use context.download_export(destination, start=False)",
    "extras_dir_argument": "use context.find_extras_directory()",
    "get_elements": "the runner takes the elements, and calls process_element with each",
    "get_export": "use context.download_export(destination, dataset_id)",
    "list_artifacts": "use list_artifacts(context.api, …) of arkworker.arkindex.tasks",
    "list_exports": "use list_exports(context.api, …) of arkworker.arkindex.datasets",
    "list_process_elements": "the runner takes the elements, and calls process_element with each",
    "list_process_sets": "a DatasetWorker is called with each set: process_set(dataset_set, export, context, cache)",
    "list_set_elements": "use context.list_dataset_elements(dataset_set)",
    "list_sets": "a DatasetWorker is called with each set: process_set(dataset_set, export, context, cache)",
    "parser": "declare extra flags with the attribute `arguments` of the worker",
    "process_information": "use context.process, whose parts are attributes: context.process.id",
    "request": "use context.api.request(operation_id, …)",
    "start_dataset_exports": "process_set is called with the file of the export",
    "start_export": "use context.download_export(destination, dataset_id), which starts one if there is none",
    "store_activity": "the runner reports the state of each element",
    "support_cache": "declare uses_cache = True on the worker",
    "user_configuration": "use context.config",
    "worker_version_id": "results are signed with context.worker_run_id",
}
_RETURN = "return or yield {} from process_element, or call context.publish(element, {})"
_DECLARE = "declare what is created as `creates`, and what must be there as `requires`"
#: Names that went from the worker: methods, and what is on the context now.
_RESULTS = {
    "create_sub_element": "Child(…)",
    "create_elements": "Child(…)",
    "create_transcription": "Transcription(…)",
    "create_transcriptions": "On(child, Transcription(…))",
    "create_element_transcriptions": "Child(…, results=[Transcription(…)])",
    "create_transcription_entity": "On(transcription, Entity(…))",
    "create_transcription_entities": "On(transcription, [Entity(…), …])",
    "create_classification": "Classification(…)",
    "create_classifications": "Classification(…)",
    "create_metadata": "Metadata(…)",
    "create_metadata_bulk": "Metadata(…)",
    "create_embedding": "Embedding(…)",
    "partial_update_element": "Update(…)",
    "create_element_parent": "Link(…)",
    "create_element_children": "Link(…)",
}
GONE_FROM_WORKERS = {
    **GONE,
    **{name: _RETURN.format(result, result) for name, result in _RESULTS.items()},
    "check_required_types": _DECLARE,
    "check_required_entity_types": _DECLARE,
    "create_artifact": "use context.upload_artifact(path)",
    "create_entity_type": "entity types are created when a result names them, as far as `creates` allows",
    "is_finetuning": "write context.model_version_id is not None",
    "classes": "use context.corpus_classes",
    "entity_types": "use context.corpus_entity_types",
    "get_ml_class_id": "results name classes; else use context.corpus_classes[name]",
    "list_corpus_entity_types": "use context.corpus_entity_types",
    "list_corpus_types": "use context.corpus_types",
    "list_element_children": "use element.children(…)",
    "list_element_metadata": "use element.metadata()",
    "list_element_parents": "use element.parents(…)",
    "list_embeddings": "use element.embeddings()",
    "list_transcription_entities": "use transcription.entities()",
    "list_transcriptions": "use element.transcriptions(…)",
    "load_corpus_classes": "use context.corpus_classes",
    "logger": "use logging.getLogger(__name__)",
    "process_mode": "use context.process.mode",
    "retrieve_ml_class": "classifications that are read have a class_name; else use context.corpus_classes",
    "update_activity": "the runner reports the state of each element",
    "config": "use context.config, whose options are attributes: context.config.threshold",
}

#: Hooks of the published library, and where their content belongs.
FORMER_HOOKS = {
    "configure": "move what it loads to setup(context)",
    "add_arguments": "declare extra flags with the attribute `arguments` of the worker",
    "cleanup": "move what it does to teardown(context)",
}


def former_hook(cls: type) -> str | None:
    """The name of a method of a class that was written as a hook of the published library; None where there is none.

    A method of an author's own may have such a name, and call one of that name of something else. One that calls that
    of its parent, which has none, or adds arguments to the parser of the flags, is a hook.
    """
    for name in FORMER_HOOKS:
        code = getattr(inspect.unwrap(cls.__dict__.get(name, type)), "__code__", None)
        used = set(code.co_names) if code is not None else set()
        is_hook = {"super", name} <= used or (name == "add_arguments" and "parser" in used)
        if is_hook and not any(name in vars(base) for base in cls.__mro__[1:]):
            return name
    return None


def lacks(owner: object, name: str, *, of_worker: bool, is_on_context: bool = False) -> Any:
    """Say that there is no such attribute, and for an old name, what to write instead.

    A property of the author in which an attribute is missing is asked again: its own error says which.

    Args:
        owner: What lacks it.
        name: Of the attribute.
        of_worker: Whether the owner is a worker; else it is the context.
        is_on_context: Whether the context has an attribute of that name.

    Raises:
        AttributeError: There is none.
    """
    if hasattr(type(owner), name):
        return object.__getattribute__(owner, name)
    told = f"{'self' if of_worker else 'context'}.{name}"
    if (hint := (GONE_FROM_WORKERS if of_worker else GONE).get(name)) is not None:
        raise AttributeError(f"{told} is gone: {hint}")
    if is_on_context:
        raise AttributeError(f"{told} is on the context: use context.{name}")
    raise AttributeError(f"{type(owner).__name__!r} object has no attribute {name!r}", name=name, obj=owner)
