"""Completion in bash, which cuts a line into words in its own way.

Bash replaces only what comes after the last of its word breaks, such as a colon, and takes a
space in a name for the end of a word. Click knows neither.
"""

from __future__ import annotations

import re
import shlex
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

_QUOTES = "\"'"
_SPECIAL = re.compile(r"[^\w@%+=:,./-]")
"""Characters that a shell may read in another way."""


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
        value = item.value
        if not self._is_quoted():
            value = _SPECIAL.sub(r"\\\g<0>", value.removeprefix(self._kept()))
        return f"{'part' if value.endswith((':', '@')) else 'plain'},{value}"

    def _is_quoted(self) -> bool:
        """Whether the word at the cursor is in quotes, which bash closes."""
        try:
            shlex.split(environment()["COMP_WORDS"])
        except ValueError as error:
            return "quotation" in str(error)
        return False

    def _kept(self) -> str:
        """The beginning of the word at the cursor that bash leaves as it is."""
        _, begun = self.get_completion_args()
        breaks = set(environment().get("COMP_BREAKS", "")) - set(f"{_QUOTES} \t\n")
        # Bash replaces an @, too, as it begins the name of a host.
        ends = (begun.rfind(c) + (c != "@") for c in breaks if c in begun)
        return begun[: max(ends, default=0)]
