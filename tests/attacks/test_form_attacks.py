"""Forms and sessions under attack: other sites, other sessions, stolen and old ones, scripts."""

from __future__ import annotations

import errno
import logging
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape
from pathlib import Path

import pytest

from api.app import create_app
from api.config import Config
from api.web.sessions import FILE
from gitstore.branch.access import Role
from gitstore.branch.token_use import TokenUse
from gitstore.branch.tokens import Tokens
from gitstore.branch.tokens_file import fingerprint
from tests.support.branches import Branch, jobtype
from tests.support.git import git
from tests.support.plain_browser import FORM, PlainBrowser, listening

EDIT = "/jobtypes/Blender/edit"


@dataclass
class Place:
    """A service with the tokens of Ada and Eve, an admin."""

    repo: Path
    port: int
    tokens: Tokens
    secrets: dict[str, str]

    def anybody(self) -> PlainBrowser:
        return PlainBrowser(self.port)

    def browser(self, name: str) -> PlainBrowser:
        return self.anybody().log_in(self.secrets[name])

    def tip(self) -> str:
        return git(self.repo, "for-each-ref")


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Iterator[Place]:
    branch = Branch(tmp_path_factory.mktemp("attacked") / "served.git")
    branch.commit(jobtype("Blender"))
    git(branch.path, "update-ref", "refs/heads/fix", branch.side(jobtype("Blender", "    a = 2\n")))
    tokens = Tokens(branch.path)
    secrets = {
        name: tokens.create(name, role, f"{name}@studio.example", ())
        for name, role in (("Ada", Role.WRITE), ("Eve", Role.ADMIN))
    }
    with listening(create_app(Config(branch.path))) as port:
        yield Place(branch.path, port, tokens, secrets)


FORMS = (
    EDIT,
    "/new",
    "/new-software",
    "/jobtypes/Blender/1/withdraw",
    "/jobtypes/Blender/1/restore",
    "/jobtypes/Blender/1/rollback",
    "/changes/fix",
    "/logout",
    "/login",
)


@pytest.mark.parametrize("path", FORMS)
def test_a_form_that_no_page_of_ours_made_does_nothing(place, path):
    before = place.tip()
    ada, eve = place.browser("Ada"), place.browser("Eve")
    another = eve.open(EDIT).form().fields["csrf"]
    own = ada.open(EDIT).form().fields["csrf"]
    typed = {"do": "merge", "commit": git(place.repo, "rev-parse", "fix").strip(), "reason": "x"}

    for proof in ({}, {"csrf": ""}, {"csrf": another}, {"csrf": own[:-1]}, {"csrf": "\u00e4"}):
        ada.post(path, {**typed, **proof})
        assert ada.status == 403, (path, proof, ada.text)
        assert ada.cookies
    for origin in ("https://evil.example", "null", f"http://127.0.0.1:{place.port + 1}"):
        ada.post(path, {**typed, "csrf": own}, origin)
        assert ada.status == 403, (path, origin)
    for site in ("cross-site", "same-site"):
        sent = ada.request(
            "POST", path, f"csrf={own}".encode(), **{"Content-Type": FORM, "Sec-Fetch-Site": site}
        )
        assert sent.status == 403, (path, site)
    assert place.tip() == before


def test_a_session_is_never_one_that_somebody_else_chose(place):
    visitor = place.anybody().open("/login")
    planted = dict(visitor.cookies)
    proof = visitor.form().fields["csrf"]

    visitor.send(token=place.secrets["Eve"])

    assert visitor.cookies != planted
    assert visitor.open(EDIT).form().fields["csrf"] != proof
    thief = place.anybody()
    thief.cookies = planted
    assert "Eve" not in thief.open("/me").text
    thief.post("/new", {"csrf": proof, "name": "Evil"})
    assert thief.status == 401


def test_a_session_ends_with_its_token_and_with_the_key(place):
    secret = place.tokens.create("Temp", Role.WRITE, "temp@studio.example", ())
    temp = place.anybody().log_in(secret).open(EDIT)
    proof = temp.form().fields
    place.tokens.revoke("Temp")

    temp.post(EDIT, proof)
    assert temp.status == 401
    assert temp.open("/me").path.startswith("/login")

    ada = place.browser("Ada").open(EDIT)
    (place.repo / FILE).unlink()
    ada.send("save")
    assert ada.status == 401
    assert ada.open("/me").path.startswith("/login")
    place.browser("Ada").open(EDIT).send("check")


def test_a_session_counts_as_a_use_of_its_token(place):
    secret = place.tokens.create("Rare", Role.READ, "rare@studio.example", ())
    rare = place.anybody().log_in(secret)
    rare.open("/me")

    assert fingerprint(secret) in TokenUse(place.repo).days()
    place.tokens.revoke("Rare")


def test_a_session_ends_when_a_person_logs_out(place):
    ada = place.browser("Ada").open("/me")
    assert ada.cookies
    ada.send()
    assert ada.path == "/"
    assert not ada.cookies
    assert "Log in" in ada.text


def test_who_is_logged_out_while_they_type_loses_nothing(place):
    secret = place.tokens.create("Typist", Role.WRITE, "typist@studio.example", ())
    typist = place.anybody().log_in(secret).open(EDIT)
    typed = {**typist.form("save").fields, "description": "a long text"}
    typist.cookies.clear()
    typist.post(EDIT, typed)
    assert typist.status == 401
    assert "load this page again" in typist.text

    # They log in in another tab, and have the browser send the form once more.
    typist.log_in(secret).post(EDIT, typed)

    assert typist.status == 403
    assert "of another session, or too old" in typist.text
    assert typist.form("save").fields["description"] == "a long text"
    typist.send("check")
    assert "Nothing is wrong with it" in typist.text
    place.tokens.revoke("Typist")


def test_a_full_disk_keeps_nobody_from_reading(branch, monkeypatch):
    branch.commit(jobtype("Blender"))
    git(branch.path, "update-ref", "refs/heads/fix", branch.side(jobtype("Blender", "    a = 2\n")))
    os_open = os.open

    def full(path: object, flags: int, *more: object, **named: object) -> int:
        if str(path).endswith("session.new"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return os_open(path, flags, *more, **named)  # type: ignore[arg-type]

    with listening(create_app(Config(branch.path))) as port:
        monkeypatch.setattr(os, "open", full)
        browser = PlainBrowser(port)
        assert browser.open("/changes/fix").status == 200
        browser.send("comment", text="x")
        assert browser.status in (403, 507)
        monkeypatch.undo()
        assert browser.open("/changes/fix").send("comment", text="x").status == 200


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_key_that_others_may_read_is_replaced(place, mode):
    place.browser("Ada")
    before = (place.repo / FILE).read_bytes()
    os.chmod(place.repo / FILE, mode)

    ada = place.browser("Ada").open("/me")

    assert "Ada" in ada.text
    assert (place.repo / FILE).read_bytes() != before
    assert stat.S_IMODE((place.repo / FILE).stat().st_mode) == 0o600


@pytest.mark.parametrize("damage", [b"", b"short", b"x" * 100])
def test_a_damaged_key_logs_everybody_out(place, damage):
    ada = place.browser("Ada")
    (place.repo / FILE).write_bytes(damage)

    assert ada.open("/me").path.startswith("/login")
    assert "Ada" in place.browser("Ada").open("/me").text


def test_made_up_and_altered_cookies_are_nobodys(place):
    ada = place.browser("Ada")
    ((name, value),) = ada.cookies.items()
    payload, when, signature = value.rsplit(".", 2)
    made = ("", "x", "." * 2, value[:-1], f"{payload}.{when}.", "\u00e4" * 9, "x" * 5000)
    for cookie in (*made, f"{payload}x.{when}.{signature}", f"{payload}.aaaaaa.{signature}"):
        thief = place.anybody()
        thief.cookies = {name: cookie.encode().decode("latin-1")}
        thief.open("/me")
        assert thief.path.startswith("/login"), cookie
        assert thief.status == 200


def test_a_session_expires(place, monkeypatch):
    ada = place.browser("Ada")
    assert "Ada" in ada.open("/me").text
    monkeypatch.setattr("api.web.sessions.SESSION_S", -1)
    assert ada.open("/me").path.startswith("/login")


def test_a_session_writes_by_our_forms_alone(place):
    eve, before = place.browser("Eve"), place.tip()
    json = {"Content-Type": "application/json"}
    for method, path, body in (
        ("PUT", "/api/v1/jobtypes/Evil", b'{"name": "Evil", "code": "x = 1"}'),
        ("DELETE", "/api/v1/jobtypes/Blender", None),
        ("POST", "/api/v1/changes/fix/merge", b"{}"),
        ("POST", "/api/v1/changes/fix/comments", b'{"text": "x"}'),
        ("POST", "/jobtypes.git/git-receive-pack", b"0000"),
        ("GET", "/jobtypes.git/info/refs?service=git-receive-pack", None),
    ):
        assert eve.request(method, path, body, **json).status == 401, path
    assert place.tip() == before


def test_a_session_reads_what_its_token_reads(branch):
    branch.commit(jobtype("Blender"))
    secret = Tokens(branch.path).create("Di", Role.READ, "di@studio.example", ())
    with listening(create_app(Config(branch.path, read_needs_token=True))) as port:
        di = PlainBrowser(port)
        assert di.open("/").status == 401
        assert di.open("/jobtypes/Blender").status == 401
        style = re.search(r'href="(/static/[^"]+\.css)"', di.open("/login").page.body.decode())
        assert style
        assert di.open(style[1]).status == 200
        di.log_in(secret)
        assert di.open("/jobtypes/Blender").status == 200
        assert di.open("/api/v1/jobtypes/Blender").status == 200
        assert di.open("/new").send("save").status == 403


def test_the_cookie_is_for_this_service_and_no_script(place):
    visitor = place.anybody().open("/login")
    proof = visitor.form().fields["csrf"]
    body = f"csrf={proof}&token={place.secrets['Ada']}".encode()

    def cookie_by(**headers: str) -> str:
        sent = {"Content-Type": FORM, **headers}
        return visitor.request("POST", "/login", body, **sent).headers["set-cookie"]

    plain = cookie_by()
    assert "; HttpOnly; Path=/; SameSite=Lax" in plain
    assert "Max-Age=43200" in plain
    assert "Secure" not in plain


def test_behind_tls_the_cookie_is_secure_and_below_the_prefix(branch):
    branch.commit(jobtype("Blender"))
    Tokens(branch.path).create("Ada", Role.WRITE, "ada@studio.example", ())
    url = "https://studio.example/farm"
    client = create_app(Config(branch.path, public_url=url)).test_client()

    cookie = client.get("/login", headers={"Accept": "text/html"}).headers["Set-Cookie"]

    assert "Secure; HttpOnly; Path=/farm/; SameSite=Lax" in cookie


ELSEWHERE = (
    "https://evil.example/",
    "//evil.example/",
    "/\\evil.example",
    "\\\\evil.example",
    "///evil.example",
    "/%5cevil.example\\",
    "//[",
    "javascript:alert(1)",
    "http:evil.example",
    "/\t/evil.example",
    "/\n/evil.example",
    "\u2044\u2044evil.example",
    "evil",
    "",
)


@pytest.mark.parametrize("to", ELSEWHERE)
def test_the_login_leads_to_no_other_site(place, to):
    ada = place.anybody().open("/login")
    fields = {**ada.form().fields, "token": place.secrets["Ada"], "next": to}

    answer = ada.request(
        "POST", "/login", "&".join(f"{n}={_quoted(v)}" for n, v in fields.items()).encode(),
        **{"Content-Type": FORM},
    )  # fmt: skip

    assert (answer.status, answer.headers["location"]) == (303, "/")
    again = ada.request("GET", f"/login?next={_quoted(to)}")
    assert again.headers.get("location", "/") == "/"


def test_the_login_leads_back_with_the_whole_query(place):
    there = "/?q=a&q=b+c&_external=1&endpoint=x&sort=date"
    visitor = place.anybody().open(there)
    link = re.search(r'href="(/login[^"]*)"', visitor.page.body.decode())
    assert link

    visitor.open(unescape(link[1])).send(token=place.secrets["Ada"])

    assert visitor.path == there


def _quoted(text: str) -> str:
    return "".join(f"%{byte:02x}" for byte in text.encode())


SCRIPTS = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</textarea><script>alert(1)</script>",
    "'-alert(1)-'",
    "javascript:alert(1)",
    "{{ 7 * 191 }}{% include 'me.html' %}",
    "]]><svg onload=alert(1)>",
    "&lt;b&gt;",
)
# A commit's id may have these digits, too.
MARKS = re.compile(r"<script>alert|<img src=x|<svg onload|</textarea><|\b1337\b")


@pytest.mark.parametrize("script", SCRIPTS)
def test_what_is_typed_is_text_wherever_it_is_shown(place, script):
    ada = place.browser("Ada")

    def check(what: str) -> None:
        assert not MARKS.search(ada.page.body.decode()), what
        assert "default-src 'none'" in ada.page.headers["content-security-policy"]
        assert "unsafe" not in ada.page.headers["content-security-policy"]

    for path in (EDIT, "/new", "/new-software"):
        form = ada.open(path).form("save")
        chosen = ("csrf", "base", "default", "batch_contiguous")
        names = [n for n in form.fields if n not in chosen]
        ada.send("save", **dict.fromkeys(names, script))
        assert ada.status >= 400
        check(path)
        kept = ada.form("save").fields
        assert [n for n in names if kept[n] != script] == [], path
    ada.open("/changes/fix").send("comment", text=script, path=script, line=script)
    check("a comment that is none")
    assert ada.form("comment").fields["text"] == script
    ada.open("/changes/fix").send("comment", text=script)
    assert ada.status == 200
    assert script in ada.text
    check("a comment")
    ada.open(EDIT).send("save", description=script, fail_body=script, message=script, code=(
        f"class Job:\n    text = {script!r}\n"
    ))  # fmt: skip
    assert ada.path.startswith("/released/"), ada.text
    check("released")
    for path in ("/", "/jobtypes/Blender", EDIT, ada.path):
        ada.open(path)
        check(path)
    ada.open(f"/login?next={_quoted(script)}")
    check("login")


BODIES = {
    "no form": (b'{"a": 1}', "application/json", 415),
    "multipart": (b"--x\r\n", "multipart/form-data; boundary=x", 415),
    "no type": (b"a=1", "", 415),
    "not ASCII": ("a=\u00e4".encode(), FORM, 400),
    "not UTF-8": (b"a=%ff%fe", FORM, 400),
    "many fields": (b"a=1&" * 50_001, FORM, 400),
    "nothing": (b"", FORM, 403),
    "odd": (b"=&&;%%%=&csrf&csrf=", FORM, 403),
}


@pytest.mark.parametrize("what", BODIES)
@pytest.mark.parametrize("path", [EDIT, "/login", "/changes/fix"])
def test_a_body_that_is_no_form_is_refused_in_words(place, what, path):
    body, kind, status = BODIES[what]
    ada = place.browser("Ada")
    answer = ada.request("POST", path, body, **({"Content-Type": kind} if kind else {}))
    assert answer.status == status, answer.body


def test_a_form_that_is_too_large_is_refused(place):
    ada = place.browser("Ada").open(EDIT)
    ada.send("save", code="\u00e4" * 200_000)
    assert ada.status == 413
    for name, size in (("text", 10_001), ("path", 2000)):
        ada.open("/changes/fix").send("comment", **{"text": "x", name: "x" * size})
        assert ada.status in (400, 404)
        assert len(ada.page.body) < 100_000


def test_no_session_and_no_token_is_logged(place, caplog):
    with caplog.at_level(logging.DEBUG):
        ada = place.browser("Ada").open(EDIT)
        ada.send("check")
        (place.repo / FILE).write_bytes(b"")
        place.browser("Ada")
    said = caplog.text
    for secret in (*ada.cookies.values(), place.secrets["Ada"], ada.form().fields["csrf"]):
        assert secret not in said


def test_the_pages_with_forms_are_kept_by_no_cache(place):
    ada = place.browser("Ada")
    for path in (EDIT, "/new", "/me", "/changes/fix", "/login"):
        assert ada.open(path).page.headers["cache-control"] == "no-store", path
        assert "Cookie" in ada.page.headers["vary"]
    assert ada.open("/").page.headers["cache-control"] != "public"
