"""The files of a version over HTTP: their list, each of them, and all of them in an archive."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar
from urllib.parse import quote

from flask import Blueprint, Response, request

from api.rest import models
from api.web.parts import catalogue as current
from api.web.parts import parts, store
from api.web.query import Query
from api.web.resource import Bytes, Operation, Resource, Routes, add_routes
from api.web.responses import PYTHON, TEXT, is_known, not_modified, ok, tag_headers
from api.web.streams import ok_part, sends, stream
from api.worker.limits import Work
from gitstore.catalogue.archives import Archive, Read, tar_gz, zip_stored
from gitstore.catalogue.files import File, find_file, list_files, read_file, require_sizes
from gitstore.format.layout import Sizes, is_text, printable

blueprint = Blueprint("files", __name__)

OCTETS = "application/octet-stream"
_TEXTS = (
    *("txt", "md", "rst", "json", "yaml", "yml", "toml", "ini", "cfg", "csv", "tsv", "log"),
    *("mel", "lua", "glsl", "osl", "vex", "tcl", "nk", "sh", "bat", "diff", "patch"),
)
"""The ends of names of files that are shown as text. A browser could run HTML, SVG or XML."""

_PATH_AT = 8
"""The parts of a request's path before that of the file."""


def _sizes() -> Sizes:
    return store().checks.sizes


class Files(Resource):
    """The files of a version."""

    operations: ClassVar = {
        "get": Operation(list[models.VersionFile], errors=(404, 413, 503), query=Query),
    }

    def get(self, jobtype: str, number: int) -> Response:
        """List every regular file of the version's directory."""
        catalogue = current()
        version = catalogue.release(jobtype, number).version
        files = list_files(catalogue.contents.objects, version.tree)
        require_sizes(files, _sizes())
        # The digests take a look at every byte, the first time.
        release = sends(sum(file.size for file in files))
        try:
            rows = [_row(file, catalogue.contents.sha256(file.blob)) for file in files]
        finally:
            release()
        return ok(rows, version.commit)


def _row(file: File, sha256: str) -> dict[str, object]:
    return {
        "path": printable(file.path),
        "size": file.size,
        "sha256": sha256,
        "executable": file.is_executable,
    }


class VersionFile(Resource):
    """One file of a version."""

    operations: ClassVar = {
        "get": Operation(
            Bytes((OCTETS, TEXT, PYTHON), "VERSION = 1\n"),
            (200, 206),
            (404, 413, 416, 503),
            query=Query,
        ),
    }

    def get(self, jobtype: str, number: int, path: str) -> Response:
        """Show the bytes of the file, or a part of them."""
        catalogue = current()
        version = catalogue.release(jobtype, number).version
        objects = catalogue.contents.objects
        file = find_file(objects, version.tree, _path())
        headers = tag_headers(file.blob, version.commit)
        if is_known(file.blob):
            return not_modified(headers)
        release = sends(file.size)
        try:
            data = read_file(objects, file, _sizes())
            return ok_part(data, file.blob, _kind(file, data), headers, release)
        except BaseException:
            release()
            raise


def _path() -> str:
    """The file's path in this request, with surrogates for bytes that are no UTF-8."""
    # WSGI's strings are bytes in Latin-1.
    raw = request.environ["PATH_INFO"].encode("latin-1").decode(errors="surrogateescape")
    path: str = raw.split("/", _PATH_AT)[_PATH_AT]
    return path.removesuffix("/")


def _kind(file: File, data: bytes) -> str:
    """The type of *file*: text only where nothing can take it for more."""
    name = file.path.rpartition("/")[2].lower()
    kind = PYTHON if name.endswith(".py") else TEXT
    if kind is TEXT and not name.endswith(tuple(f".{end}" for end in _TEXTS)):
        return OCTETS
    return kind if is_text(data.decode(errors="surrogateescape")) else OCTETS


def _archive(
    make: Callable[[tuple[File, ...], Read], Archive],
    jobtype: str,
    number: int,
    suffix: str,
    kind: str,
) -> Response:
    """The response with the archive that *make* makes of a version."""
    catalogue = current()
    release = catalogue.release(jobtype, number)
    tree, objects = release.version.tree, catalogue.contents.objects
    headers = tag_headers(tree, release.version.commit)
    if is_known(tree):
        return not_modified(headers)
    end = parts().limits.hold(Work.FILES)
    try:
        files = list_files(objects, tree)
        require_sizes(files, _sizes())
        archive = make(files, lambda file: objects.read_blob(file.blob, file.size))
        name = quote(f"{release.jobtype.name}-{number}{suffix}")
        headers.append(("Content-Disposition", f"attachment; filename*=UTF-8''{name}"))
        return stream(archive.pieces, archive.length, kind, headers, end)
    except BaseException:
        end()
        raise


class TarGz(Resource):
    """All files of a version as .tar.gz."""

    operations: ClassVar = {
        "get": Operation(Bytes(("application/gzip",), ""), errors=(404, 413, 503), query=Query),
    }

    def get(self, jobtype: str, number: int) -> Response:
        """Pack the version's directory, the same bytes on any machine, for ever."""
        return _archive(tar_gz, jobtype, number, ".tar.gz", "application/gzip")


class Zip(Resource):
    """All files of a version as .zip."""

    operations: ClassVar = {
        "get": Operation(Bytes(("application/zip",), ""), errors=(404, 413, 503), query=Query),
    }

    def get(self, jobtype: str, number: int) -> Response:
        """Pack the version's directory, the same bytes on any machine, for ever."""
        return _archive(zip_stored, jobtype, number, ".zip", "application/zip")


_VERSION = "/jobtypes/<jobtype>/versions/<number:number>"
ROUTES: Routes = (
    (f"{_VERSION}/files/", Files),
    (f"{_VERSION}/files/<file:path>", VersionFile),
    (f"{_VERSION}/archive.tar.gz", TarGz),
    (f"{_VERSION}/archive.zip", Zip),
)
add_routes(blueprint, ROUTES)
