"""Archives that are hostile, damaged or odd; each of them is refused, in one line, and leaves nothing."""

from __future__ import annotations

import io
import tarfile
from typing import TYPE_CHECKING, Any

import pytest

from arkworker.errors import ArchiveError
from arkworker.storage.archives import extract

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

GNU = b"ustar  \0"


def file(make: Any, name: bytes = b"f", content: bytes = b"text", **fields: Any) -> Any:
    return make.Entry(name, content, **fields)


def sparse_pax(make: Any) -> list[Any]:
    return [make.pax(GNU__sparse__major="1", GNU__sparse__minor="0", GNU__sparse__name="f"), file(make)]


def deep(levels: int) -> bytes:
    return b"/".join([b"d"] * levels)


CASES: dict[str, Callable[[Any], list[Any]]] = {
    # Outside the destination.
    "absolute name": lambda m: [file(m, b"/tmp/escape")],
    "absolute name in the prefix": lambda m: [file(m, b"x", prefix=b"/tmp")],
    "parent": lambda m: [file(m, b"../escape")],
    "parent in the prefix": lambda m: [file(m, b"x", prefix=b"a/..")],
    "parent in a directory": lambda m: [m.Entry(b"../escape/", kind=b"5")],
    "parent that returns": lambda m: [file(m, b"a/../b")],
    "parent at the end": lambda m: [m.Entry(b"a/..", kind=b"5")],
    "parent in a pax path": lambda m: [m.pax(path="../../escape"), file(m)],
    "parent in a long name": lambda m: [m.Entry(b"L", b"../escape\0", b"L", magic=GNU), file(m, magic=GNU)],
    "absolute long name": lambda m: [m.Entry(b"L", b"/escape\0", b"L", magic=GNU), file(m, magic=GNU)],
    "symlink outside": lambda m: [m.Entry(b"l", kind=b"2", link=b"../secret")],
    "absolute symlink": lambda m: [m.Entry(b"l", kind=b"2", link=b"/etc/passwd")],
    "symlink that leaves and returns": lambda m: [file(m), m.Entry(b"l", kind=b"2", link=b"../destination/f")],
    "symlink to the root": lambda m: [m.Entry(b"l", kind=b"2", link=b".")],
    "symlink to a directory": lambda m: [m.Entry(b"d/", kind=b"5"), m.Entry(b"l", kind=b"2", link=b"d")],
    "symlink to a directory, slash": lambda m: [file(m, b"d/f"), m.Entry(b"l", kind=b"2", link=b"d/")],
    "symlink, then a file through it": lambda m: [m.Entry(b"l", kind=b"2", link=b"d"), file(m, b"l/f")],
    "symlink, then a file in its place": lambda m: [file(m), m.Entry(b"l", kind=b"2", link=b"f"), file(m, b"l")],
    "file, then a symlink in its place": lambda m: [file(m), file(m, b"l"), m.Entry(b"l", kind=b"2", link=b"f")],
    "symlink to nothing": lambda m: [m.Entry(b"l", kind=b"2", link=b"absent")],
    "symlink to itself": lambda m: [m.Entry(b"l", kind=b"2", link=b"l")],
    "symlinks in a circle": lambda m: [m.Entry(b"a", kind=b"2", link=b"b"), m.Entry(b"b", kind=b"2", link=b"a")],
    "empty symlink": lambda m: [m.Entry(b"l", kind=b"2")],
    "symlink without a name": lambda m: [file(m), m.Entry(b"", kind=b"2", link=b"f")],
    "symlink twice": lambda m: [file(m), *[m.Entry(b"l", kind=b"2", link=b"f")] * 2],
    "long symlink outside": lambda m: [m.pax(linkpath="../" * 60 + "etc/passwd"), m.Entry(b"l", kind=b"2")],
    # Links, and kinds of members.
    "hard link outside": lambda m: [m.Entry(b"l", kind=b"1", link=b"../secret")],
    "absolute hard link": lambda m: [m.Entry(b"l", kind=b"1", link=b"/etc/passwd")],
    "hard link to nothing": lambda m: [m.Entry(b"l", kind=b"1", link=b"absent")],
    "hard link to a later file": lambda m: [m.Entry(b"l", kind=b"1", link=b"f"), file(m)],
    "hard link to a directory": lambda m: [m.Entry(b"d/", kind=b"5"), m.Entry(b"l", kind=b"1", link=b"d")],
    "hard link to a symlink": lambda m: [
        file(m),
        m.Entry(b"s", kind=b"2", link=b"f"),
        m.Entry(b"l", kind=b"1", link=b"s"),
    ],
    "hard link to itself": lambda m: [m.Entry(b"l", kind=b"1", link=b"l")],
    "hard link over its target": lambda m: [file(m), m.Entry(b"f", kind=b"1", link=b"f")],
    "hard link with a content": lambda m: [file(m), m.Entry(b"l", b"text", kind=b"1", link=b"f")],
    "symlink with a content": lambda m: [file(m), m.Entry(b"l", b"text", kind=b"2", link=b"f")],
    "character device": lambda m: [m.Entry(b"null", kind=b"3")],
    "block device": lambda m: [m.Entry(b"sda", kind=b"4")],
    "FIFO": lambda m: [m.Entry(b"pipe", kind=b"6")],
    "contiguous file": lambda m: [file(m, kind=b"7")],
    "volume label": lambda m: [m.Entry(b"label", kind=b"V", magic=GNU)],
    "other volume": lambda m: [file(m, kind=b"M", magic=GNU)],
    "incremental dump": lambda m: [m.Entry(b"d/", b"Yf\0\0", kind=b"D", magic=GNU)],
    "unknown kind": lambda m: [file(m, kind=b"Z")],
    "Solaris extension": lambda m: [m.Entry(b"x", b"", kind=b"X"), file(m)],
    "old sparse": lambda m: [file(m, kind=b"S", magic=GNU)],
    "pax sparse": sparse_pax,
    "pax sparse, old": lambda m: [m.pax(GNU__sparse__size="9", GNU__sparse__map="0,4"), file(m)],
    "star sparse": lambda m: [m.pax(SCHILY__realsize="999999999"), file(m)],
    # Names and collisions.
    "empty name": lambda m: [file(m, b"")],
    "file named .": lambda m: [file(m, b".")],
    "file named ./.": lambda m: [file(m, b"./.")],
    "file with a slash": lambda m: [file(m, b"f/")],
    "file with a slash, old kind": lambda m: [file(m, b"f/", kind=b"\0", magic=bytes(8))],
    "long name with a slash, old kind": lambda m: [
        m.Entry(b"L", b"d" * 120 + b"/\0", b"L", magic=GNU),
        file(m, kind=b"\0", magic=GNU),
    ],
    "NUL in a name": lambda m: [file(m, b"safe\0evil")],
    "NUL in a link": lambda m: [file(m, b"f"), m.Entry(b"l", kind=b"2", link=b"f\0x")],
    "NUL in a pax path": lambda m: [m.pax(path="safe\0evil"), file(m)],
    "NUL in a long name": lambda m: [m.Entry(b"L", b"safe\0evil\0", b"L", magic=GNU), file(m, magic=GNU)],
    "empty long name": lambda m: [m.Entry(b"L", b"\0", b"L", magic=GNU), file(m, magic=GNU)],
    "component of 256 bytes": lambda m: [m.pax(path="a" * 256), file(m)],
    "65 levels": lambda m: [m.pax(path=deep(65)), file(m)],
    "longer than a path can be": lambda m: [m.pax(path="/".join(["a" * 250] * 20)), file(m)],
    "posing as our leftover": lambda m: [file(m, b"a/.arkworker-staging-0123456789abcdef/journal")],
    "twice": lambda m: [file(m), file(m)],
    "twice, spelt otherwise": lambda m: [file(m, b"a/f"), file(m, b"a//./f")],
    "file, then below it": lambda m: [file(m), file(m, b"f/g")],
    "file, then directory": lambda m: [file(m), m.Entry(b"f/", kind=b"5")],
    "directory, then file": lambda m: [m.Entry(b"f/", kind=b"5"), file(m)],
    "link below a file": lambda m: [file(m), m.Entry(b"f/l", kind=b"1", link=b"f")],
    # A tar that is not whole.
    "negative size": lambda m: [file(m, size=b"\xff" * 12)],
    "negative octal size": lambda m: [file(m, size=b"-0000000001\0")],
    "size of 8 EiB": lambda m: [file(m, size=b"\x80\0\0\0" + b"\xff" * 8)],
    "huge size": lambda m: [file(m, size=b"\x80\0\0\0" + b"\x7f" + b"\xff" * 7)],
    "size that is no number": lambda m: [file(m, size=b"0000000000z\0")],
    "size with an underscore": lambda m: [file(m, size=b"000000_0004\0")],
    "no size": lambda m: [file(m, size=bytes(12))],
    "mode that is no number": lambda m: [file(m, mode=b"rw-r--r-")],
    "pax size too large": lambda m: [m.pax(size="4000"), file(m)],
    "pax size negative": lambda m: [m.pax(size="-1"), file(m)],
    "pax size of 5000 digits": lambda m: [m.pax(size="1" * 5000), file(m)],
    "pax size on a directory": lambda m: [m.pax(size="512"), m.Entry(b"d/", bytes(512), b"5", size=b"0" * 11 + b"\0")],
    "pax path empty": lambda m: [m.pax(path=""), file(m)],
    "pax twice": lambda m: [m.pax(path="a"), m.pax(path="b"), file(m)],
    "pax path and long name": lambda m: [m.pax(path="a"), m.Entry(b"L", b"b\0", b"L", magic=GNU), file(m)],
    "pax path doubled": lambda m: [m.Entry(b"x", b"9 path=a\n9 path=b\n", b"x"), file(m)],
    "pax before the end": lambda m: [m.pax(path="a")],
    "pax before a global header": lambda m: [m.pax(path="a"), m.Entry(b"g", b"", b"g"), file(m)],
    "pax record of no length": lambda m: [m.Entry(b"x", b"0 path=a\n", b"x"), file(m)],
    "pax record that is too long": lambda m: [m.Entry(b"x", b"99 path=a\n", b"x"), file(m)],
    "pax record that is too short": lambda m: [m.Entry(b"x", b"8 path=a\n", b"x"), file(m)],
    "pax record without a key": lambda m: [m.Entry(b"x", b"5 =a\n", b"x"), file(m)],
    "pax record without a value": lambda m: [m.Entry(b"x", b"7 path\n", b"x"), file(m)],
    "pax of garbage": lambda m: [m.Entry(b"x", b"garbage" * 9, b"x"), file(m)],
    "pax that claims 8 GiB": lambda m: [m.Entry(b"x", b"", b"x", size=b"\x80" + (2**33).to_bytes(11, "big"))],
    "long name that claims 1 GiB": lambda m: [m.Entry(b"L", b"", b"L", size=b"10000000000\0", magic=GNU)],
    "global path": lambda m: [m.Entry(b"g", bytes(m.pax(path="a"))[512:].rstrip(b"\0"), b"g"), file(m)],
    "directory with a content": lambda m: [m.Entry(b"d/", b"text", b"5")],
    "wrong checksum": lambda m: [file(m, checksum=b"000001\0 ")],
    "wrong checksum after the first member": lambda m: [file(m, b"a"), file(m, b"b", checksum=b"000001\0 ")],
    "checksum that is no number": lambda m: [file(m, checksum=b"garbage!")],
    "unknown magic": lambda m: [file(m, magic=b"tarus\x0000")],
    "a lone zero block": lambda m: [file(m, b"a"), bytes(512), file(m, b"b")],
    "data after the end": lambda m: [file(m, b"a"), m.END, file(m, b"b")],
    "half a header": lambda m: [file(m, b"a"), bytes(file(m, b"b"))[:300]],
    "no tar at all": lambda _: [b"<html><body>502 Bad Gateway</body></html>" * 99],
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("destination_is", ["absent", "present"])
def test_refuses_in_one_line_and_leaves_all_as_it_was(
    case: str, destination_is: str, make: Any, place: Path, tree: Callable[[Path], dict[str, bytes | None]]
) -> None:
    """Whatever the archive says, it is an ArchiveError of one line, and nothing changes anywhere."""
    destination = place / "destination"
    if destination_is == "present":
        destination.mkdir()
        (destination / "f").write_text("before")
    (place / "secret").write_text("secret")
    before = tree(place)
    archive = make(*CASES[case](make))
    with pytest.raises(ArchiveError) as caught:
        extract(archive, destination)
    assert str(caught.value).startswith(str(archive))
    assert str(caught.value).isprintable()
    assert tree(place) == before


def test_names_the_member_and_keeps_escapes_off_the_terminal(make: Any, place: Path) -> None:
    """The error has archive, member and reason as fields; what a terminal would obey is escaped."""
    archive = make(file(make, b"../\x1b[31m\n\xff"))
    with pytest.raises(ArchiveError) as caught:
        extract(archive, place / "destination")
    fields = (caught.value.archive, caught.value.member, caught.value.reason)
    assert fields == (str(archive), "../\\x1b[31m\\n\\udcff", "has a .. in its name")


SOUND: dict[str, Callable[[Any], list[Any]]] = {
    "plain": lambda m: [file(m)],
    "old kind": lambda m: [file(m, kind=b"\0", magic=bytes(8))],
    "dotted": lambda m: [m.Entry(b"./", kind=b"5"), file(m, b"./f")],
    "doubled slashes": lambda m: [file(m, b".//./f")],
    "pax path": lambda m: [m.pax(path="f", mtime="1.5", comment="any"), file(m, b"short")],
    "pax size": lambda m: [m.pax(size="4"), file(m, size=b"00000000000\0")],
    "long name": lambda m: [m.Entry(b"L", b"f\0", b"L", magic=GNU), file(m, b"short", magic=GNU)],
    "binary size": lambda m: [file(m, size=b"\x80" + (4).to_bytes(11, "big"))],
    "size ends with a space": lambda m: [file(m, size=b"         4 \0")],
    "time before 1970": lambda m: [file(m, modified=b"\xff" * 12)],
    "time that fits nothing": lambda m: [file(m, modified=b"\x80" + b"\x7f" * 11)],
    "global remark": lambda m: [m.Entry(b"g", b"13 comment=x\n", b"g"), file(m)],
    "padded end": lambda m: [file(m), bytes(10240)],
}


@pytest.mark.parametrize("case", SOUND)
def test_extracts_what_is_odd_but_sound(
    case: str, make: Any, place: Path, tree: Callable[[Path], dict[str, bytes | None]]
) -> None:
    """Every form that a well-meaning program writes is understood."""
    extract(make(*SOUND[case](make)), place / "destination")
    assert tree(place) == {"destination": None, "destination/f": b"text"}


@pytest.mark.parametrize("kind", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_extracts_long_and_foreign_names_of_every_format(
    kind: int, make: Any, place: Path, tree: Callable[[Path], dict[str, bytes | None]]
) -> None:
    """Long names, in the three ways of writing them, come out whole."""
    name = f"dossier/{'é' * 40}/{'page ' * 12}.txt"
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=kind) as tar:
        info = tarfile.TarInfo(name)
        info.size = 4
        tar.addfile(info, io.BytesIO(b"text"))
    extract(make.compressed(make.zstd(raw.getvalue())), place / "destination")
    assert tree(place / "destination")[name] == b"text"


def test_takes_64_levels_and_components_of_255_bytes(make: Any, place: Path) -> None:
    """The limits on names are met exactly."""
    archive = make(make.pax(path=deep(63) + b"/f"), file(make), make.pax(path="a" * 255), file(make))
    extract(archive, place / "destination")
    assert (place / "destination" / deep(63).decode() / "f").read_text() == "text"
    assert (place / "destination" / ("a" * 255)).read_text() == "text"
