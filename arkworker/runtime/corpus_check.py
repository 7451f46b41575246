"""Before the first element: what a worker names, and the corpus must have.

Names come from `creates` and `requires` of the worker, and from options that are element types. What is missing is
created where the worker says so; anything else that is missing is a mistake, better told now than at the thousandth
element.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, get_args, get_origin

from arkworker.declaration.metadata import Control
from arkworker.errors import ConfigurationError, Problem, ResultError
from arkworker.options.creates import Creates
from arkworker.options.options import bare
from arkworker.text import did_you_mean, printable

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from arkworker.arkindex.publishing.corpus import Corpus
    from arkworker.arkindex.publishing.plan import Kind
    from arkworker.options.options import Option
    from arkworker.runtime.context import WorkerContext
    from arkworker.runtime.handover import Handover
    from arkworker.settings.catalogue import WorkerOptions

logger = logging.getLogger("arkworker")

_MOST_NAMES = 20


class _Wanted(NamedTuple):
    """A name, and where it was given."""

    kind: Kind
    name: str
    path: str
    source: str
    location: str
    is_required: bool = False  # and never created

    def problem(self, message: str, hint: str = "") -> Problem:
        return Problem(self.path, self.source, self.location, message, hint)


def check_corpus(context: WorkerContext[Any], worker: WorkerOptions, *, is_trial: bool) -> None:
    """Look all names up, and create what is missing; in developer mode and without a corpus, nothing.

    Args:
        context: The run.
        worker: What it declares.
        is_trial: Whether nothing is created, and the log only says what a run would create.

    Raises:
        ConfigurationError: With every name that is missing and may not or cannot be created.
        ApiError: Arkindex does not answer.
    """
    corpus_id = context._corpus_id  # noqa: SLF001 - without one, there is nothing to look at
    wanted = dict.fromkeys([*_from_options(context, worker), *_declared(worker)])
    if context.is_read_only or corpus_id is None or not wanted:
        return
    corpus = context.services.corpora.get(corpus_id)
    missing = [item for item in wanted if item.name not in corpus.ids(context.api, item.kind)]
    problems = [_lacking(item, corpus.ids(context.api, item.kind)) for item in missing if not _is_allowed(item, corpus)]
    if problems:
        raise ConfigurationError(problems)
    problems = [problem for item in missing if (problem := _create(item, context, corpus, is_trial=is_trial))]
    if problems:
        raise ConfigurationError(problems)


def check_declared_in_setup(before: WorkerOptions, now: WorkerOptions, run: Handover) -> Handover:
    """The run, with what `setup` has assigned to `creates` and `requires`, which are looked up as those of the class.

    Args:
        before: What the worker declared.
        now: What it declares.
        run: The run.

    Raises:
        ConfigurationError, ApiError: As `check_corpus`.
    """
    if (now.creates, now.requires) == (before.creates, before.requires):
        return run
    creates, services = now.creates or Creates(), run.context.services
    services.declare(creates)
    known = run.context._runner._replace(creates=creates)  # noqa: SLF001 - hidden from authors
    context = dataclasses.replace(run.context, _runner=known, built=services)
    with run.stopping.calling(services.end):
        run.stopping.check()
        check_corpus(context, now, is_trial=run.settings.results is not None)
    return run._replace(context=context)


def _is_allowed(item: _Wanted, corpus: Corpus) -> bool:
    return not item.is_required and corpus.may_create(item.kind, item.name)


def _lacking(item: _Wanted, names: Collection[str]) -> Problem:
    shown = ", ".join(printable(name, 60) for name in sorted(names)[:_MOST_NAMES]) or "none"
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    message = f"the corpus has no {item.kind} {printable(item.name, 60)!r}; it has {shown}{more}"
    remedy = "create it" if item.is_required else "create it, or name it in `creates` of the worker"
    return item.problem(message, did_you_mean(item.name, names) or remedy)


def _create(item: _Wanted, context: WorkerContext[Any], corpus: Corpus, *, is_trial: bool) -> Problem | None:
    if is_trial:
        logger.info("The corpus lacks the %s %s: it will be created", item.kind, printable(item.name, 60))
        return None
    try:
        corpus.resolve(context.api, {item.kind: {item.name: item.path}})
    except ResultError as error:
        return item.problem(str(error).removeprefix(f"{item.path}: "), "create it, or ask someone who may")
    return None


def _declared(worker: WorkerOptions) -> Iterator[_Wanted]:
    for attribute, names in (("creates", worker.creates), ("requires", worker.requires)):
        fields: tuple[tuple[Kind, str], ...] = (
            ("element type", "element_types"),
            ("class", "classes"),
            ("entity type", "entity_types"),
        )
        for kind, field in fields:
            for name in getattr(names, field, None) or ():
                location = f"{worker.target}.{attribute}.{field}"
                yield _Wanted(kind, name, attribute, "code of the worker", location, attribute == "requires")


def _from_options(context: WorkerContext[Any], worker: WorkerOptions) -> Iterator[_Wanted]:
    for option in worker.options.values():
        if _is_element_type(option.annotation):
            value = _value(context.config, option)
            path = f"config.{option.name}"
            origin = context.origins.get(path)
            source, location = (origin.source, origin.location) if origin else ("default", "")
            slugs = [value] if isinstance(value, str) else value if isinstance(value, Iterable) else ()
            for slug in slugs:
                if isinstance(slug, str):
                    yield _Wanted("element type", slug, path, source, location)


def _is_element_type(annotation: Any) -> bool:
    """Whether it is an `ElementType`, perhaps optional, perhaps a list of them."""
    marks = get_args(annotation)[1:] if get_origin(annotation) is Annotated else ()
    if any(isinstance(mark, Control) and mark.type == "element_type" for mark in marks):
        return True
    kind = bare(annotation)
    return get_origin(kind) is not Literal and any(map(_is_element_type, get_args(kind)))


def _value(config: Any, option: Option) -> Any:
    for field in option.fields:
        config = getattr(config, field, None)  # a group may be left out
    return config
