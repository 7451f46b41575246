"""Lists in pages: lazily, in both kinds, and never for ever."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import pytest

from arkworker.errors import ApiContentError, ApiResponseError, UsageError

if TYPE_CHECKING:
    from faulty_server import FaultyServer

    from arkworker.arkindex.client import Client


def page(*items: Any, following: str | None = None, count: int | None = None) -> dict[str, Any]:
    return {"count": count, "next": following, "previous": None, "results": list(items)}


def test_numbered_pages_are_read_to_the_last(server: FaultyServer, client: Client) -> None:
    """The number is counted up for as long as there is a next page."""
    server.plays(
        server.json(page(1, 2, following="http://elsewhere/?page=2")),
        server.json(page(3, following="http://elsewhere/?page=3")),
        server.json(page(4)),
    )

    assert list(client.paginate("ListElements", corpus="c", page_size=2)) == [1, 2, 3, 4]
    assert [request.query.get("page") for request in server.received] == [None, ["2"], ["3"]]
    assert {request.query["page_size"][0] for request in server.received} == {"2"}


def test_cursors_are_followed(server: FaultyServer, client: Client) -> None:
    """The count is asked for once, and only the cursor is taken from the address of the next page."""
    server.plays(
        server.json(page(1, following="http://elsewhere/x/?cursor=a%2Bb&with_count=true&id=9", count=2)),
        server.json(page(2)),
    )

    pages = client.paginate("ListProcessElements", id="p", with_image=True)

    assert (pages.count, list(pages)) == (2, [1, 2])
    assert [request.path for request in server.received] == ["/api/v1/process/p/elements/"] * 2
    assert [request.query for request in server.received] == [
        {"with_image": ["True"], "with_count": ["true"]},
        {"with_image": ["True"], "cursor": ["a+b"]},
    ]


def test_pages_are_requested_when_they_are_read(server: FaultyServer, client: Client) -> None:
    """Nothing before the first item, and no page ahead."""
    server.plays(server.json(page(1, 2, following="x?page=2")), server.json(page(3)))
    pages = client.paginate("ListElements", corpus="c")
    requests = [len(server.received)]

    for _ in pages:
        requests.append(len(server.received))  # noqa: PERF401 - what is watched happens between the items

    assert requests == [0, 1, 1, 2]


def test_a_page_is_retried_by_itself(server: FaultyServer, client: Client) -> None:
    """A failure in the middle costs that page's retries, and no item comes twice."""
    server.plays(server.json(page(1, following="x?page=2")), server.reply(500), server.cut(), server.json(page(2)))

    assert list(client.paginate("ListElements", corpus="c")) == [1, 2]


def test_a_first_page_can_be_chosen(server: FaultyServer, client: Client) -> None:
    """As a parameter like any other."""
    server.plays(server.json(page(1, following="x")), server.json(page(2)))

    list(client.paginate("ListElements", corpus="c", page=4))

    assert [request.query["page"] for request in server.received] == [["4"], ["5"]]


def test_an_empty_list_is_one_page(server: FaultyServer, client: Client) -> None:
    """With no item."""
    server.plays(server.json(page(count=0)))

    pages = client.paginate("ListProcessElements", id="p")

    assert (pages.count, list(pages), len(server.received)) == (0, [], 1)


@pytest.mark.parametrize("count", ["many", True, None, 1.5])
def test_a_count_that_is_none_is_unknown(count: Any, server: FaultyServer, client: Client) -> None:
    """It is only good for progress."""
    server.plays(server.json({"count": count, "next": None, "results": [1]}))

    assert client.paginate("ListElements", corpus="c").count is None


@pytest.mark.parametrize(
    "broken",
    [{}, {"results": None}, {"results": {}, "next": None}, {"results": [1], "next": 5}, {"results": "abc"}],
)
def test_what_is_no_page_is_refused(broken: Any, server: FaultyServer, client: Client) -> None:
    """Rather than taken for the end of the list."""
    server.plays(server.json(broken))

    with pytest.raises(ApiContentError, match="ListElements"):
        list(client.paginate("ListElements", corpus="c"))


def test_a_cursor_that_comes_back_is_refused(server: FaultyServer, client: Client) -> None:
    """The list would never end."""
    server.plays(server.json(page(1, following="x?cursor=a")))

    with pytest.raises(ApiContentError, match="read already"):
        list(client.paginate("ListProcessElements", id="p"))

    assert len(server.received) == 2


@pytest.mark.parametrize("following", ["http://elsewhere/?page=2", "x?page=1", "x"])
def test_a_numbered_page_that_comes_back_is_refused(following: str, server: FaultyServer, client: Client) -> None:
    """Something on the way drops the query: whether the next page's number says so, or only the items do."""
    server.plays(server.json(page({"id": "a"}, following=following)))

    with pytest.raises(ApiContentError, match="that was read already"):
        list(client.paginate("ListElementChildren", id="p"))

    assert len(server.received) <= 2


def test_a_page_of_the_same_items_is_the_same_page(server: FaultyServer, client: Client) -> None:
    """Although the signatures of their addresses are others."""
    pages = (server.json(page({"id": "a", "s3_url": f"x?{n}"}, following=f"x?page={n}")) for n in itertools.count(2))
    server.plays(*itertools.islice(pages, 5))

    with pytest.raises(ApiContentError, match="repeats a page that was read already"):
        list(client.paginate("ListElementChildren", id="p"))


@pytest.mark.parametrize(("operation", "name"), [("ListElementChildren", "page"), ("ListProcessElements", "cursor")])
def test_pages_in_a_circle_end(operation: str, name: str, server: FaultyServer, client: Client) -> None:
    """Each is another one than the page before it, and has a number or a cursor of its own."""
    items = ({"id": "a"}, {"id": "b"}, {"id": "a"})
    server.plays(*(server.json(page(item, following=f"x?{name}={n}")) for n, item in enumerate(items, 2)))

    with pytest.raises(ApiContentError, match="repeats a page that was read already"):
        list(client.paginate(operation, id="p"))

    assert len(server.received) == 3


@pytest.mark.parametrize("following", ["x", "x?cursor=", "http://[::1?cursor=a"])
def test_a_next_page_without_a_cursor_is_refused(following: str, server: FaultyServer, client: Client) -> None:
    """Rather than read the first page for ever, or lose the rest."""
    server.plays(server.json(page(1, following=following)))

    with pytest.raises(ApiContentError):
        list(client.paginate("ListProcessElements", id="p"))


def test_an_empty_page_is_the_last(server: FaultyServer, client: Client) -> None:
    """A server that promises more after nothing would never stop."""
    server.plays(server.json(page(1, following="x?page=2")), server.json(page(following="x?page=3")))

    with pytest.raises(ApiContentError, match="empty page"):
        list(client.paginate("ListElements", corpus="c"))


def test_a_failed_page_can_be_asked_for_again(server: FaultyServer, client: Client) -> None:
    """The iterator is where it was."""
    server.plays(server.json(page(1, following="x?page=2")), server.reply(403), server.json(page(2)))
    pages = client.paginate("ListElements", corpus="c")
    read = [next(pages)]

    with pytest.raises(ApiResponseError):
        next(pages)

    assert [*read, *pages] == [1, 2]


@pytest.mark.parametrize("operation", ["RetrieveElement", "ListArtifacts", "CreateElement"])
def test_what_has_no_pages_is_refused(operation: str, server: FaultyServer, client: Client) -> None:
    """At once, with what to use instead."""
    with pytest.raises(UsageError, match="use request"):
        client.paginate(operation, id="1") if "Create" not in operation else client.paginate(operation)

    assert server.received == []


def test_a_wrong_parameter_is_told_at_once(client: Client) -> None:
    """Not at the first item."""
    with pytest.raises(UsageError, match="'corpus'"):
        client.paginate("ListElements")


def test_many_pages_take_no_stack(server: FaultyServer, client: Client) -> None:
    """However long the list is."""
    pages = (server.json(page(n, following="x")) for n in itertools.count())
    server.plays(*itertools.islice(pages, 1200), server.json(page("last")))

    assert sum(1 for _ in client.paginate("ListElements", corpus="c")) == 1201
