"""Names, the paths they stand for, and the limits on both (docs/format.md, section 1)."""

from __future__ import annotations

import functools
import re
import unicodedata
from dataclasses import dataclass
from urllib.parse import unquote

JOBTYPES = "jobtypes"
SOFTWARE = "software"
WITHDRAWN = "withdrawn.yaml"
CODE = "code.py"
META = "meta.yaml"
TESTS = "tests"
"""Where jobtypes have their tests, each in a folder of its name; no part of any version."""
YAML = ".yaml"

NAME_LIMIT = 64
"""Characters in a jobtype's, a software's or a software version's name."""
FILE_NAME_LIMIT_BYTES = 255
"""Bytes in one path component: the limit of the file systems that clones live on."""
YAML_LIMIT_BYTES = 256 * 1024
CODE_LIMIT_BYTES = 1024 * 1024
SHOWN_LIMIT = 100
"""Characters of a name or number in a message."""
COMMIT_LIMIT_BYTES = 1024 * 1024
"""Bytes of a commit, most of which its message has."""
COMPARED_LIMIT_BYTES = 1024 * 1024
"""Bytes of a file up to which it is compared line by line, to be shown or to be merged."""
DIFF_LIMIT_BYTES = 2 * 1024 * 1024
"""Bytes of all files together in one diff."""
FILE_LIMIT_BYTES = 16 * 1024 * 1024
ALL_LIMIT_BYTES = 200 * 1024 * 1024
DEPTH_LIMIT = 32
"""Components of a path in a tree."""
PATH_LIMIT_BYTES = 1024
ENTRIES_LIMIT = 200_000
"""Files and directories in a tree, counted as often as a path leads there."""
NAMES_LIMIT_BYTES = 16 * 1024 * 1024
"""Bytes of all paths in a tree together."""
DIRECTORY_LIMIT_BYTES = 4 * 1024 * 1024
"""Bytes that Git needs for the list of one directory's entries."""
JOBTYPES_LIMIT = 2000
"""The jobtypes that one push or change may touch, unless a setting says otherwise."""
NUMBER_LIMIT = 999_999_999
"""The highest version number that is read in a trailer. Numbers above it are kept free:
previews of unmerged changes use them."""
TRAILER_LIMIT = 99_999_999
"""The highest version number and id to which a trailer can jump. What lies above it up to
NUMBER_LIMIT is more than the writes that follow one by one will ever use."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How large files may be; *all_bytes* is for those of a tree together.

    *file_bytes* is for what stands below jobtypes/ or software/ and is neither code nor YAML.
    """

    code_bytes: int = CODE_LIMIT_BYTES
    yaml_bytes: int = YAML_LIMIT_BYTES
    file_bytes: int = FILE_LIMIT_BYTES
    all_bytes: int = ALL_LIMIT_BYTES

    def of(self, path: str) -> int:
        """The limit for the file at *path*."""
        folder, _, name = path.rpartition("/")
        is_jobtypes = folder.count("/") == 1 and folder.startswith(f"{JOBTYPES}/")
        if is_jobtypes and name == CODE:
            return self.code_bytes
        is_software = folder == SOFTWARE and name.endswith(YAML)
        if path == WITHDRAWN or is_software or (is_jobtypes and name == META):
            return self.yaml_bytes
        is_named = path.startswith((f"{JOBTYPES}/", f"{SOFTWARE}/"))
        return self.file_bytes if is_named else self.all_bytes


RESERVED = "schema"
"""The one name that the API uses as a route of its own."""

_DEVICES = {
    *("con", "prn", "aux", "nul"),
    *(f"{port}{n}" for port in ("com", "lpt") for n in "0123456789¹²³"),
}
_UNSAFE_IN_FILE_NAMES = frozenset('/\\:*?"<>|%')


_SURROGATE = re.compile("[\ud800-\udfff]")


@functools.lru_cache(16_384)
def fold(name: str) -> str:
    """The form in which two names are equal on file systems that ignore case."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def is_id(key: str) -> bool:
    """Whether *key* is an id and not a name: ASCII digits alone."""
    return key.isascii() and key.isdigit()


def parse_id(key: str) -> int:
    """The id in *key*; 0, which nothing has, if it is too long to be one."""
    return int(key) if len(key) <= 18 else 0


def parse_number(key: str) -> int:
    """The version number in *key*, which has ASCII digits.

    Of one that is too long, the first digits do: they make a number that nothing has, and
    ``shown`` shows no more of it.
    """
    return int(key[: SHOWN_LIMIT + 1])


def shown(name: str) -> str:
    """*name* as it can stand in a message: escaped and of bounded length."""
    text = ascii(name)[1:-1]
    return text if len(text) <= SHOWN_LIMIT else f"{text[: SHOWN_LIMIT - 3]}..."


def printable(name: str) -> str:
    """*name* as text: other bytes are escaped. Names in trees may have any bytes."""
    return name.encode(errors="surrogateescape").decode(errors="backslashreplace")


def escaped(text: str) -> str:
    """*text* on one line, without control characters for terminals."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def escaped_lines(text: str) -> str:
    """*text* without control characters for terminals, but with its lines and tabs."""
    return _TEXT.sub(lambda match: escaped(match[0]), text)


_TEXT = re.compile(r"[^\n\t]+")


def jobtype_name_fault(name: str) -> str | None:
    """Why *name* can't be a jobtype's name, as the end of a sentence; None if it can."""
    return (
        _length_fault(name, name)
        or _jobtype_character_fault(name)
        or _jobtype_shape_fault(name)
    )  # fmt: skip


def _length_fault(name: str, file_name: str) -> str | None:
    if not name:
        return "is empty; give it 1 to 64 characters"
    if len(name) > NAME_LIMIT:
        return f"has {len(name)} characters; {NAME_LIMIT} is the limit"
    if not is_text(name):
        return "holds bytes or surrogates that are no text; write it in UTF-8"
    if len(file_name.encode()) > FILE_NAME_LIMIT_BYTES:
        return f"takes more than {FILE_NAME_LIMIT_BYTES} bytes as a file name; shorten it"
    return None


def is_text(name: str) -> bool:
    """Whether *name*, which Python may have made of any bytes, was UTF-8."""
    return _SURROGATE.search(name) is None


def _jobtype_character_fault(name: str) -> str | None:
    if name != unicodedata.normalize("NFC", name):
        return "is not in Unicode normal form C; write it composed"
    for c in name:
        if not (c.isalpha() or c.isdecimal() or c in " _.+-"):
            return f"holds {c!r}; letters, digits, space, '_', '.', '+' and '-' are allowed"
    return None


def _jobtype_shape_fault(name: str) -> str | None:
    if not (name[0].isalpha() or name[0] == "_"):
        return f"begins with {name[0]!r}; begin it with a letter or '_'"
    if name[-1] in " .":
        return f"ends in {name[-1]!r}; end it in another character"
    if _is_device(name):
        return "is a reserved device name on Windows; choose another"
    if name == RESERVED:
        return "is a route of the API; choose another"
    return None


def _is_device(name: str) -> bool:
    return name.split(".", 1)[0].rstrip(" ").casefold() in _DEVICES


def software_name_fault(name: str) -> str | None:
    """Why a software can't be called *name*, as the end of a sentence; None if it can."""
    return _software_text_fault(name) or _route_fault(f"{name}/", "/required_by/")


def software_version_fault(version: str) -> str | None:
    """Why *version* can't be a software's version, as software_name_fault."""
    return _route_fault(f"/{version}/", "/code/", "/discovery_code/")


_BELOW = "/versions/"
"""What stands between a software and its version in a path of the API."""


def _route_fault(path: str, *endings: str) -> str | None:
    """Why a *path* that ends in a name would be taken by the API for another one's."""
    if path.endswith("//"):
        return "ends in '/', which paths of the API leave out; end it in another character"
    taken = _BELOW if _BELOW in path else None
    for ending in endings:
        taken = ending if path.endswith(ending) and path != ending else taken
    return taken and f"holds {taken.rstrip('/')}, which is a route of the API; choose another"


def _software_text_fault(name: str) -> str | None:
    """Why no file stands for a software *name*: what numbers depend on, and so never changes."""
    if any(unicodedata.category(c) == "Cc" for c in name):
        return "holds a control character; remove it"
    if name == RESERVED:
        return "is a route of the API; choose another"
    if is_id(name):
        return "consists of digits, which the API takes for an id; add a letter"
    return _length_fault(name, _software_file_name(name) if is_text(name) else "")


def _software_file_name(name: str) -> str:
    encoded = "".join(
        "".join(f"%{byte:02X}" for byte in c.encode()) if c in _UNSAFE_IN_FILE_NAMES else c
        for c in name
    )
    if _is_device(name):
        encoded = f"%{ord(encoded[0]):02X}{encoded[1:]}"
    return encoded + YAML


def software_name(file_name: str) -> str | None:
    """The software that the file ``software/<file_name>`` describes.

    None where the file's name is not the one that a software's name has. A name that can't be
    asked for counts: ids are given without looking whether a name can be used.
    """
    if not file_name.endswith(YAML):
        return None
    encoded = file_name.removesuffix(YAML)
    if re.search(r"%(?![0-9A-F]{2})", encoded):
        return None
    try:
        name = unquote(encoded, errors="strict")
    except UnicodeDecodeError:
        return None
    if _software_text_fault(name) or _software_file_name(name) != file_name:
        return None
    return name


def software_file_advice(file_name: str) -> str:
    """What to do about a software file of an invalid name, as a sentence."""
    name = unquote(file_name.removesuffix(YAML), errors="replace")
    fault = software_name_fault(name)
    if fault:
        return f"the software's name {fault}"
    return f"the file of the software {shown(name)} is to be called {_software_file_name(name)}"


def jobtype_path(name: str) -> str:
    """The directory of jobtype *name*."""
    return f"{JOBTYPES}/{name}"


def code_path(name: str) -> str:
    """The module of jobtype *name*."""
    return f"{JOBTYPES}/{name}/{CODE}"


def meta_path(name: str) -> str:
    """The metadata of jobtype *name*."""
    return f"{JOBTYPES}/{name}/{META}"


def software_path(name: str) -> str:
    """The catalogue file of software *name*."""
    return f"{SOFTWARE}/{_software_file_name(name)}"


def agents_file(name: str, classname: str | None, number: int) -> str:
    """The file in which agents keep the code of that version, as tracebacks name it.

    *classname* None means that the class has the jobtype's *name*.
    """
    return f"{name}_{classname or name}_v{number}.py"


def tag_name(name: str, number: int) -> str:
    """The tag of version *number* of jobtype *name*, below ``refs/tags/``."""
    return f"{ref_component(name)}/v{number}"


def ref_component(name: str) -> str:
    """*name* as one component of a ref.

    Spaces become ``_``; what Git forbids there (``..``, a final ``.lock``, and much that
    a software's file name may hold) is percent-encoded.
    """
    forbidden = r"(?<=\.)\.|[\x00-\x1f\x7f~^:?*\[\\/]|@(?=\{)"
    component = re.sub(forbidden, _percent, name.replace(" ", "_"))
    return re.sub(r"^\.|^@$|\.(?=lock$)|\.$|^-", _percent, component)


def _percent(match: re.Match[str]) -> str:
    return f"%{ord(match[0]):02X}"
