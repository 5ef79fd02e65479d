"""Completion in bash, which cuts a line into words in its own way.

Bash replaces only what comes after the last of its word breaks, such as a colon, and takes a
space in a name for the end of a word. Click knows neither.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import ClassVar

from click.shell_completion import BashComplete, CompletionItem, split_arg_string

from api.cli.variables import environment

_SCRIPT = """\
%(complete_func)s() {
    local type value
    COMPREPLY=()
    while IFS=, read -r type value; do
        case $type in
            dir) compopt -o dirnames ;;
            file) compopt -o default ;;
            part) COMPREPLY+=("$value"); compopt -o nospace ;;
            plain) COMPREPLY+=("$value") ;;
        esac
    done < <(env COMP_WORDS="${COMP_LINE:0:COMP_POINT}" COMP_BREAKS="$COMP_WORDBREAKS" \\
        %(complete_var)s=bash_complete "$1")
}
complete -o nosort -F %(complete_func)s %(prog_name)s
"""
"""It passes the line up to the cursor as COMP_WORDS."""


class Bash(BashComplete):
    """Completes a line as bash has it. A value that ends in : or @ goes on, without a space."""

    name: ClassVar[str] = "bash"
    source_template: ClassVar[str] = _SCRIPT

    def get_completion_args(self) -> tuple[list[str], str]:
        """The words before the cursor, and the beginning of the one at it."""
        # With a letter more, the last word is never an empty one that is left out.
        *words, last = split_arg_string(environment()["COMP_WORDS"] + "x")
        return words[1:], last[:-1]

    def format_completion(self, item: CompletionItem[str]) -> str:
        """The type of *item*, and that part of its value which bash puts in."""
        if item.type != "plain":
            return f"{item.type},"
        line, value = environment()["COMP_WORDS"], item.value
        quote = open_quote(line)
        if not quote:
            value = value.removeprefix(self._kept())
        kind = "part" if value.endswith((":", "@")) else "plain"
        return f"{kind},{_ESCAPED[quote](value)}"

    def _kept(self) -> str:
        """The beginning of the word at the cursor that bash leaves as it is."""
        _, begun = self.get_completion_args()
        breaks = set(environment().get("COMP_BREAKS", "")) - set("\"' \t\n")
        # Bash replaces an @, too, as it begins the name of a host.
        ends = (begun.rfind(c) + (c != "@") for c in breaks if c in begun)
        return begun[: max(ends, default=0)]


def open_quote(line: str) -> str:
    """The quote that is open at the end of *line*, which bash closes; empty for none."""
    quote, is_escaped = "", False
    for c in line:
        if is_escaped:
            is_escaped = False
        elif c == "\\" and quote != "'":
            is_escaped = True
        elif not quote and c in "\"'":
            quote = c
        elif c == quote:
            quote = ""
    return quote


_ESCAPED: Mapping[str, Callable[[str], str]] = {
    "": lambda value: re.sub(r"[^\w@%+=:,./-]", r"\\\g<0>", value),
    '"': lambda value: re.sub(r'[$`"\\]', r"\\\g<0>", value),
    "'": lambda value: value.replace("'", r"'\''"),
}
"""How a value is written after each open quote, so that a shell runs nothing of it."""
