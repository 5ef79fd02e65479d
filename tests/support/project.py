"""Where the project is, and what its pages have typed."""

from __future__ import annotations

import re
from pathlib import Path
from textwrap import dedent

ROOT = Path(__file__).resolve().parents[2]


def blocks(page: str) -> list[str]:
    """The indented blocks of a page of docs/, without their indentation."""
    text = (ROOT / "docs" / page).read_text()
    found = re.findall(r"(?m)(?:^ {4,}.*\n|(?<=\n)\n(?= {4}))+", text)
    return [dedent(block).lstrip("\n") for block in found]
