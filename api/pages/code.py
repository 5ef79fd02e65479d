"""Code as lines of HTML, highlighted by Pygments. The colours are in the style sheet."""

from __future__ import annotations

from functools import lru_cache

from markupsafe import Markup, escape
from pygments.lexer import Lexer
from pygments.lexers.data import YamlLexer
from pygments.lexers.python import PythonLexer
from pygments.token import Comment, Keyword, Name, Number, Operator, String, _TokenType

HIGHLIGHTED_BYTES = 96 * 1024
"""Code beyond this is shown without colours: to find them takes a second for each megabyte."""

LINE_LIMIT = 500
"""Characters of a line that is shown with colours."""

LINES_SHOWN = 6000
"""Lines of a file that a page shows. A browser takes longer for each than we do."""

Lines = tuple[Markup, ...]

_CLASSES = (
    (Comment, "c"),
    (String.Doc, "s"),
    (String, "s"),
    (Number, "m"),
    (Keyword, "k"),
    (Operator.Word, "k"),
    (Name.Function, "f"),
    (Name.Class, "f"),
    (Name.Decorator, "f"),
    (Name.Tag, "f"),
)
"""The classes of the style sheet, by kind of token; the first that fits counts."""

_LEXERS = {"py": PythonLexer, "yaml": YamlLexer, "yml": YamlLexer}


@lru_cache(128)
def highlighted(text: str, path: str) -> Lines:
    """The lines of *text*, which is the file at *path*, as HTML without line ends.

    Long lines have no colours.
    """
    kind = path.rpartition(".")[2]
    lines = _lines(text)
    shown = list(map(escape, lines))
    if kind in _LEXERS and len(text) <= HIGHLIGHTED_BYTES:
        # Patterns of the lexers take quadratic time for a long line, and for many blank ones.
        numbers = [n for n, line in enumerate(lines) if line.strip() and len(line) <= LINE_LIMIT]
        marked = _marked(_LEXERS[kind](), "\n".join(lines[n] for n in numbers))
        # Of no lines, one empty line comes.
        for number, line in zip(numbers, marked, strict=False):
            shown[number] = Markup(line)
    return tuple(shown)


def _lines(text: str) -> list[str]:
    """The lines of *text*; a line end at the end of it begins no other."""
    lines = text.split("\n")
    return lines[:-1] if len(lines) > 1 and not lines[-1] else lines


def _marked(lexer: Lexer, text: str) -> list[str]:
    lines = [""]
    # Not by get_tokens, for which a CR by itself ends a line, too.
    for _, kind, value in lexer.get_tokens_unprocessed(text):
        name = _class_of(kind)
        for place, part in enumerate(value.split("\n")):
            if place:
                lines.append("")
            if part:
                # As a plain string: Markup would escape what it is added to.
                shown = str(escape(part))
                lines[-1] += f'<span class="{name}">{shown}</span>' if name else shown
    return lines


@lru_cache(256)
def _class_of(kind: _TokenType) -> str:
    return next((name for token, name in _CLASSES if token in (kind, *kind.split())), "")
