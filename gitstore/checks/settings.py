"""The rules of a studio. Imports no models and no Git: defaults cost nothing."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from gitstore.format import layout


class CodeChecks(StrEnum):
    """How strict the rules for code are: all of them, only valid syntax, or none."""

    STRICT = "strict"
    SYNTAX = "syntax"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Checks:
    """The rules that a studio applies to its tree.

    *ignored* are ids of rules that are switched off; *python27* says that the farm's
    agents run on Python 2.7. The limits are those of the format, or lower; that of meta
    holds for all YAML files. The other two are for any other file of a push, and for all
    files of a pushed tree together.
    """

    code: CodeChecks = CodeChecks.STRICT
    ignored: frozenset[str] = frozenset()
    python27: bool = False
    code_limit_bytes: int = layout.CODE_LIMIT_BYTES
    meta_limit_bytes: int = layout.YAML_LIMIT_BYTES
    file_limit_bytes: int = layout.FILE_LIMIT_BYTES
    tree_limit_bytes: int = layout.ALL_LIMIT_BYTES

    @property
    def sizes(self) -> layout.Sizes:
        """How large the files of a push may be."""
        return layout.Sizes(
            self.code_limit_bytes,
            self.meta_limit_bytes,
            self.file_limit_bytes,
            self.tree_limit_bytes,
        )
