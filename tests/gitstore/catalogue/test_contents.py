"""What is kept of parsed files, and how much of it."""

from __future__ import annotations

from gitstore.catalogue.contents import Contents
from gitstore.git.trees import Entry, Header, blob_id


class Files:
    """Blobs in memory; counts how often each is read."""

    def __init__(self, *blobs: bytes) -> None:
        self.blobs = {blob_id(data): data for data in blobs}
        self.reads = 0

    def header(self, id: str) -> Header | None:
        return Header("blob", len(self.blobs[id]))

    def read_blob(self, id: str) -> bytes:
        self.reads += 1
        return self.blobs[id]

    def entries(self, tree: str) -> dict[str, Entry]:
        raise NotImplementedError


def software(number: int, size: int) -> bytes:
    head = f'versions:\n  - version: "{number}"\n    rank: 100\n    discovery_code: |\n      # '
    return (head + "x" * size + "\n").encode()


def test_small_files_are_kept_by_number_and_large_ones_by_their_bytes():
    small = [software(number, 10) for number in range(100)]
    large = [software(number, 200_000) for number in range(25)]
    for blobs, is_kept in ((small, True), (large, False)):
        files = Files(*blobs)
        contents = Contents(files)
        for id in files.blobs:
            assert contents.software_file(id).versions
        before = files.reads

        for id in files.blobs:
            assert contents.software_file(id).versions

        assert (files.reads == before) is is_kept


def test_a_large_file_is_read_once_and_kept():
    files = Files(software(1, 200_000))
    (id,) = files.blobs
    contents = Contents(files)
    first = contents.software_file(id)

    assert contents.software_file(id) is first
    assert files.reads == 1
