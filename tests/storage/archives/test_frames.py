"""The zstd stream must be whole, bounded, and nothing but zstd."""

from __future__ import annotations

import random
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
import zstandard

from arkworker.errors import ArchiveError
from arkworker.storage.archives import extract
from arkworker.storage.archives.unpacking import PIECE

if TYPE_CHECKING:
    from pathlib import Path

SKIPPABLE = b"\x5a\x2a\x4d\x18" + (5).to_bytes(4, "little") + b"hello"
MAGIC = b"\x28\xb5\x2f\xfd"


def run_length_frame(blocks: int, window: int = 0x38) -> bytes:
    """A frame of zeros, 128 KiB for each block of four bytes."""
    block = (128 * 1024 << 3 | 1 << 1).to_bytes(3, "little") + b"\0"
    last = (1 << 1 | 1).to_bytes(3, "little") + b"\0"
    return MAGIC + bytes([0, window]) + block * blocks + last


def refusal(archive: Path, place: Path, **limits: int) -> str:
    with pytest.raises(ArchiveError) as caught:
        extract(archive, place / "destination", **limits)
    assert list(place.iterdir()) == []
    return caught.value.reason


def test_takes_several_frames_and_skippable_ones(make: Any, place: Path) -> None:
    """Frames may follow one another anywhere in the tar, and frames for others are passed over."""
    tar = make.tar(make.Entry(b"f", bytes(range(256)) * 40)) + make.END
    parts = [SKIPPABLE, make.zstd(tar[:700]), make.zstd(b""), SKIPPABLE, make.zstd(tar[700:]), SKIPPABLE]
    extract(make.compressed(b"".join(parts)), place / "destination")
    assert (place / "destination" / "f").read_bytes() == bytes(range(256)) * 40


def test_takes_a_frame_for_each_kilobyte(make: Any, place: Path) -> None:
    """This is how the published library compresses."""
    tar = make.tar(make.Entry(b"f", b"0123456789" * 30_000)) + make.END
    frames = [make.zstd(tar[start : start + 1024]) for start in range(0, len(tar), 1024)]
    extract(make.compressed(b"".join(frames)), place / "destination")
    assert (place / "destination" / "f").read_bytes() == b"0123456789" * 30_000


@pytest.mark.parametrize("size", [0, 255, 65_791, 131_072, PIECE, PIECE + 1, 3_000_000])
def test_loses_nothing_at_the_end_of_a_frame_without_checksum(size: int, make: Any, place: Path) -> None:
    """Nothing stays in the decoder, whatever the size and however the frame tells it."""
    content = (b"abcdefg" * (size // 7 + 1))[:size]
    for with_size in (True, False):
        compressor = zstandard.ZstdCompressor(write_checksum=False, write_content_size=with_size)
        archive = make.compressed(compressor.compress(make.tar(make.Entry(b"f", content)) + make.END))
        extract(archive, place / str(with_size))
        assert (place / str(with_size) / "f").read_bytes() == content


@pytest.mark.parametrize("is_compressible", [True, False], ids=["compressible", "random"])
def test_joins_what_lies_in_several_pieces(is_compressible: bool, make: Any, place: Path) -> None:  # noqa: FBT001
    """A name and a content that begin in one piece and end in a later one are whole: none is overwritten too soon."""
    content = bytes(PIECE) if is_compressible else random.Random(1).randbytes(PIECE)
    name = b"/".join([b"n" * 200] * 5)
    before = make.Entry(b"before", content[: PIECE - 3 * 512])
    members = [before, make.Entry(b"long", name + b"\0", b"L"), make.Entry(b"f", content * 3), make.Entry(b"g", b"end")]
    extract(make(*members), place / "destination")
    assert (place / "destination" / name.decode()).read_bytes() == content * 3
    assert (place / "destination" / "g").read_bytes() == b"end"


def test_takes_a_window_of_128_mebibytes_and_no_more(make: Any, place: Path) -> None:
    """The largest window that every decoder of today has, exactly."""
    for window, suffix in ((27, "allowed"), (28, "refused")):
        parameters = zstandard.ZstdCompressionParameters(window_log=window, write_content_size=False)
        compressor = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
        tar = make.tar(make.Entry(suffix.encode(), b"text")) + make.END
        archive = make.compressed(compressor.compress(tar) + compressor.flush())
        if window == 27:
            extract(archive, place / "destination")
        else:
            with pytest.raises(ArchiveError, match="larger zstd window than the limit of 134,217,728 bytes"):
                extract(archive, place / "destination")
    assert [path.name for path in (place / "destination").iterdir()] == ["allowed"]


def test_takes_less_window_when_memory_is_limited(make: Any, place: Path) -> None:
    """A smaller limit on memory is a smaller window."""
    archive = make.compressed(run_length_frame(1, window=0x68))  # 8 MiB
    assert "4,194,304" in refusal(archive, place, max_memory=2**23)
    assert "1,024" in refusal(archive, place, max_memory=0)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x28\xb5",
        b"<html>502 Bad Gateway</html>",
        SKIPPABLE,
        SKIPPABLE[:-1],
        MAGIC,
        MAGIC + b"\x08\x38",
        MAGIC + b"\0\x38" + (3 << 1 | 1).to_bytes(3, "little"),
        MAGIC + b"\0\x38" + (2**21 - 1 << 3 | 1 << 1 | 1).to_bytes(3, "little") + b"\0",
        MAGIC + b"\x03\x38\1\0\0\0" + (1).to_bytes(3, "little"),
        b"\x27\xb5\x2f\xfd" + bytes(40),
    ],
    ids=[
        "empty",
        "half a magic",
        "a proxy's page",
        "skippable only",
        "skippable cut",
        "magic only",
        "reserved bit",
        "reserved block",
        "block too large",
        "dictionary",
        "zstd of 2016",
    ],
)
def test_refuses_what_is_no_whole_zstd(data: bytes, make: Any, place: Path) -> None:
    """Nothing that is not zstd from the first to the last byte is taken."""
    assert refusal(make.compressed(data), place)


@pytest.mark.parametrize("tail", [b"\0", b"garbage", b"\x28\xb5\x2f", b"\x28\xb5\x2f\xfd", SKIPPABLE[:9]])
def test_refuses_what_follows_the_last_frame(tail: bytes, make: Any, place: Path) -> None:
    """Bytes after the archive are not passed over in silence."""
    whole = make(make.Entry(b"f", b"text")).read_bytes()
    assert refusal(make.compressed(whole + tail), place)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_bomb_takes_neither_memory_nor_disk(make: Any, place: Path) -> None:
    """A file of many gigabytes is refused in small memory as soon as the limit is met."""
    header = make.zstd(bytes(make.Entry(b"bomb", size=b"\x80" + (2**40).to_bytes(11, "big"))))
    archive = make.compressed(header + run_length_frame(2**16))
    script = (
        "import sys\n"
        "from arkworker.errors import ArchiveError\n"
        "from arkworker.storage.archives import extract\n"
        "try: extract(sys.argv[1], sys.argv[2], max_bytes=2**30)\n"
        "except ArchiveError as error: print(error.reason)\n"
        "print(open('/proc/self/status').read().split('VmHWM:')[1].split()[0])\n"
    )
    command = [sys.executable, "-c", script, str(archive), str(place / "destination")]
    reason, memory = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert reason.startswith("unpacks to more than the limit of 1,073,741,824 bytes")
    assert int(memory) < 256 * 1024
