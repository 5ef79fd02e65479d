"""A browser without JavaScript: it follows redirects, keeps cookies, and sends forms."""

from __future__ import annotations

import html
import http.client
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.cookies import SimpleCookie
from urllib.parse import urlencode

from flask import Flask
from werkzeug.serving import make_server

from tests.support.server import Answer

FORM = "application/x-www-form-urlencoded"


@dataclass
class Form:
    """A form of a page: where it goes, and its fields as the page filled them in."""

    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)
    buttons: list[tuple[str, str]] = field(default_factory=list)


class _Forms(HTMLParser):
    """Collects the forms of a page."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.forms: list[Form] = []
        self._open: Form | None = None
        self._area: str | None = None
        self._text = ""
        self._select: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        name = found.get("name", "")
        if tag == "form":
            self._open = Form(found.get("action", ""), found.get("method", "get"))
            self.forms.append(self._open)
        elif self._open is None:
            return
        elif tag == "input" and name:
            kind = found.get("type", "text")
            if kind not in ("checkbox", "radio") or "checked" in found:
                value = found.get("value", "")
                # As browsers do with the value of a line.
                is_line = kind not in ("hidden", "checkbox", "radio")
                self._open.fields[name] = re.sub("[\r\n]", "", value) if is_line else value
        elif tag == "button":
            self._open.buttons.append((name, found.get("value", "")))
        elif tag == "textarea":
            self._area, self._text = name, ""
        elif tag == "select":
            self._select = name
        elif tag == "option" and self._select and "selected" in found:
            self._open.fields[self._select] = found.get("value", "")

    def handle_data(self, data: str) -> None:
        if self._area is not None:
            self._text += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._open = None
        elif tag == "select":
            self._select = None
        elif tag == "textarea" and self._open is not None and self._area is not None:
            # A browser drops the first line end of a text area.
            self._open.fields[self._area] = self._text.removeprefix("\n")
            self._area = None


@dataclass
class PlainBrowser:
    """A browser of one person at the service on *port*."""

    port: int
    cookies: dict[str, str] = field(default_factory=dict)
    page: Answer = field(default_factory=lambda: Answer(0, {}, b""))
    path: str = "/"

    @property
    def text(self) -> str:
        """The page's source, with its entities resolved."""
        return html.unescape(self.page.body.decode())

    @property
    def status(self) -> int:
        return self.page.status

    def request(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        """One request with this browser's cookies; no redirect is followed."""
        sent = {"Accept": "text/html,*/*;q=0.8", **headers}
        if self.cookies:
            sent["Cookie"] = "; ".join(f"{n}={v}" for n, v in self.cookies.items())
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        try:
            connection.request(method, path, body, sent)
            response = connection.getresponse()
            answer = Answer(
                response.status,
                {name.lower(): value for name, value in response.getheaders()},
                response.read(),
            )
            for line in response.headers.get_all("Set-Cookie") or ():
                for name, morsel in SimpleCookie(line).items():
                    if morsel["max-age"] == "0":
                        self.cookies.pop(name, None)
                    else:
                        self.cookies[name] = morsel.value
        finally:
            connection.close()
        return answer

    def open(self, path: str) -> PlainBrowser:
        """Look at *path*, and where it leads to."""
        return self._follow(path, self.request("GET", path))

    def _follow(self, path: str, answer: Answer) -> PlainBrowser:
        for _ in range(5):
            if answer.status not in (301, 302, 303):
                break
            path = answer.headers["location"]
            answer = self.request("GET", path.partition("#")[0])
        self.path, self.page = path, answer
        return self

    def forms(self) -> list[Form]:
        """The forms of this page that change something."""
        found = _Forms()
        found.feed(self.page.body.decode())
        return [form for form in found.forms if form.method.lower() == "post"]

    def form(self, button: str = "") -> Form:
        """The form of this page that has a button of that value; the first without one."""
        forms = self.forms()
        assert forms, self.page.body.decode()
        if not button:
            return forms[0]
        return next(form for form in forms if button in [value for _, value in form.buttons])

    def send(self, button: str = "", /, **changes: str | None) -> PlainBrowser:
        """Press *button*, with some fields filled in; those that are None are not sent.

        Without a button, its name is not sent, as after Enter in old browsers.
        """
        form = self.form(button)
        fields: dict[str, str | None] = {**form.fields, **changes}
        if button:
            fields |= {name: value for name, value in form.buttons if value == button and name}
        return self.post(form.action, {n: v for n, v in fields.items() if v is not None})

    def post(self, path: str, fields: Mapping[str, str], origin: str | None = None) -> PlainBrowser:
        """Send *fields* as a form, from a page of *origin*, None for our own."""
        # As browsers do with the line ends of texts.
        sent = {n: v.replace("\r\n", "\n").replace("\n", "\r\n") for n, v in fields.items()}
        own = f"http://127.0.0.1:{self.port}"
        answer = self.request(
            "POST",
            path,
            urlencode(sent).encode(),
            **{"Content-Type": FORM, "Origin": own if origin is None else origin},
        )
        return self._follow(path, answer)

    def log_in(self, token: str) -> PlainBrowser:
        """Log in with *token*."""
        return self.open("/login").send(token=token)


@contextmanager
def listening(app: Flask) -> Iterator[int]:
    """The port at which *app* answers over real HTTP, from a thread of this process."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
