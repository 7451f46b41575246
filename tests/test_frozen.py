"""Containers that are still lists and dicts, and cannot be changed."""

from __future__ import annotations

import copy
import dataclasses
import json
import pickle
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from pydantic import BaseModel, ConfigDict

from arkworker.frozen import FrozenDict, FrozenList, FrozenSet, freeze, mark_signed
from arkworker.text import SignedAddress

if TYPE_CHECKING:
    from collections.abc import Callable


class Pair(NamedTuple):
    name: str
    items: list[int]


class Plain(BaseModel):
    model_config = ConfigDict(frozen=True)

    items: list[int]


@dataclasses.dataclass(frozen=True)
class Data:
    items: list[int]


CHANGES_OF_LISTS: list[Callable[[Any], object]] = [
    lambda value: value.append(1),
    lambda value: value.extend([1]),
    lambda value: value.insert(0, 1),
    lambda value: value.remove(1),
    lambda value: value.pop(),
    lambda value: value.clear(),
    lambda value: value.sort(),
    lambda value: value.reverse(),
    lambda value: value.__setitem__(0, 2),
    lambda value: value.__delitem__(0),
    lambda value: value.__iadd__([1]),
    lambda value: value.__imul__(2),
]
CHANGES_OF_DICTS: list[Callable[[Any], object]] = [
    lambda value: value.update(a=1),
    lambda value: value.setdefault("b", 1),
    lambda value: value.pop("a"),
    lambda value: value.popitem(),
    lambda value: value.clear(),
    lambda value: value.__setitem__("a", 2),
    lambda value: value.__delitem__("a"),
    lambda value: value.__ior__({"b": 1}),
]

CHANGES_OF_SETS: list[Callable[[Any], object]] = [
    lambda value: value.add(2),
    lambda value: value.discard(1),
    lambda value: value.remove(1),
    lambda value: value.pop(),
    lambda value: value.clear(),
    lambda value: value.update([2]),
    lambda value: value.difference_update([1]),
    lambda value: value.intersection_update([]),
    lambda value: value.symmetric_difference_update([2]),
    lambda value: value.__ior__({2}),
    lambda value: value.__iand__(set()),
    lambda value: value.__isub__({1}),
    lambda value: value.__ixor__({2}),
]


@pytest.mark.parametrize("change", CHANGES_OF_LISTS)
def test_list_refuses_every_change(change: Callable[[Any], object]) -> None:
    """Each way to change a list says how to get one that can be changed."""
    with pytest.raises(TypeError, match=r"a FrozenList cannot be changed: make a copy with list\(…\)"):
        change(FrozenList([1]))


@pytest.mark.parametrize("change", CHANGES_OF_DICTS)
def test_dict_refuses_every_change(change: Callable[[Any], object]) -> None:
    """Each way to change a dict says how to get one that can be changed."""
    with pytest.raises(TypeError, match=r"a FrozenDict cannot be changed: make a copy with dict\(…\)"):
        change(FrozenDict(a=1))


def test_frozen_is_equal_to_plain() -> None:
    """User code that compares, dumps or unpacks sees lists and dicts."""
    frozen = freeze({"a": [1, {"b": 2}]})

    assert frozen == {"a": [1, {"b": 2}]}
    assert json.dumps(frozen) == '{"a": [1, {"b": 2}]}'
    assert [*frozen["a"], 3] == [1, {"b": 2}, 3]


def test_equal_values_have_equal_hashes() -> None:
    """A frozen value can be a key, whatever the order of a dict."""
    assert hash(freeze({"a": [1], "b": 2})) == hash(freeze({"b": 2, "a": [1]}))


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))])
def test_copies_are_frozen(copied: Callable[[Any], Any]) -> None:
    """Copying and pickling keep type and content."""
    frozen = freeze({"a": [1, {"b": []}]})

    again = copied(frozen)

    assert again == frozen
    assert [type(again), type(again["a"]), type(again["a"][1]["b"])] == [FrozenDict, FrozenList, FrozenList]


def test_copies_by_method_can_be_changed() -> None:
    """`copy()` is what people call to get one of their own."""
    assert [type(freeze([1]).copy()), type(freeze({}).copy())] == [list, dict]


@pytest.mark.parametrize(
    "holder", [Pair("a", [1]), Plain(items=[1]), Data([1]), ("a", [1])], ids=lambda item: type(item).__name__
)
def test_freezing_reaches_into(holder: Any) -> None:
    """What a named tuple, a frozen model or a frozen dataclass holds is frozen, too."""
    frozen = freeze(holder)

    inner = frozen[1] if isinstance(frozen, tuple) else frozen.items
    assert (type(frozen), type(inner)) == (type(holder), FrozenList)


@pytest.mark.parametrize("change", CHANGES_OF_SETS)
def test_set_refuses_every_change(change: Callable[[Any], object]) -> None:
    """Each way to change a set says how to get one that can be changed."""
    with pytest.raises(TypeError, match=r"a FrozenSet cannot be changed: make a copy with set\(…\)"):
        change(FrozenSet([1]))


def test_frozen_set_is_a_set() -> None:
    """User code that asks for a set gets one; it hashes, and survives pickling."""
    frozen = freeze({1, 2})

    assert isinstance(frozen, set)
    assert frozen == {1, 2}
    assert {frozen: "a"}[pickle.loads(pickle.dumps(frozen))] == "a"
    assert frozen | {3} == {1, 2, 3}


def test_freezing_twice_is_freezing_once() -> None:
    """A frozen value is not copied again."""
    frozen = freeze([1, [2]])

    assert freeze(frozen) is frozen


@pytest.mark.parametrize(
    "address", ["https://a.test/f?X-Amz-Date=1&X-Amz-Signature=canary", "https://a.test/f?sig=canary&se=1"]
)
def test_presigned_addresses(address: str) -> None:
    """They stay what they are, and their `repr` hides what opens the file; other addresses are plain text."""
    frozen = freeze([address, "https://a.test/f?page=2"])

    assert frozen == [address, "https://a.test/f?page=2"]
    assert repr(frozen) == "['https://a.test/f?…', 'https://a.test/f?page=2']"
    assert (repr(copy.deepcopy(frozen)), repr(pickle.loads(pickle.dumps(frozen)))) == (repr(frozen), repr(frozen))
    assert json.loads(json.dumps(frozen)) == frozen


def test_presigned_addresses_in_parsed_json() -> None:
    """They are marked where they are; all else stays as it is, and can be changed."""
    answer = {"items": [{"url": "https://a.test/f?sig=canary"}, 1, None], "next": "https://a.test/?page=2"}
    marked = mark_signed(answer)

    assert marked is answer
    assert repr(marked) == "{'items': [{'url': 'https://a.test/f?…'}, 1, None], 'next': 'https://a.test/?page=2'}"


def test_addresses_with_a_password() -> None:
    """Neither it nor the query is shown."""
    assert repr(SignedAddress.of("https://u:canary@a.test/f?sig=canary")) == "'https://…@a.test/f?…'"
    assert repr(SignedAddress.of("https://a.test/f")) == "'https://a.test/f'"
