"""Secrets: from a reference to a content, on Arkindex, in the local store, in a file or a variable; for all options.

A content is then read as the type that its option wants; no message holds any of it.
"""

from __future__ import annotations

import logging
import os
from functools import partial
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, TypeAdapter, ValidationError

from arkworker.documents.text_file import TextFileError, read_text_file
from arkworker.documents.yaml import parse_yaml
from arkworker.errors import ApiContentError, ApiError, ApiUnavailableError, ExitCode, SecretError
from arkworker.frozen import freeze
from arkworker.options.configuration import BY_SETTINGS
from arkworker.options.options import alternatives, is_list, is_mapping, key_of, parts_of
from arkworker.options.secret import Secret
from arkworker.settings.reading import Refused, read_data, read_node, read_text
from arkworker.settings.report.messages import is_of_author, message_of
from arkworker.settings.report.redaction import REFUSED
from arkworker.storage.directories import expand_home
from arkworker.storage.local_secrets import SecretStore, check_secret_name
from arkworker.storage.local_secrets.content import UnusableError, parse_content
from arkworker.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from arkworker.arkindex.client import Client
    from arkworker.settings.provenance import Origin, Path
    from arkworker.settings.reading import Reference
    from arkworker.settings.resolution import SecretRequest

logger = logging.getLogger("arkworker.secrets")

MOST_SAID = 3  # of what is wrong with one content
_OPERATION = "RetrieveSecret"


class ContentError(Exception):
    """The content of a secret is not what its option wants; the message holds none of it."""


def is_community(api: Client) -> bool:
    """Whether the payload of this instance holds the contents of secrets, not references to them.

    Raises:
        ApiError: The instance's OpenAPI document, which alone says so, cannot be retrieved.
    """
    return not api.has_operation(_OPERATION)


def load_secret(
    reference: str | os.PathLike[str], *, store: SecretStore, api: Client | None, environ: Mapping[str, str]
) -> Any:
    """The content that a reference leads to: text, or data where the name ends with `.json`, `.yaml` or `.yml`.

    Args:
        reference: The name of a secret, `file:PATH` (a final line break is not part of the content) or `env:NAME`.
        store: The local secrets; one of the same name replaces what Arkindex gives.
        api: Arkindex; None when it is not to be asked.
        environ: The environment that `env:NAME` looks into.

    Raises:
        SecretError: There is no such secret, or it cannot be read. Its `reason` does not repeat a name, which may be
            a content that someone put in the wrong place.
        ApiUnavailableError: Arkindex could not be asked, and the local store has no such secret.
    """
    try:
        return _load(os.fspath(reference), store, api, environ)
    except BaseException as error:  # noqa: BLE001 - it is raised again
        problem = error
    # Whatever shows the variables of a traceback, as collectors of errors do, must find neither the content nor the
    # environment: no frame that holds one is part of it.
    del store, api, environ
    problem.__cause__ = problem.__context__ = None
    raise problem.with_traceback(None)


def _load(reference: str, store: SecretStore, api: Client | None, environ: Mapping[str, str]) -> Any:
    kind, colon, rest = reference.partition(":")
    if colon and kind == "file":
        return _load_file(reference, rest, environ)
    if colon and kind == "env":
        return _load_variable(reference, rest, environ)
    check_secret_name(reference)
    return _load_name(reference, store, api)


def _load_file(reference: str, path: str, environ: Mapping[str, str]) -> Any:
    shown = f"the file {printable(path)}"
    try:
        text = read_text_file(str(expand_home(path, environ))).text
        return parse_content(path, text.removesuffix("\n").removesuffix("\r"))
    except TextFileError as error:
        # Where a line is named, the message may name a byte of it, too.
        raise SecretError(reference, f"{shown}: {'not UTF-8 text' if error.line else error.message}") from None
    except UnusableError as error:
        raise SecretError(reference, f"{shown}: {error}") from None


def _load_variable(reference: str, name: str, environ: Mapping[str, str]) -> str:
    value = environ.get(name)
    if not value:
        raise SecretError(reference, f"the environment variable {printable(name)} is not set, or empty")
    if not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
        raise SecretError(reference, f"the environment variable {printable(name)} is not UTF-8 text")
    return value


def _load_name(name: str, store: SecretStore, api: Client | None) -> Any:
    remote, failure = (None, None) if api is None else _ask(api, name)
    try:
        local = store.load(name)
    except SecretError as error:
        if remote is None:
            raise
        logger.warning("secret %r: the value from Arkindex is used, since %s", name, error.reason)
        local = None
    if local is not None:
        _log_local(name, remote, failure)
        return local
    if remote is None:
        raise _not_found(name, store, api, failure)
    try:
        value = parse_content(name, remote)
    except UnusableError as error:
        raise SecretError(name, f"the content on Arkindex: {error}") from None
    logger.info("secret %r: loaded from Arkindex", name)
    return value


def _ask(api: Client, name: str) -> tuple[str | None, ApiError | None]:
    try:
        answer = api.request(_OPERATION, name=name)
        return _content(answer), None
    except ApiError as error:
        return None, error


def _content(answer: Any) -> str:
    content = answer.get("content") if isinstance(answer, dict) else None
    if not isinstance(content, str):
        raise ApiContentError(_OPERATION, "the answer has no text `content`")
    return content


def _log_local(name: str, remote: str | None, failure: ApiError | None) -> None:
    if failure is not None and failure.status != 404:
        status = "no answer" if failure.status is None else f"status {failure.status}"
        logger.warning("secret %r: Arkindex did not give it (%s)", name, status)
    replaced = "" if remote is None else ", which replaces the value of Arkindex"
    logger.info("secret %r: loaded from the local secrets directory%s", name, replaced)


def _not_found(name: str, store: SecretStore, api: Client | None, failure: ApiError | None) -> Exception:
    local = f"in the local secrets directory {printable(str(store.directory), 500)}"
    if api is None:
        return SecretError(name, f"this secret is not {local}, and Arkindex is not asked")
    # The messages of the failure are not repeated: an address or a server's answer may hold the name.
    if failure is not None and (failure.status is None or failure.exit_code == ExitCode.UNAVAILABLE):
        message = f"Arkindex could not be asked for a secret, which is not {local} either"
        error = ApiUnavailableError(_OPERATION, message, status=failure.status)
        error.exit_code = failure.exit_code
        return error
    if failure is not None and failure.status in (401, 403):
        return SecretError(name, f"Arkindex refuses to give it (status {failure.status}), and it is not {local}")
    return SecretError(name, f"this secret is neither on Arkindex nor {local}")


class SecretLoader:
    """Loads what the settings of a worker refer to, from Arkindex and the local store.

    Args:
        store: The local secrets.
        api: Arkindex; None where its address is not set.
        environ: What `env:NAME` looks into.
        report: Told of each that cannot be loaded: the path of the option, why, and where the reference was given.

    Attributes:
        loaded: The secrets, by the reference of their option, or by the name they are listed under.
        unavailable: The error of an Arkindex that could not be asked: worth a retry, so nothing to correct.
    """

    def __init__(
        self,
        store: SecretStore,
        api: Client | None,
        environ: Mapping[str, str],
        report: Callable[[Path, str, Origin], None],
    ) -> None:
        self.loaded: dict[Reference | str, Secret[Any]] = {}
        self.unavailable: ApiError | None = None
        self._store = store
        self._api = api
        self._environ = environ
        self._report = report
        self._is_community: bool | None = None

    def load_options(self, requests: Iterable[SecretRequest]) -> None:
        """Load what options refer to."""
        for request in requests:
            self._attempt(request.reference, request.path, request.origin, partial(self._content, request))

    def load_names(self, names: Iterable[str], origin: Origin) -> None:
        """Load what is listed by name."""
        for name in names:
            self._attempt(name, ("secrets", printable(name, 60)), origin, partial(self._load_name, name))

    def _attempt(
        self, key: Reference | str, path: Path, origin: Origin, load: Callable[[], Secret[Any] | None]
    ) -> None:
        try:
            secret = load()
        except SecretError as error:
            message = error.reason
        except ContentError as error:
            message = str(error)
        except ApiError as error:
            if error.exit_code == ExitCode.UNAVAILABLE:
                # Without its frames: what refers to a secret may be its content, on a Community instance.
                self.unavailable = error.with_traceback(None)
                return
            message = printable(str(error), 300)
        else:
            if secret is not None:
                self.loaded[key] = secret
            return
        self._report(path, message, origin)

    def _content(self, request: SecretRequest) -> Secret[Any] | None:
        """What an option's reference leads to; on a Community instance, a worker run holds the content itself."""
        reference = request.reference
        if request.origin.source == "worker run" and self._ask_edition():
            return read_secret(reference.value, reference.annotation)
        content = self._load_name(reference.value)
        return None if content is None else read_secret(content.get_secret_value(), reference.annotation)

    def _load_name(self, name: str) -> Secret[Any] | None:
        if self.unavailable is not None and not name.startswith(("file:", "env:")):
            return None  # each would wait for as long as the first
        return Secret(load_secret(name, store=self._store, api=self._api, environ=self._environ))

    def _ask_edition(self) -> bool:
        if self._is_community is None and self.unavailable is not None:
            raise self.unavailable
        if self._is_community is None:
            self._is_community = self._api is not None and is_community(self._api)
        return self._is_community


def read_secret(content: Any, annotation: Any) -> Secret[Any]:
    """Validate a loaded content as its type.

    Args:
        content: Text, or data that was parsed by the suffix of the secret's name.
        annotation: The `T` of `Secret[T]`; text that is JSON or YAML is parsed where it asks for more than text.

    Raises:
        ContentError: The content is not a `T`; the message names fields of `T` at most.
    """
    if annotation in (Any, object):
        return Secret(freeze(content))
    token = BY_SETTINGS.set(True)
    try:
        plain = _plain(content, annotation)
        if not isinstance(plain, Refused):
            return Secret(TypeAdapter(annotation).validate_python(plain))
        lines: Iterable[Any] = plain.lines
    except ValidationError as error:
        lines = error.errors(include_url=False, include_input=False)
    except Exception:  # noqa: BLE001 - a parser, or a validator of the author, whose words may hold the content
        lines = ({"type": "unreadable", "loc": (), "msg": "not readable as its type"},)
    finally:
        BY_SETTINGS.reset(token)
    said = [(line["loc"], REFUSED if is_of_author(line) else message_of(line)) for line in lines]
    known = _known_names(annotation)
    message = "; ".join(dict.fromkeys(_say(steps, words, known) for steps, words in said[:MOST_SAID]))
    raise ContentError(f"the content of this secret is refused: {message}")


def _plain(content: Any, annotation: Any) -> Any:
    if not isinstance(content, str):
        return read_data(content, annotation)
    if str in alternatives(annotation):
        return content
    if any(is_list(member) or is_mapping(member) for member in alternatives(annotation)):
        node = parse_yaml(content)
        return content if node is None else read_node(node, annotation)
    return read_text(content.strip(), annotation)


def _known_names(annotation: Any) -> set[str]:
    models = (part for part in parts_of(annotation) if isinstance(part, type) and issubclass(part, BaseModel))
    return {key_of(name, field) for model in models for name, field in model.model_fields.items()}


def _say(steps: Iterable[int | str], words: str, known: set[str]) -> str:
    # A key that the type does not know may be part of the secret itself.
    shown = [str(step) if str(step).isdecimal() or step in known else "…" for step in steps]
    return f"{'.'.join(shown)}: {words}" if shown else words
