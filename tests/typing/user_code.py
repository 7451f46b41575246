"""What type checkers know of user code; `make types` and `make pyright` check it, and nothing runs it.

Right uses are asserted. Each wrong use is an error that is expected on its line: a checker that finds none there
complains of the comment.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar, assert_type

from pydantic import BaseModel, Field

from arkworker import (
    Classification,
    Created,
    DatasetSet,
    DatasetWorker,
    Element,
    ElementsWorker,
    ExitCode,
    Result,
    Secret,
    Transcription,
    UserConfiguration,
    Worker,
    WorkerContext,
)

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy.orm import Session

MYPY = False  # mypy takes it for true


class Bucket(UserConfiguration):
    key: str


class Configuration(UserConfiguration):
    threshold: float = Field(0.5, ge=0, le=1)
    names: list[str] = []  # noqa: RUF012 - pydantic copies it
    bucket: Secret[Bucket] | None = None


class Typed(Worker[Configuration]):
    uses_cache = True

    def setup(self, context: WorkerContext[Configuration]) -> None:
        assert_type(context.config, Configuration)

    def run(self, context: WorkerContext[Configuration], cache: Session) -> None:
        assert_type(context.config.threshold, float)
        assert_type(context.config.names, list[str])
        if context.config.bucket is not None:
            assert_type(context.config.bucket.get_secret_value(), Bucket)
        assert_type(context.corpus_id, str)
        assert_type(context.worker_run_id, str | None)

        context.config.treshold  # type: ignore[attr-defined]  # noqa: B018 - a misspelt option
        if MYPY:  # with the plugin of pydantic; pyright does not read `model_config`
            context.config.threshold = 1  # type: ignore[misc]  # it is frozen
        context.config = Configuration()  # type: ignore[misc]  # so is the context
        context.config.bucket.get_secret_value()  # type: ignore[union-attr]  # it may be none
        number: int = context.config.threshold  # type: ignore[assignment]
        del number, cache


class Free(Worker):
    def run(self, context: WorkerContext, cache: Session) -> None:
        assert_type(context.config, Mapping[str, Any])
        context.config["threshold"] = 1  # type: ignore[index]  # a mapping that is read
        del cache


class OfAnotherConfiguration(Worker[Configuration]):
    def run(self, context: WorkerContext[Bucket], cache: Session) -> None: ...  # type: ignore[override]


class WithoutCache(Worker[Configuration]):
    def run(self, context: WorkerContext[Configuration]) -> None: ...  # type: ignore[override]


class WrongFlag(Worker[Configuration]):
    uses_cache = "yes"  # type: ignore[assignment]


class Yielding(ElementsWorker[Configuration]):
    def process_element(
        self, element: Element, context: WorkerContext[Configuration], cache: Session
    ) -> Iterator[Result]:
        assert_type(context.config, Configuration)
        yield Transcription(text=element.name, confidence=0.5)
        del cache


class Returning(ElementsWorker[Configuration]):
    def process_element(
        self, element: Element, context: WorkerContext[Configuration], cache: Session
    ) -> list[Transcription]:
        del element, context, cache
        return []


class Reading(ElementsWorker[Configuration]):
    def process_element(self, element: Element, context: WorkerContext[Configuration], cache: Session) -> None:
        for child in element.children(type="line", worker_run=False):
            assert_type(child, Element)
            for text in child.transcriptions(recursive=True):
                assert_type(text.text, str)
                assert_type([entity.offset for entity in text.entities()], list[int])
        assert_type([item.class_name for item in element.classifications(source="cache")], list[str])
        assert_type(context.retrieve_element(element.id), Element)

        element.children(worker_run=True)  # type: ignore[arg-type]  # made by hand is False
        element.transcriptions(source="database")  # type: ignore[arg-type]
        element.metadata(source="cache")  # type: ignore[call-arg]  # the cache has none
        del cache


class Arguments(BaseModel, frozen=True):
    batch_name: str = "all"


class WithArguments(Worker[Configuration]):
    arguments = Arguments

    def run(self, context: WorkerContext[Configuration, Arguments], cache: Session) -> None:
        assert_type(context.config, Configuration)
        assert_type(context.arguments, Arguments)
        assert_type(context.arguments.batch_name, str)
        context.arguments.batch  # type: ignore[attr-defined]  # noqa: B018 - a misspelt flag
        del cache


class Publishing(ElementsWorker[Configuration]):
    def process_element(self, element: Element, context: WorkerContext[Configuration], cache: Session) -> None:
        (text,) = context.publish(element, Transcription(text="a", confidence=1))
        assert_type(text, Created[Transcription])
        assert_type(text.id, str)
        assert_type(text.result.text, str)
        assert_type([created.id for created in text.results], list[str])

        found = [Classification(class_name="a", confidence=1), Classification(class_name="b", confidence=0)]
        assert_type(context.publish(element, found), tuple[Created[Classification], ...])
        assert_type([created.result.class_name for created in context.publish(element, iter(found))], list[str])
        assert_type(context.publish(element, self.mixed(element)), tuple[Created[Transcription | Classification], ...])

        context.publish(element, "text")  # type: ignore[type-var]  # not a result
        assert_type([created.id for created in context.publish(element, [*found, text.result])], list[str])
        text.result = text.result  # type: ignore[misc]  # it is frozen
        for line in text.results:
            line.result.class_name  # type: ignore[union-attr]  # noqa: B018 - of any kind
        del cache

    def mixed(self, element: Element) -> Iterator[Transcription | Classification]:
        yield Transcription(text=element.name, confidence=0.5)


class WrongResult(ElementsWorker[Configuration]):
    def process_element(self, element: Element, context: WorkerContext[Configuration], cache: Session) -> int: ...  # type: ignore[override, empty-body]


class OverSets(DatasetWorker[Configuration]):
    def process_set(
        self, dataset_set: DatasetSet, export: Path, context: WorkerContext[Configuration], cache: Session
    ) -> None:
        assert_type(dataset_set.dataset.name, str)
        del export, context, cache


C = TypeVar("C", bound=UserConfiguration)


class Between(Worker[C]):
    def options(self, context: WorkerContext[C]) -> C:
        return context.config


class Below(Between[Configuration]):
    def run(self, context: WorkerContext[Configuration], cache: Session) -> None:
        assert_type(self.options(context), Configuration)
        del cache


def function(context: WorkerContext[Configuration], cache: Session) -> None:
    assert_type(context.config, Configuration)
    del cache


def exit_codes() -> Iterator[int]:
    yield ExitCode.OK
    yield ExitCode.FINE  # type: ignore[attr-defined]
