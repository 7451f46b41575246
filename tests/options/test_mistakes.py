"""What the author of a configuration must correct is said when the class is created, in words that help."""

from __future__ import annotations

import collections
import dataclasses
import enum
import os
from collections.abc import Callable, Iterable, MutableSequence
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import (
    AliasChoices,
    AliasPath,
    BaseModel,
    ConfigDict,
    Field,
    FilePath,
    PrivateAttr,
    RootModel,
    Secret as PydanticSecret,
    SecretStr,
    field_validator,
)
from pydantic.errors import PydanticUserError
from pydantic_settings import BaseSettings, SettingsConfigDict

from arkworker import Secret, UserConfiguration
from arkworker.errors import DeclarationError
from arkworker.options.mistakes import require_complete


class Changing(BaseModel):
    size: int = 1


@dataclasses.dataclass
class ChangingData:
    size: int = 1


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)

    size: int = 1


class Group(UserConfiguration):
    size: int = 1
    b: int = 1


class Early(UserConfiguration):
    group: Later | None = None


class Later(UserConfiguration):
    size: int = 1


class Mode(enum.Enum):
    FAST = "fast"


class Model:
    """What an ML engineer has at hand, and no text can be."""


def declare(annotation: Any, default: Any = None, *, name: str = "option", **config: Any) -> type[UserConfiguration]:
    """A configuration of one option."""
    namespace = {"__annotations__": {name: annotation}, name: default, "__module__": __name__}
    if config:
        namespace["model_config"] = ConfigDict(**config)  # type: ignore[typeddict-item]
    return type("Configuration", (UserConfiguration,), namespace)


MISTAKES: dict[str, tuple[Any, Any, str]] = {
    "default of another type": (int, "a", "option: the default is refused: Input should be a valid integer"),
    "text for a number": (int, "5", "option: the default is refused: Input should be a valid integer"),
    "number for a switch": (bool, 1, "option: the default is refused: Input should be a valid boolean"),
    "default out of range": (
        Annotated[int, Field(le=1)],
        2,
        "option: the default is refused: Input should be less than or equal to 1",
    ),
    "default that is no choice": (Literal["a", "b"], "c", "option: the default is refused: Input should be 'a' or 'b'"),
    "null for what is not optional": (int, None, "option: the default is refused: Input should be a valid integer"),
    "default that is not finite": (
        float,
        float("nan"),
        "option: the default is refused: Input should be a finite number",
    ),
    "nested default of another type": (
        list[int],
        [1, "a"],
        "option.1: the default is refused: Input should be a valid integer",
    ),
    "default that nothing can show": (Any, object(), "option: the default cannot be written as JSON"),
    "group that can be changed": (
        Changing,
        Changing(),
        "option: Changing is mutable: derive it from UserConfiguration",
    ),
    "changing model in a list": (
        list[Changing],
        [],
        "option: Changing is mutable: derive it from UserConfiguration",
    ),
    "changing model in a secret": (
        Secret[Changing] | None,
        None,
        "option: Changing is mutable: derive it from UserConfiguration",
    ),
    "dataclass that can be changed": (
        ChangingData,
        ChangingData(),
        "option: ChangingData is mutable: derive it from UserConfiguration",
    ),
    "queue": (
        collections.deque[int],
        collections.deque(),
        "option: a deque is mutable: use list, set or dict, which are frozen here",
    ),
    "changing sequence": (
        MutableSequence[int],
        [],
        "option: a MutableSequence is mutable: use list, set or dict, which are frozen here",
    ),
    "pydantic's secret text": (
        SecretStr,
        SecretStr(""),
        "option: use arkworker.Secret, which is loaded from its reference and never shown",
    ),
    "pydantic's secret": (
        PydanticSecret[str] | None,
        None,
        "option: use arkworker.Secret, which is loaded from its reference and never shown",
    ),
    "function": (
        Callable[[int], int] | None,
        None,
        "option: a Callable cannot be read from text: declare a name for it, and look up the object in setup",
    ),
    "ordered mapping": (
        collections.OrderedDict[str, int],
        {},
        "option: an OrderedDict is mutable: use list, set or dict, which are frozen here",
    ),
    "counter": (
        collections.Counter[str],
        {},
        "option: a Counter is mutable: use list, set or dict, which are frozen here",
    ),
    "class": (
        type | None,
        None,
        "option: a type cannot be read from text: declare a name for it, and look up the object in setup",
    ),
    "iterable": (
        Iterable[int],
        [],
        "option: an Iterable cannot be read from text: declare a name for it, and look up the object in setup",
    ),
    "root model": (RootModel[int], RootModel[int](1), "option: RootModel[int] has no options: use its type itself"),
    "alias with an equals sign": (
        int,
        Field(1, alias="a=b"),
        "option: an alias cannot have '=', control characters or blanks around it",
    ),
    "alias with an escape": (
        int,
        Field(1, alias="a\x1b"),
        "option: an alias cannot have '=', control characters or blanks around it",
    ),
    "alias with blanks around": (
        int,
        Field(1, alias=" a"),
        "option: an alias cannot have '=', control characters or blanks around it",
    ),
    "empty alias": (
        int,
        Field(1, alias=""),
        "option: an alias cannot have '=', control characters or blanks around it",
    ),
    "several names, one of which is reserved": (
        int,
        Field(1, validation_alias=AliasChoices("a", "secrets")),
        "option: secrets has a meaning of its own in a configuration file: choose another name, or an alias",
    ),
    "path of names": (
        int,
        Field(1, validation_alias=AliasPath("a", 0)),
        "option: an option has a name, not a path: declare a group that holds it",
    ),
    "alias that is reserved": (
        int,
        Field(1, alias="secrets"),
        "option: secrets has a meaning of its own in a configuration file: choose another name, or an alias",
    ),
    "default made of other options": (
        int,
        Field(default_factory=lambda data: data["a"]),
        "option: a default computed from other options cannot be shown beforehand: make it a property",
    ),
}


@pytest.mark.parametrize(("annotation", "default", "message"), MISTAKES.values(), ids=MISTAKES)
def test_mistake_is_found_at_class_creation(annotation: Any, default: Any, message: str) -> None:
    """Each mistake names the class, the option and the remedy."""
    with pytest.raises(DeclarationError) as caught:
        declare(annotation, default)

    assert str(caught.value).split("; ")[0] == f"Configuration: {message}"


@pytest.mark.parametrize("name", ["secrets", "extras_dir", "configuration"])
def test_reserved_names_are_refused(name: str) -> None:
    """What means something else in a file cannot be an option."""
    with pytest.raises(DeclarationError, match=f"{name} has a meaning of its own in a configuration file"):
        declare(int, 1, name=name)


@pytest.mark.filterwarnings("ignore:Field name")
@pytest.mark.parametrize("name", ["json", "copy", "schema", "model_fields"])
def test_names_of_pydantic_are_refused(name: str) -> None:
    """A field that hides a method of every model gets another name, and keeps its own for users."""
    with pytest.raises(
        DeclarationError, match=f'pydantic has its own {name}: choose another name; alias="{name}" keeps'
    ):
        declare(int, 1, name=name)


@pytest.mark.parametrize("name", ["model_name", "model_path", "model_id"])
def test_names_of_models_are_allowed(name: str) -> None:
    """What every ML worker has may be called by its name."""
    assert name in declare(str, "a", name=name).model_fields


def test_debug_is_a_switch() -> None:
    """The option that Arkindex reserves has the type that it needs."""
    with pytest.raises(DeclarationError, match="debug turns on DEBUG logging: declare it as bool"):
        declare(str, "a", name="debug")
    assert declare(bool, False, name="debug")
    assert declare(bool | None, None, name="debug")


@pytest.mark.parametrize(
    ("config", "message"),
    [({"frozen": False}, "must stay frozen"), ({"arbitrary_types_allowed": True}, "arbitrary types cannot be read")],
)
def test_configurations_that_could_not_hold_are_refused(config: dict[str, Any], message: str) -> None:
    """The settings of a model that its promises rest upon cannot be turned off."""
    with pytest.raises(DeclarationError, match=message):
        declare(int, 1, **config)


class Own(BaseSettings):
    model_config = SettingsConfigDict(frozen=True)


@pytest.mark.parametrize("kind", [Own, list[Own], Own | None])
def test_settings_of_their_own_are_refused(kind: Any) -> None:
    """They would read the environment when they are made, and no source would be named for it."""
    with pytest.raises(DeclarationError, match="Own reads the environment by itself"):
        declare(kind)


def test_private_attributes_are_refused() -> None:
    """They could be changed behind the frozen options."""
    with pytest.raises(DeclarationError, match="private attributes are mutable: _cache"):

        class Configuration(UserConfiguration):
            _cache: dict[str, int] = PrivateAttr(default_factory=dict)


def test_two_options_with_one_name_are_refused() -> None:
    """An alias may not be another option's name."""
    with pytest.raises(DeclarationError, match="two options are called size"):

        class Configuration(UserConfiguration):
            size: int = 1
            width: int = Field(1, alias="size")


def test_two_options_with_one_variable_are_refused() -> None:
    """`a_b` and `a.b` would both be read from one variable."""
    with pytest.raises(DeclarationError, match=r"a\.b and a_b would both be read from ARKINDEX_CONFIG_A_B: rename one"):

        class Configuration(UserConfiguration):
            a: Group = Group()
            a_b: int = 1


def test_options_that_differ_in_case_are_refused() -> None:
    """Variables have no case."""
    with pytest.raises(DeclarationError, match="size and Size would both be read from ARKINDEX_CONFIG_SIZE"):

        class Configuration(UserConfiguration):
            size: int = 1
            Size: int = 1


def test_group_that_holds_itself_is_refused() -> None:
    """Its options would never end."""
    with pytest.raises(DeclarationError, match="a group cannot hold itself"):

        class Configuration(UserConfiguration):
            inner: Configuration | None = None


def test_all_mistakes_are_told_at_once() -> None:
    """One run is enough to see them all."""
    with pytest.raises(DeclarationError) as caught:

        class Configuration(UserConfiguration):
            size: int = "a"  # type: ignore[assignment]
            secrets: int = 1

    assert str(caught.value).count("; ") == 1


def test_option_without_a_type_is_refused() -> None:
    """Pydantic says so: a name without a type is not an option."""
    with pytest.raises(PydanticUserError, match="All model fields require a type annotation"):

        class Configuration(UserConfiguration):
            size = 1  # type: ignore[pydantic-field]


def test_type_that_nothing_can_be_is_refused() -> None:
    """It is pydantic who says it: an arbitrary class cannot be validated."""
    with pytest.raises(PydanticUserError, match="Unable to generate pydantic-core schema"):
        declare(Model | None)


def test_name_imported_for_types_only_is_told_when_it_is_needed() -> None:
    """What linters move under `if TYPE_CHECKING` is missing at run time; the message says what to do."""
    configuration = declare("Nowhere | None")

    with pytest.raises(
        DeclarationError, match="the type Nowhere is not known: import it outside of `if TYPE_CHECKING`"
    ):
        require_complete(configuration)


def test_group_declared_later_is_found() -> None:
    """The order of classes in a module does not matter."""
    require_complete(Early)

    assert Early(group=Later(size=2)).group == Later(size=2)


GOOD: dict[str, tuple[Any, Any]] = {
    "text for a path": (Path, "model.pt"),
    "path that is not there": (FilePath, Path("nowhere/model.pt")),
    "value of an enum": (Mode, "fast"),
    "list for a tuple": (tuple[int, ...], [1, 2]),
    "text for a date": (date, "2026-01-31"),
    "integer for a number": (float, 1),
    "frozen model": (Frozen, Frozen()),
    "frozen model in a secret": (Secret[Frozen] | None, None),
    "secret in code": (Secret[str], Secret("a")),
    "default made when asked": (list[int], Field(default_factory=list)),
    "alias with blanks and accents": (int, Field(1, alias="Größe der Seite")),
    "anything": (Any, {"a": [1]}),
}


@pytest.mark.parametrize(("annotation", "default"), GOOD.values(), ids=GOOD)
def test_good_declarations_are_let_be(annotation: Any, default: Any) -> None:
    """What can work is not a mistake."""
    assert issubclass(declare(annotation, default), UserConfiguration)


def test_validators_are_no_mistakes() -> None:
    """Whether a default passes the author's checks may depend on the machine: said when it is used."""

    class Configuration(UserConfiguration):
        folder: str = "/nowhere"
        broken: str = "a"

        @field_validator("folder")
        @classmethod
        def _exists(cls, value: str) -> str:
            if not os.path.exists(value):  # noqa: PTH110 - text is text
                raise ValueError("there is no such folder")
            return value

        @field_validator("broken")
        @classmethod
        def _break(cls, value: str) -> str:
            raise KeyError(value)

    assert Configuration.model_fields["folder"].default == "/nowhere"


def test_error_is_a_type_error_with_exit_code_two() -> None:
    """A mistake of the author is not the user's configuration."""
    assert issubclass(DeclarationError, TypeError)
    assert DeclarationError.exit_code == 2
