"""`Secret[T]`: an option whose value is kept elsewhere and shown nowhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, NoReturn, TypeVar, get_args

import pydantic
from pydantic_core import PydanticCustomError, core_schema

from arkworker.frozen import freeze

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
    from pydantic.json_schema import JsonSchemaValue

T = TypeVar("T")

#: The key of the validation context under which a value is only looked at: of a secret, the reference.
BY_REFERENCE = "arkworker.reference"
#: Its value where each reference is to be found: it is refused with an error of this type, which holds its content's.
FINDING = "secret_found"


class SecretNotLoadedError(ValueError):
    """The content of a secret was asked for where none is loaded: `explain`, `check --offline`, validators there."""


class Secret(pydantic.Secret[T], Generic[T]):
    """A value that is masked wherever it is printed, logged, or dumped; `get_secret_value()` gives it.

    In a file, a variable, a flag and a payload, the value of such an option is a *reference*: the name of a secret on
    Arkindex or in the local store, `file:PATH` or `env:NAME`. What is loaded from there is validated as `T`.

    A `Secret` pickles with its content.
    """

    __slots__ = ()

    def __init__(self, secret_value: T) -> None:
        super().__init__(freeze(secret_value))

    def _display(self) -> str:
        return "**********"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._secret_value,)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        content = content_type(source)

        def validate(value: Any, validate_content: Any, info: core_schema.ValidationInfo) -> Any:
            if isinstance(value, Secret):
                return value
            looks = (info.context or {}).get(BY_REFERENCE)
            if looks:
                if not isinstance(value, str) or not value:
                    raise PydanticCustomError("secret_reference", "a secret is given by reference")
                if looks == FINDING:
                    raise PydanticCustomError(FINDING, "a secret", {"content": content})
                return value
            return Secret(validate_content(value))

        return core_schema.with_info_wrap_validator_function(
            validate,
            handler.generate_schema(content),
            serialization=core_schema.plain_serializer_function_ser_schema(
                lambda secret, info: str(secret) if info.mode == "json" else secret, info_arg=True, when_used="always"
            ),
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"type": "string", "writeOnly": True, "format": "password", "minLength": 1}


class UnloadedSecret(Secret[Any]):
    """Stands where a secret will be: says that it is not loaded."""

    __slots__ = ()

    def get_secret_value(self) -> NoReturn:
        raise SecretNotLoadedError("this secret is not loaded here")


def content_type(annotation: Any) -> Any:
    """The `T` of a `Secret[T]`; `str` where none is given."""
    arguments = get_args(annotation)
    return arguments[0] if arguments and not isinstance(arguments[0], TypeVar) else str
