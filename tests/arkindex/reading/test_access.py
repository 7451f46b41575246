"""Who is asked about an element, and when."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest
from reading_runs import Run, run_with

from arkworker.errors import ApiContentError, ApiResponseError, ArkworkerError, CacheError
from arkworker.storage.cache import (
    CachedClassification,
    CachedElement,
    CachedImage,
    CachedTranscription,
    open_cache,
    session_scope,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sqlalchemy.engine import Engine

    from arkworker.elements.model import Element
    from arkworker.emulator import Emulator

PAGE, LINE, TEXT = (str(uuid4()) for _ in range(3))
LISTS = ("children", "parents", "transcriptions", "classifications")


@contextmanager
def asked(emulator: Emulator) -> Iterator[list[str]]:
    """The operations that the block asks for."""
    before = len(emulator.ledger.calls())
    operations: list[str] = []
    yield operations
    operations += [call.operation or "" for call in emulator.ledger.calls()[before:]]


def write(engine: Engine, *rows: Any) -> None:
    with session_scope(engine) as session:
        session.add_all(rows)


def row(identifier: str = LINE, **values: Any) -> CachedElement:
    return CachedElement(id=UUID(identifier), **{"type": "text_line", **values})


def text(on: str = LINE, **values: Any) -> CachedTranscription:
    return CachedTranscription(id=uuid4(), element_id=UUID(on), text="x", orientation="horizontal-lr", **values)


class TestLaziness:
    """Nothing is read before it is wanted."""

    @pytest.mark.parametrize("name", [*LISTS, "metadata", "embeddings"])
    def test_no_request_before_the_first_item(self, emulator: Emulator, name: str) -> None:
        """Calling the method asks for nothing; the first item does."""
        page = emulator.add_element("page", image=(10, 10))
        with run_with(emulator) as run:
            with asked(emulator) as before:
                items = getattr(run.element(page), name)()
            with asked(emulator) as after:
                list(items)

        assert (before, len(after)) == ([], 1)

    def test_one_page_at_a_time(self, emulator: Emulator) -> None:
        """The second page is requested when its first child is asked for."""
        page = emulator.add_element("page", image=(10, 10))
        for _ in range(101):
            emulator.add_element("text_line", parent=page)
        with run_with(emulator) as run:
            children = run.element(page).children()
            with asked(emulator) as first:
                for _ in range(100):
                    next(children)
            with asked(emulator) as second:
                assert len(list(children)) == 1

        assert (first, second) == (["ListElementChildren"], ["ListElementChildren"])

    def test_the_cache_is_read_in_parts(self, engine: Engine) -> None:
        """Thousands of children come in order, and nothing is held between two parts."""
        lines = [uuid4() for _ in range(1203)]
        write(engine, *(row(str(line), parent_id=UUID(PAGE)) for line in lines))
        with run_with(engine=engine) as run, run.sessions() as session:
            children = run.element(PAGE).children()
            found = [next(children).id]
            session.commit()
            found += [child.id for child in children]

        assert found == [str(line) for line in lines]

    @pytest.mark.parametrize("count", [3, 700])
    def test_writing_while_reading_ends(self, engine: Engine, count: int) -> None:
        """A child for each child: those that are added meanwhile may be seen or not, but not for ever."""
        write(engine, *(row(str(uuid4()), parent_id=UUID(PAGE)) for _ in range(count)))
        with run_with(engine=engine) as run, run.sessions() as session:
            seen = 0
            for _ in run.element(PAGE).children():
                seen += 1
                session.add(row(str(uuid4()), parent_id=UUID(PAGE)))

        assert count <= seen <= 2 * count


class TestTheChoice:
    """The cache answers for the elements that it knows, and for no others."""

    @pytest.fixture
    def page(self, emulator: Emulator) -> str:
        """A page with one of everything, on Arkindex alone."""
        folder = emulator.add_element("page", "folder")
        page = emulator.add_element("page", image=(10, 10), parent=folder)
        emulator.add_element("text_line", parent=page)
        return page

    @pytest.mark.parametrize("name", LISTS)
    def test_an_element_that_the_cache_does_not_know(
        self, emulator: Emulator, engine: Engine, page: str, name: str
    ) -> None:
        """Arkindex is asked."""
        with run_with(emulator, engine) as run, run.sessions(), asked(emulator) as operations:
            list(getattr(run.element(page), name)())

        assert len(operations) == 1

    @pytest.mark.parametrize("name", ["children", "transcriptions", "classifications"])
    def test_an_element_that_has_a_row(self, emulator: Emulator, engine: Engine, page: str, name: str) -> None:
        """What the cache has is all; nothing is all, too."""
        write(engine, row(page))
        with run_with(emulator, engine) as run, run.sessions(), asked(emulator) as operations:
            found = list(getattr(run.element(page), name)())

        assert (found, operations) == ([], [])

    def test_an_element_that_only_has_a_child(self, emulator: Emulator, engine: Engine, page: str) -> None:
        """It is known by its child, whatever is asked for."""
        write(engine, row(parent_id=UUID(page)))
        with run_with(emulator, engine) as run, run.sessions(), asked(emulator) as operations:
            found = [child.id for child in run.element(page).children()]
            none = list(run.element(page).children(type="word"))

        assert (found, none, operations) == ([LINE], [], [])

    def test_parents_are_asked_for_where_the_cache_has_none(
        self, emulator: Emulator, engine: Engine, page: str
    ) -> None:
        """The elements that a process begins with have no parent in the cache, whatever Arkindex has."""
        write(engine, row(page, initial=True))
        with run_with(emulator, engine) as run, run.sessions():
            found = [parent.name for parent in run.element(page).parents()]

        assert found == ["folder"]

    def test_a_source_that_is_named_is_the_only_one(self, emulator: Emulator, engine: Engine, page: str) -> None:
        """Even where the cache knows better, or does not know."""
        write(engine, row(page))
        with run_with(emulator, engine) as run, run.sessions():
            from_api = list(run.element(page).children(source="api"))
            other = emulator.add_element("page")
            with asked(emulator) as operations:
                from_cache = [list(getattr(run.element(other), name)(source="cache")) for name in LISTS]

        assert (len(from_api), from_cache, operations) == (1, [[], [], [], []], [])

    def test_a_cache_that_began_empty(self, emulator: Emulator, page: str) -> None:
        """In memory, it has nothing but what this run has put there: Arkindex goes before it, unless it is named."""
        engine = open_cache(None)
        with run_with(emulator, engine) as run, run.sessions() as session:
            session.add(row(parent_id=UUID(page)))
            session.add(row(page))
            element = run.access.retrieve(page)
            from_api = [child.type for child in element.children()]
            from_cache = [child.id for child in element.children(source="cache")]
        engine.dispose()

        assert (element.name, len(from_api), from_cache) == ("page", 1, [LINE])

    def test_names_are_looked_for_on_arkindex(self, emulator: Emulator, engine: Engine, page: str) -> None:
        """The cache has none."""
        write(engine, row(page))
        with run_with(emulator, engine) as run, run.sessions():
            found = [child.name for child in run.element(page).children(name="TEXT_")]

        assert found == ["text_line"]

    def test_metadata_come_from_arkindex(self, emulator: Emulator, engine: Engine, page: str) -> None:
        """The cache has none; those of the parents come on demand."""
        write(engine, row(page))
        with run_with(emulator, engine) as run, run.sessions():
            element = run.element(page)
            folder = next(element.parents())
            client = run.access._api()
            for owner, body in (
                (folder.id, {"type": "date", "name": "written", "value": "1871"}),
                (page, {"type": "numeric", "name": "folio", "value": "12"}),
            ):
                client.request("CreateMetaData", body, id=owner)
            own = [(item.type, item.name, item.value) for item in element.metadata()]
            names = {item.name for item in element.metadata(load_parents=True)}

        assert (own, names) == ([("numeric", "folio", 12)], {"written", "folio"})

    def test_embeddings_come_from_arkindex(self, emulator: Emulator, engine: Engine, page: str) -> None:
        """As they were published: the cache has none."""
        write(engine, row(page))
        with run_with(emulator, engine) as run, run.sessions():
            client = run.access._api()
            for number in range(101):
                client.request("CreateEmbedding", {"value": [number, 0.5]}, id=page)
            found = [item.value for item in run.element(page).embeddings()]

        assert found == [(number, 0.5) for number in range(101)]

    def test_classes_that_came_with_the_element(self, emulator: Emulator, page: str) -> None:
        """They are not asked for again, unless the API is named."""
        corpus = {"name": "cat"}
        with run_with(emulator) as run:
            client = run.access._api()
            kind = client.request("CreateMLClass", corpus, id=run.access.retrieve(page).corpus.id)  # type: ignore[union-attr]
            element = run.access.retrieve(page)
            client.request("CreateClassification", {"element": page, "ml_class": kind["id"], "confidence": 0.5})
            with asked(emulator) as operations:
                before = list(element.classifications())
                after = [item.class_name for item in element.classifications(source="api")]

        assert (before, after, operations) == ([], ["cat"], ["RetrieveElement"])


class TestSessions:
    """The cache is read in the session that user code has."""

    def test_rows_that_were_just_added_are_seen(self, engine: Engine) -> None:
        """Before they are committed, and without a flush of one's own."""
        with run_with(engine=engine) as run, run.sessions() as session:
            session.add(row(transcriptions=[text()]))
            element = run.element(LINE)
            session.add(
                CachedClassification(id=uuid4(), element_id=UUID(LINE), class_name="a", confidence=1, state="x")
            )
            found = [len(list(element.transcriptions())), len(list(element.classifications()))]
            session.rollback()
            gone = list(element.transcriptions(source="cache"))

        assert (found, gone) == ([1, 1], [])

    def test_nothing_is_locked_afterwards(self, engine: Engine, tmp_path: Path) -> None:
        """Another connection writes at once, also where no session was open while the cache was read."""
        write(engine, row())
        with run_with(engine=engine) as run:
            assert list(run.element(LINE).children()) == []
            other = open_cache(tmp_path / "db.sqlite")
            write(other, row(str(uuid4()), parent_id=UUID(LINE)))
            other.dispose()
            with run.sessions():
                assert len(list(run.element(LINE).children())) == 1

    def test_a_cache_in_memory(self) -> None:
        """It has one connection, which user code has."""
        engine = open_cache(None)
        with run_with(engine=engine) as run:
            with run.sessions() as session:
                session.add(row(parent_id=UUID(PAGE)))
                during = len(list(run.element(PAGE).children()))
            after = len(list(run.element(PAGE).children()))
        engine.dispose()

        assert (during, after) == (1, 1)

    def test_a_list_outlives_the_session_that_it_began_in(self, engine: Engine) -> None:
        """What is read later is read in the session of that time."""
        write(engine, *(row(str(uuid4()), parent_id=UUID(PAGE)) for _ in range(600)))
        with run_with(engine=engine) as run:
            with run.sessions():
                children = run.element(PAGE).children()
                next(children)
            with run.sessions():
                assert len(list(children)) == 599

    def test_other_threads_are_refused(self, engine: Engine) -> None:
        """A session belongs to one thread; the message says what to do."""
        write(engine, row())
        failures: list[Exception] = []
        with run_with(engine=engine) as run, run.sessions():
            thread = threading.Thread(target=lambda: failures.append(failure_of(run.element(LINE).children)))
            thread.start()
            thread.join()

        assert "the cache belongs to the thread that user code was called in" in str(failures[0])

    def test_the_run_is_over(self, engine: Engine) -> None:
        """An element that was kept does not open the cache again."""
        with run_with(engine=engine) as run:
            run.sessions.close()
            with pytest.raises(ArkworkerError, match="the run is over"):
                next(run.element(LINE).children())


def failure_of(read: Callable[[], Iterator[Any]]) -> Exception:
    try:
        list(read())
    except ArkworkerError as error:
        return error
    raise AssertionError("it did not fail")


class TestMistakes:
    """Each has one clear line."""

    @pytest.mark.parametrize("name", [*LISTS, "metadata", "embeddings"])
    def test_nobody_to_ask(self, name: str) -> None:
        """Without a cache and an address, no connection is attempted."""
        with (
            run_with() as run,
            pytest.raises(ArkworkerError, match=f"{name} of element .*: the address of Arkindex is not set"),
        ):
            next(getattr(run.element(PAGE), name)())

    def test_not_in_the_cache_and_nobody_to_ask(self, engine: Engine) -> None:
        """An element that the cache does not know has no children that could be known."""
        with (
            run_with(engine=engine) as run,
            pytest.raises(ArkworkerError, match="the cache does not know it, and the address of Arkindex"),
        ):
            next(run.element(PAGE).children())

    def test_names_and_nobody_to_ask(self, engine: Engine) -> None:
        """The cache knows the element, but no names."""
        write(engine, row())
        with (
            run_with(engine=engine) as run,
            pytest.raises(ArkworkerError, match="only Arkindex knows names, and"),
        ):
            next(run.element(LINE).children(name="a"))

    def test_a_desk_with_a_cache_alone(self, engine: Engine) -> None:
        """For elements that it knows, parents included, nothing is an answer."""
        write(engine, row(LINE, parent_id=UUID(PAGE)))
        with run_with(engine=engine) as run:
            assert [list(getattr(run.element(LINE), name)()) for name in LISTS] == [[], [], [], []]

    def test_no_cache_to_read(self, emulator: Emulator) -> None:
        """It says what to set."""
        with run_with(emulator) as run, pytest.raises(ArkworkerError, match="uses_cache = True"):
            next(run.element(PAGE).children(source="cache"))

    def test_an_element_that_is_not_on_arkindex(self, emulator: Emulator) -> None:
        """The error is that of the operation."""
        with run_with(emulator) as run, pytest.raises(ApiResponseError, match="ListElementChildren"):
            next(run.element(PAGE).children())

    def test_an_id_that_is_none(self, engine: Engine) -> None:
        """The cache does not know it."""
        with run_with(engine=engine) as run, pytest.raises(ArkworkerError, match="the cache does not know it"):
            next(run.element("page-1").children())

    def test_rows_that_go_round_in_a_circle(self, engine: Engine) -> None:
        """Each is there once, and nothing is its own relative."""
        write(engine, row(LINE, parent_id=UUID(PAGE)), row(PAGE, parent_id=UUID(LINE)))
        with run_with(engine=engine) as run:
            element = run.element(LINE)
            found = [[item.id for item in list_of(recursive=True)] for list_of in (element.children, element.parents)]

        assert found == [[PAGE], [PAGE]]

    def test_a_row_that_describes_no_element(self, engine: Engine) -> None:
        """Whoever wrote it, the message names it."""
        with engine.begin() as connection:
            connection.exec_driver_sql(
                "INSERT INTO elements VALUES (?, ?, 'x', NULL, NULL, 'north', 0, 0, NULL, NULL, NULL)",
                (UUID(LINE).hex, UUID(PAGE).hex),
            )
        with run_with(engine=engine) as run, pytest.raises(CacheError, match=f"element {LINE}: rotation_angle"):
            next(run.element(PAGE).children())

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ("UPDATE elements SET id = 'x' WHERE parent_id IS NOT NULL", "cannot be read: badly formed"),
            ("UPDATE elements SET polygon = '{' WHERE parent_id IS NOT NULL", "cannot be read: Expecting property"),
            ("UPDATE elements SET mirrored = 5", "cannot be read: a boolean is stored as 0 or 1, not 5"),
            ("UPDATE elements SET polygon = x'00' WHERE parent_id IS NOT NULL", "cannot be read: startswith"),
            ("UPDATE elements SET worker_run_id = x'00'", "cannot be read: a bytes-like object"),
            ("UPDATE images SET width = 'wide'", "image .*: width: Input should be a valid integer"),
            ("UPDATE transcriptions SET confidence = 'high'", "transcription .*: confidence: Input should be"),
        ],
    )
    def test_values_that_were_written_past_the_models(self, engine: Engine, change: str, message: str) -> None:
        """One line for each, with no traceback of a library."""
        page = row(PAGE, transcriptions=[text(PAGE)])
        image = CachedImage(id=uuid4(), width=1, height=1, url=f"https://iiif.test/{uuid4()}")
        write(engine, page, row(parent_id=UUID(PAGE), image=image))
        with engine.begin() as connection:
            connection.exec_driver_sql(change)
        with run_with(engine=engine) as run, pytest.raises(CacheError, match=message) as caught:
            [*run.element(PAGE).children(), *run.element(PAGE).transcriptions()]
        assert "\n" not in str(caught.value)

    def test_a_damaged_file(self, engine: Engine) -> None:
        """It is an error of the cache, with its path."""
        with engine.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE elements RENAME TO other")
        with (
            run_with(engine=engine) as run,
            pytest.raises(CacheError, match="cannot be read: no such table"),
        ):
            next(run.element(PAGE).children())


class TestImageFiles:
    """At a desk, an image file is an element that is on no Arkindex."""

    @pytest.mark.parametrize("arkindexes", [0, 1])
    def test_nothing_belongs_to_it(self, emulator: Emulator, engine: Engine, arkindexes: int) -> None:
        """Arkindex is not asked about it, nor missed; the cache has what user code has put there."""
        zone = {"image": {"url": "/pages/1.jpg"}}
        with run_with(emulator if arkindexes else None, engine, at_desk=True) as run, run.sessions() as session:
            element = run.element(PAGE, zone=zone)
            with asked(emulator) as operations:
                none = [list(getattr(element, name)()) for name in (*LISTS, "metadata")]
                session.add(row(parent_id=UUID(PAGE)))
                children = [child.id for child in element.children()]

        assert (none, children, operations) == ([[], [], [], [], []], [LINE], [])


class TestRetrieving:
    """Elements by their id."""

    def test_from_the_cache_first(self, emulator: Emulator, engine: Engine) -> None:
        """It comes bound, so that what belongs to it can be read."""
        write(engine, row(transcriptions=[text()]))
        with run_with(emulator, engine) as run, asked(emulator) as operations:
            element = run.access.retrieve(LINE)
            found = [item.text for item in element.transcriptions()]

        assert (element.type, found, operations) == ("text_line", ["x"], [])

    def test_from_arkindex(self, emulator: Emulator, engine: Engine) -> None:
        """Where the cache does not have it."""
        page = emulator.add_element("page", "folio 1")
        with run_with(emulator, engine) as run:
            assert (run.access.retrieve(page).name, list(run.access.retrieve(page).children())) == ("folio 1", [])

    def test_from_a_source_that_is_named(self, emulator: Emulator, engine: Engine) -> None:
        """From nowhere else: so other threads retrieve, too."""
        page = emulator.add_element("page", "folio 1")
        write(engine, row(page))
        with run_with(emulator, engine) as run:
            names = [run.access.retrieve(page, source).name for source in (None, "cache", "api")]
            with pytest.raises(ArkworkerError, match=f"element {LINE}: it is not in the cache$"):
                run.access.retrieve(LINE, "cache")
            with pytest.raises(ValueError, match="source should be"):
                run.access.retrieve(page, "API")  # type: ignore[arg-type]

        assert names == ["", "", "folio 1"]

    def test_from_nowhere(self, engine: Engine) -> None:
        """The message says what is missing."""
        with (
            run_with(engine=engine) as run,
            pytest.raises(ArkworkerError, match="not in the cache, and the address of Arkindex"),
        ):
            run.access.retrieve(PAGE)
        with run_with() as run, pytest.raises(ArkworkerError, match=f"element {PAGE}: the address of Arkindex"):
            run.access.retrieve(PAGE)


def test_answers_that_describe_nothing(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that answers nonsense is named with its operation, and the item."""
    from arkworker.arkindex.client import Client

    answers: dict[str, Any] = {
        "ListElementChildren": {"id": 3},
        "ListTranscriptions": {"id": "t", "text": None},
        "ListTranscriptionEntities": {"type": {}, "offset": 1, "length": 2},
        "ListElementMetaData": {"id": "m", "type": "text", "name": "n", "value": []},
    }
    monkeypatch.setattr(Client, "paginate", lambda _self, operation, **_: iter([answers[operation]]))
    monkeypatch.setattr(Client, "request", lambda _self, operation, **_: [answers[operation]])

    def told(read: Callable[[Element], Iterator[Any]], run: Run) -> str:
        with pytest.raises(ApiContentError) as caught:
            next(read(run.element(PAGE)))
        return str(caught.value)

    with run_with(emulator) as run:
        children = told(lambda element: element.children(), run)
        texts = told(lambda element: element.transcriptions(), run)
        metadata = told(lambda element: element.metadata(), run)

    assert children == "ListElementChildren: element 3: id: Input should be a valid string"
    assert texts == "ListTranscriptions: transcription t: text: Input should be a valid string"
    assert metadata.startswith("ListElementMetaData: metadata m: value.str: Input should be a valid string")
