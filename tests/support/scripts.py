"""Texts by which a page could be made to run what somebody else wrote, and a repository of them."""

from __future__ import annotations

import json
from pathlib import Path

from gitstore.git.commits import Signature
from tests.support.branches import TD, Branch, Content

CORPUS = (
    "<script>alert(1)</script>",
    '"><script>alert(1)</script>',
    "'><img src=x onerror=alert(1)>",
    '" autofocus onfocus=alert(1) x="',
    "' onmouseover=alert(1) '",
    "<svg onload=alert(1)>",
    "</title><script>alert(1)</script>",
    "</textarea></pre></code><script>alert(1)</script>",
    "<iframe srcdoc='<script>alert(1)</script>'>",
    "<style>@import 'https://evil.example/x.css';</style>",
    "<base href=https://evil.example/>",
    "<meta http-equiv=refresh content='0;url=https://evil.example/'>",
    "<form action=https://evil.example/><button>",
    "<a href=javascript:alert(1)>x</a>",
    "javascript:alert(1)//",
    "{{ 7 * 7 }}{% raw %}<%= 7 * 7 %>${7 * 7}",
    "<!--><script>alert(1)</script-->",
    "\u202e<script>alert(1)</script>",
)

LINKS = """\
[a](javascript:alert(1)) [b](JaVaScRiPt:alert(1)) [c](data:text/html,<script>alert(1)</script>)
[d](vbscript:x) [e](file:///etc/passwd) [f](&#106;avascript:alert(1)) [g]( javascript:alert(1))
<javascript:alert(1)> <https://evil.example/?a=1&b=2> ![i](https://evil.example/i.png)
![j](x" onerror="alert(1)) [k]: javascript:alert(1)
[k] [l](//evil.example/x) [m](https://good.example/ "t" onclick=alert(1))
"""

SOFTWARE = '"><svg onload=alert(1)>'
SOFTWARE_FILE = "software/%22%3E%3Csvg onload=alert(1)%3E.yaml"
BRANCH = 'x"><img/src=x/onerror=alert(1)>'
FILE = '"><img src=x onerror=alert(1)>.py'


def make_repository(path: Path) -> Branch:
    """A repository at *path* with the corpus in everything that can be pushed."""
    branch = Branch(path)
    text = "\n".join(CORPUS)
    evil = Signature("\" onmouseover=alert(1) x='", "' onfocus=alert(1) autofocus x=\"@x")
    branch.commit({SOFTWARE_FILE: _software()}, f"{CORPUS[0]}\n\n{text}\n", author=evil)
    for number, word in enumerate(CORPUS):
        files = _jobtype(word, text) | {"withdrawn.yaml": f"Evil: [{number}]\n"}
        branch.commit(files, f"{word}\n\n{text}\n", author=evil)
    branch.commit({"jobtypes/Broken/meta.yaml": f"{json.dumps(CORPUS[0])}: {text}"}, author=evil)
    side = {"jobtypes/Evil/meta.yaml": f"classname: {json.dumps(CORPUS[1])}\nmax_batch: <b>\n"}
    side |= {"jobtypes/Evil/code.py": f"{CORPUS[2]}\n", f"jobtypes/Evil/{FILE}": f"{text}\n"}
    commit = branch.side(side, f"{CORPUS[1]}\n", author=evil)
    branch.repository.move(f"refs/heads/{BRANCH}", None, commit, TD, "test")
    _commit_as_nobody_would(branch)
    return branch


def _commit_as_nobody_would(branch: Branch) -> None:
    """A branch whose author has a name that no library would write."""
    tip = branch.repository.commit(branch.tip or "")
    who = '<script>alert(1)</script> <"><img src=x onerror=alert(1)>> 1700000000 +0000'
    lines = [f"tree {tip.tree}", f"parent {tip.id}", f"author {who}", f"committer {who}", ""]
    commit = branch.write_raw("commit", "\n".join([*lines, CORPUS[2], ""]).encode())
    branch.repository.move("refs/heads/nobody", None, commit, TD, "test")


def _software() -> str:
    versions = [
        {"version": w, "rank": rank, "discovery_code": f"x = {w!r}\n", "default": not rank}
        for rank, w in enumerate(CORPUS)
    ]
    return json.dumps({"versions": versions})


def _jobtype(word: str, text: str) -> dict[str, Content]:
    needs = [{"software": SOFTWARE, "min_version": CORPUS[0], "max_version": CORPUS[1]}]
    meta = {"classname": "Job", "description": word, "success_subject": word, "fail_body": text}
    return {
        "jobtypes/Evil/code.py": f"class Job:\n    '''{text}'''\n    x = {word!r}\n# {word}\n",
        "jobtypes/Evil/meta.yaml": json.dumps({**meta, "requirements": needs}),
        "jobtypes/Evil/README.md": f"# {word}\n\n{text}\n\n{LINKS}\n\n```html\n{text}\n```\n",
        f"jobtypes/Evil/{FILE}": f"{word}\n",
    }
