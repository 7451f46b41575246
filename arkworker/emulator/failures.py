"""How the API says no: in the standard style of Arkindex, or in its older one.

The standard style is `{"type": …, "errors": [{"attr": […] | null, "code": …, "detail": …}]}`; the older one is
`{"field": ["message"]}`, `{"non_field_errors": ["message"]}` or `{"detail": "message"}`. Servers mix both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pydantic import ValidationError

NOT_FIELDS = "non_field_errors"


class ApiFailureError(Exception):
    """An answer with a status of 400 or more.

    Attributes:
        status: The HTTP status.
        errors: Pairs of where (a path in the body; empty for all of it), code and detail.
        legacy: Always answered in the older style, as published clients expect of this very message.
        extra: Further keys of the answer, such as `existing_id`.
    """

    def __init__(
        self,
        status: int,
        errors: Sequence[tuple[tuple[str | int, ...], str, str]],
        *,
        legacy: bool = False,
        headers: Mapping[str, str] | None = None,
        **extra: Any,
    ) -> None:
        super().__init__(status, errors)
        self.status = status
        self.errors = errors
        self.legacy = legacy
        self.headers = dict(headers or {})
        self.extra = extra

    def content(self, style: str) -> Any:
        """The body of the answer; `style` is `standard` or `legacy`."""
        if self.legacy or style == "legacy":
            return {**self._legacy_content(), **self.extra}
        errors = [{"attr": list(attr) or None, "code": code, "detail": detail} for attr, code, detail in self.errors]
        return {"type": self._kind(), "errors": errors, **self.extra}

    def _kind(self) -> str:
        if self.status >= 500:
            return "server_error"
        return "validation_error" if self.status == 400 else "client_error"

    def _legacy_content(self) -> dict[str, Any]:
        if self.status != 400:
            return {"detail": self.errors[0][2]}
        content: dict[str, Any] = {}
        for attr, _, detail in self.errors:
            content.setdefault(str(attr[0]) if attr else NOT_FIELDS, []).append(detail)
        return content


def invalid(detail: str, *attr: str | int, code: str = "invalid", **options: Any) -> ApiFailureError:
    """400: the request's content; `attr` leads to the place in it."""
    return ApiFailureError(400, [(attr, code, detail)], **options)


def missing(detail: str = "No object matches the given query.") -> ApiFailureError:
    return ApiFailureError(404, [((), "not_found", detail)])


def forbidden(detail: str = "You do not have permission to perform this action.") -> ApiFailureError:
    return ApiFailureError(403, [((), "permission_denied", detail)])


def unauthorized(detail: str, code: str = "authentication_failed") -> ApiFailureError:
    return ApiFailureError(401, [((), code, detail)], headers={"WWW-Authenticate": "Token"})


def conflict(detail: str, *attr: str | int, code: str = "conflict", **extra: Any) -> ApiFailureError:
    """409; `existing_id=` names the object that is in the way."""
    return ApiFailureError(409, [(attr, code, detail)], **extra)


def from_validation(error: ValidationError) -> ApiFailureError:
    """Every problem that pydantic found in a request. Its messages here are read by developers, and hold no secret."""
    details = error.errors(include_url=False, include_context=False, include_input=False)
    codes = {"missing": "required", "value_error": "invalid"}
    found = [
        (tuple(item["loc"]), codes.get(item["type"], item["type"]), item["msg"].removeprefix("Value error, "))
        for item in details
    ]
    return ApiFailureError(400, found)
