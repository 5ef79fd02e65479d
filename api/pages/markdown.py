"""Markdown of the repository as HTML that is safe: no HTML of its own, no image, no odd link."""

from __future__ import annotations

import re
from collections.abc import MutableMapping, Sequence
from functools import cache, lru_cache

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import OptionsDict
from markupsafe import Markup, escape

RENDERED_CHARACTERS = 48 * 1024
"""A longer text is shown as it is: to render it would take too long."""

_LINK = re.compile(r"(?:https?://|mailto:|#)", re.IGNORECASE)
"""How a link may begin. There are no files at the addresses of others."""

_FIRST, _LAST = 3, 6
"""The headings of a page above the text are h1 and h2."""


@lru_cache(64)
def rendered(text: str) -> Markup:
    """*text* as HTML."""
    if len(text) > RENDERED_CHARACTERS:
        return Markup("<pre>{}</pre>").format(text)
    tokens = _parser().parse(text)
    _lower_headings(tokens)
    return Markup(_parser().renderer.render(tokens, _parser().options, {}))


@cache
def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    parser.validateLink = _is_good_link  # type: ignore[method-assign]  # as its docs say
    parser.add_render_rule("link_open", _link)
    parser.add_render_rule("image", _image)
    return parser


def _is_good_link(url: str) -> bool:
    return _LINK.match(url) is not None


def _link(
    self: RendererHTML,
    tokens: Sequence[Token],
    place: int,
    options: OptionsDict,
    env: MutableMapping[str, object],
) -> str:
    tokens[place].attrSet("rel", "nofollow noopener noreferrer")
    return self.renderToken(tokens, place, options, env)


def _image(
    self: RendererHTML,
    tokens: Sequence[Token],
    place: int,
    options: OptionsDict,
    env: MutableMapping[str, object],
) -> str:
    """The words in place of an image: pages load nothing from elsewhere."""
    return f"<i>{escape(tokens[place].content)}</i>"


def _lower_headings(tokens: Sequence[Token]) -> None:
    """Put the headings below those of the page, and skip no level."""
    above = _FIRST - 1
    for token in tokens:
        if token.type == "heading_open":
            above = min(int(token.tag[1:]) + _FIRST - 1, above + 1, _LAST)
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{above}"
