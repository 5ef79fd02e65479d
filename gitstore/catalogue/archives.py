"""Archives of a version's files, the same bytes on any machine, for ever.

Compressors differ between releases, also in what they make without compression. So nothing is
compressed, and every byte is written here: tar (POSIX.1-2001) in gzip (RFC 1952) with the stored
blocks of RFC 1951, and zip (APPNOTE 6.3) with stored members. No top folder; members by the bytes
of their paths; 1980-01-01; owner 0; modes 644 and 755.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from struct import pack

from gitstore.catalogue.files import WHOLE, File
from gitstore.errors import OutOfBounds

_EPOCH = 315_532_800
"""1980-01-01 in seconds of Unix: the earliest date that zip knows."""
_DOS_DATE = 1 << 5 | 1
"""The same as zip writes it."""

_TAR_BLOCK = 512
_NAME_BYTES = 100
"""Bytes of a path up to which it stands in the header of a tar member."""

_STORED_BYTES = 65_535
"""Bytes of each stored block of deflate but the last: the most that its length can say."""

_UNIX = 3
_ZIP_VERSION = 20
_UTF8 = 1 << 11
_ZIP_LIMIT_BYTES = 2**32 - 1

Read = Callable[[File], bytes]
"""Gives the bytes of a file, as many as its size says."""


@dataclass(frozen=True, slots=True)
class Archive:
    """An archive that is not made yet: its *length* in bytes, and what makes it piece by piece.

    No piece is larger than a file and a header.
    """

    length: int
    pieces: Iterator[bytes]


def tar_gz(files: tuple[File, ...], read: Read) -> Archive:
    """The archive of *files*, by the bytes of their paths, as .tar.gz."""
    inner = sum(len(_tar_head(file)) + _padded(file.size) for file in files) + 2 * _TAR_BLOCK
    blocks = -(-inner // _STORED_BYTES)
    length = len(_GZIP_HEAD) + inner + 5 * blocks + 8
    return Archive(length, _gzip(_tar(files, read)))


def _tar(files: Iterable[File], read: Read) -> Iterator[bytes]:
    for file in files:
        yield _tar_head(file)
        yield read(file)
        yield bytes(_padded(file.size) - file.size)
    yield bytes(2 * _TAR_BLOCK)


def _padded(size: int) -> int:
    return -(-size // _TAR_BLOCK) * _TAR_BLOCK


def _tar_head(file: File) -> bytes:
    """The header of *file*, after a member with its path if the header has no room for it."""
    path = file.raw_path
    head = _ustar(path[:_NAME_BYTES], file.size, 0o755 if file.is_executable else 0o644, b"0")
    if len(path) <= _NAME_BYTES:
        return head
    record = _pax_record(b"path", path)
    attributes = record + bytes(_padded(len(record)) - len(record))
    return _ustar(b"././@PaxHeader", len(record), 0o644, b"x") + attributes + head


def _pax_record(key: bytes, value: bytes) -> bytes:
    """A record of a pax header, which begins with its own length in decimal digits."""
    rest = b" " + key + b"=" + value + b"\n"
    length = len(rest)
    while length != len(rest) + len(str(length)):
        length = len(rest) + len(str(length))
    return str(length).encode() + rest


def _ustar(name: bytes, size: int, mode: int, kind: bytes) -> bytes:
    begin = name.ljust(_NAME_BYTES, b"\0") + b"%07o\0%07o\0%07o\0%011o\0%011o\0" % (
        *(mode, 0, 0),
        *(size, _EPOCH),
    )
    end = kind + bytes(100) + b"ustar\x0000" + bytes(64) + b"%07o\0%07o\0" % (0, 0) + bytes(167)
    checksum = sum(begin) + sum(end) + 8 * ord(" ")
    return begin + b"%06o\0 " % checksum + end


_GZIP_HEAD = b"\x1f\x8b\x08\0" + bytes(4) + b"\0\xff"
"""No name, no time, and an unknown system."""


def _gzip(pieces: Iterable[bytes]) -> Iterator[bytes]:
    yield _GZIP_HEAD
    checksum = length = 0
    buffer = b""
    for piece in pieces:
        checksum, length = zlib.crc32(piece, checksum), length + len(piece)
        buffer += piece
        # The last block is the one that says so, and is never empty.
        whole = (len(buffer) - 1) // _STORED_BYTES * _STORED_BYTES
        for start in range(0, whole, _STORED_BYTES):
            yield _stored(buffer[start : start + _STORED_BYTES], is_last=False)
        buffer = buffer[max(whole, 0) :]
    yield _stored(buffer, is_last=True)
    yield pack("<II", checksum, length & 0xFFFFFFFF)


def _stored(data: bytes, is_last: bool) -> bytes:
    return pack("<BHH", is_last, len(data), len(data) ^ 0xFFFF) + data


def zip_stored(files: tuple[File, ...], read: Read) -> Archive:
    """The archive of *files*, by the bytes of their paths, as .zip.

    Raises:
        OutOfBounds: it would have 4 GiB or more.
    """
    names = sum(len(file.raw_path) for file in files)
    length = sum(file.size for file in files) + 2 * names + (30 + 46) * len(files) + 22
    if length > _ZIP_LIMIT_BYTES:
        raise OutOfBounds(WHOLE, "has 4 GiB or more, which is too much for zip; take the .tar.gz")
    return Archive(length, _zip(files, read))


def _zip(files: tuple[File, ...], read: Read) -> Iterator[bytes]:
    directory, offset = [], 0
    for file in files:
        data, name = read(file), file.raw_path
        fields = _zip_fields(file, name, zlib.crc32(data))
        head = pack("<IH", 0x04034B50, _ZIP_VERSION) + fields + name
        directory.append(_zip_entry(file, name, fields, offset))
        offset += len(head) + len(data)
        yield head
        yield data
    size = sum(map(len, directory))
    yield from directory
    count = len(files)
    yield pack("<IHHHHIIH", 0x06054B50, 0, 0, count, count, size, offset, 0)


def _zip_fields(file: File, name: bytes, checksum: int) -> bytes:
    """What the header of a member and its entry in the directory have in common."""
    flags = 0 if name.isascii() or not _is_utf8(name) else _UTF8
    sizes = file.size, file.size
    return pack("<HHHHIIIHH", flags, 0, 0, _DOS_DATE, checksum, *sizes, len(name), 0)


def _zip_entry(file: File, name: bytes, fields: bytes, offset: int) -> bytes:
    mode = 0o100755 if file.is_executable else 0o100644
    begin = pack("<IHH", 0x02014B50, _UNIX << 8 | _ZIP_VERSION, _ZIP_VERSION)
    return begin + fields + pack("<HHHII", 0, 0, 0, mode << 16, offset) + name


def _is_utf8(name: bytes) -> bool:
    try:
        name.decode()
    except UnicodeDecodeError:
        return False
    return True
