"""Which names a member may have, and where a link in the archive leads."""

from __future__ import annotations

import re

from .refusal import Refusal

MAX_COMPONENT = 255
MAX_LEVELS = 64
MAX_PATH = 4095  # PATH_MAX without its NUL: what nobody could open by its path is not extracted
STAGING_PREFIX = b".arkworker-staging-"  # no member may pose as a leftover of ours, which a later run would remove

# Nothing to clean and nothing to refuse: no component is empty, starts with a dot, or is too long.
_PLAIN = re.compile(rb"(?:[^/\0.][^/\0]{0,254}/){0,63}[^/\0.][^/\0]{0,254}")
_HERE = b"./"  # before each name that `tar -C directory .` writes


def clean(name: bytes) -> bytes:
    """A member's name without `./`, doubled and trailing slashes; empty for the root of the archive.

    Raises:
        Refusal: It is absolute, holds a NUL or a `..` component, or is too long or too deep.
    """
    plain = name.removeprefix(_HERE)
    if _PLAIN.fullmatch(plain):
        return plain
    if name.startswith(b"/"):
        raise Refusal("has an absolute name", name)
    if b"\0" in name:
        raise Refusal("has a NUL in its name", name)
    components = [component for component in name.split(b"/") if component not in {b"", b"."}]
    if len(components) > MAX_LEVELS:
        raise Refusal(f"lies deeper than {MAX_LEVELS} levels", name)
    for component in components:
        _check_component(component, name)
    return b"/".join(components)


def is_root(name: bytes) -> bool:
    """Whether a directory's name is `.`, `./` or the like: the directory that all members are in."""
    return bool(name) and not clean(name)


def _check_component(component: bytes, name: bytes) -> None:
    if component == b"..":
        raise Refusal("has a .. in its name", name)
    if len(component) > MAX_COMPONENT:
        raise Refusal(f"has a component of more than {MAX_COMPONENT} bytes in its name", name)
    if component.lower().startswith(STAGING_PREFIX):
        raise Refusal(f"has a name that is reserved ({STAGING_PREFIX.decode()}…)", name)


def follow(link: bytes, target: bytes) -> bytes:
    """The member that a symbolic link leads to. The text alone decides: no link ever exists on disk.

    Raises:
        Refusal: It is absolute or empty, or leaves the archive on its way, even to return.
    """
    if target.startswith(b"/") or not target:
        raise Refusal("is a symbolic link that leads out of the archive", link)
    path = link.split(b"/")[:-1]
    for component in target.split(b"/"):
        if component == b"..":
            if not path:
                raise Refusal("is a symbolic link that leads out of the archive", link)
            path.pop()
        elif component not in {b"", b"."}:
            path.append(component)
    if target.endswith((b"/", b"/.", b"/..")) or target in {b".", b".."}:
        raise Refusal("is a symbolic link to a directory", link)
    return clean(b"/".join(path))
