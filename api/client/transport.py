"""Requests to a service over HTTP, and its errors as sentences."""

from __future__ import annotations

import http.client
import json
import re
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.message import Message
from typing import Protocol
from urllib.parse import parse_qs, urlencode

from pydantic import ValidationError

from api.client.address import ServiceUrl
from api.client.errors import ServiceFailed, ServiceRefused
from api.client.login import Login
from api.client.patience import ANSWER_LIMIT_S, Handler, TlsHandler, TooSlow
from api.rest.models import ErrorAnswer
from api.web.sentences import ASKS, NOTHING_HERE
from gitstore.format.layout import escaped, shown

READ_LIMIT_S = 60.0
"""For how long an answer to a read may be silent."""

WRITE_LIMIT_S = 180.0
"""For how long one to a write may: it waits for other writers, for checks, for an upstream."""

ANSWER_LIMIT_BYTES = 64 * 1024 * 1024
"""How large an answer can be, and all parts of a list together."""

PAGES_LIMIT = 10_000
"""Parts of one list."""

_JSON = "application/json"
_PART_BYTES = 65536
_SENTENCE_LIMIT = 20_000
_FAULTS_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Reply:
    """What the service answered; *commit* is the one that made what is shown, if it says so."""

    status: int
    headers: Message
    body: bytes

    @property
    def commit(self) -> str:
        """The id of the commit that made the version that is shown."""
        return escaped(self.headers.get("X-Git-Commit", ""))


def _opener() -> urllib.request.OpenerDirector:
    """What opens http:// and https:// alone, and follows no redirect: our services send none, and
    a token must not go elsewhere."""
    made = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),  # Those of the environment.
        Handler(),
        TlsHandler(),
        urllib.request.UnknownHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.HTTPDefaultErrorHandler(),
    ):
        made.add_handler(handler)
    return made


class Service:
    """The service at *url*. It is sent no token until it asks for one."""

    def __init__(self, url: ServiceUrl, token: str | None = None, is_named: bool = True) -> None:
        self.base = url.base
        self._login = Login(url, token, is_named)
        self._authorization: str | None = None
        # With the system's certificates, or SSL_CERT_FILE's.
        self._opener = _opener()

    def get(self, path: str, accept: str = _JSON) -> Reply:
        """The answer to a GET of *path*, which is quoted.

        Raises:
            ServiceRefused: the answer is an error of the asker's, or not from a service.
            ServiceFailed: there is none, or it is an error of the service's.
        """
        return self._exchange("GET", path, None, {"Accept": accept})

    def pages(self, path: str, **query: object) -> Iterator[bytes]:
        """Yield the parts of the list at *path*, as long as it goes on."""
        parameters = {name: str(value) for name, value in query.items()}
        size, end = 0, time.monotonic() + ANSWER_LIMIT_S
        for _ in range(PAGES_LIMIT):
            reply = self.get(f"{path}?{urlencode(parameters)}" if parameters else path)
            size += len(reply.body)
            if size > ANSWER_LIMIT_BYTES or time.monotonic() > end:
                break
            yield reply.body
            following = _next_query(reply.headers.get_all("Link", []))
            if following is None:
                return
            parameters = following
        raise ServiceFailed(f"the list at {self.base}{path} does not end")

    def send(
        self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> Reply:
        """The answer to a request that changes something; *body* is sent as JSON.

        Raises as get does.
        """
        data = None if body is None else json.dumps(body).encode()
        kind = {} if data is None else {"Content-Type": _JSON}
        return self._exchange(method, path, data, {"Accept": _JSON, **kind, **(headers or {})})

    def _exchange(
        self, method: str, path: str, data: bytes | None, headers: Mapping[str, str]
    ) -> Reply:
        reply = self._once(method, path, data, headers)
        if reply.status == 401 and self._authorization is None:
            challenges = reply.headers.get_all("WWW-Authenticate", [])
            self._authorization = self._login.answer(challenges)
            if self._authorization is not None:
                reply = self._once(method, path, data, headers)
                if reply.status == 401:
                    self._login.refused()
                else:
                    self._login.accepted()
        if not 200 <= reply.status < 300:
            raise self._error(reply, path)
        return reply

    def _once(
        self, method: str, path: str, data: bytes | None, headers: Mapping[str, str]
    ) -> Reply:
        request = urllib.request.Request(
            f"{self.base}{path}",
            data,
            {"User-Agent": "jobtypes", **headers},
            method=method,
        )
        if self._authorization is not None:
            # Not for proxies, and in no copy of the request.
            request.add_unredirected_header("Authorization", self._authorization)
        limit_s = READ_LIMIT_S if method == "GET" else WRITE_LIMIT_S
        try:
            try:
                with self._opener.open(request, timeout=limit_s) as response:
                    return _read(response.status, response.headers, response)
            except urllib.error.HTTPError as error:
                with error:
                    return _read(error.code, error.headers, error)
        except (http.client.InvalidURL, UnicodeError):  # Our own URL was checked before.
            raise ServiceRefused(
                f"{self.base} can't be asked: {self._proxy_variable} names a proxy by what is no"
                " address; write it as http://proxy:3128, or unset the variable"
            ) from None
        except (OSError, http.client.HTTPException) as error:
            raise self._failure(error, method, limit_s) from None
        except TooSlow:
            limit = f"{ANSWER_LIMIT_S:.0f} s"
            raise ServiceFailed(
                f"the answer of {self.base} does not end; {limit} is the limit"
            ) from None

    @property
    def _proxy_variable(self) -> str:
        """The variable of the proxy that is asked instead; empty if the service itself is."""
        scheme, _, rest = self.base.partition("://")
        is_direct = urllib.request.proxy_bypass(rest.partition("/")[0])
        return f"{scheme}_proxy" if scheme in urllib.request.getproxies() and not is_direct else ""

    def _failure(self, error: Exception, method: str, limit_s: float) -> ServiceFailed:
        """Why there is no answer, as a sentence."""
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        base = self.base
        if isinstance(reason, TimeoutError):
            more = "try again" if method == "GET" else "look what became of it, then try again"
            return ServiceFailed(f"{base} did not answer within {limit_s:.0f} s; {more}")
        if isinstance(reason, ssl.SSLCertVerificationError):
            return ServiceFailed(
                f"the certificate of {base} can't be trusted: {reason.verify_message}; name the"
                " studio's certificates in SSL_CERT_FILE"
            )
        if isinstance(reason, ssl.SSLError):
            said = reason.reason or str(reason)
            return ServiceFailed(
                f"{base} does not speak TLS as this machine does ({said}); is it http://?"
            )
        if isinstance(reason, http.client.HTTPException):
            kind = type(reason).__name__
            return ServiceFailed(
                f"{base} ended its answer early, or does not speak HTTP ({kind}); is it https://?"
            )
        # A proxy may have said a part of it.
        said = escaped(getattr(reason, "strerror", None) or str(reason))
        proxy = self._proxy_variable
        more = f" It was asked through the proxy that {proxy} names." if proxy else ""
        advice = f"is the address right, and does the service run?{more}"
        return ServiceFailed(f"{base} can't be reached: {said}; {advice}")

    def _error(self, reply: Reply, path: str) -> ServiceRefused | ServiceFailed:
        """The error that *reply* tells of."""
        status, base = reply.status, self.base
        if 300 <= status < 400:
            to, own = (text.partition("?")[0] for text in (reply.headers.get("Location", ""), path))
            return ServiceRefused(
                f"{base} leads elsewhere, to {shown(to.removesuffix(own)) or 'nowhere'}; if that is"
                " the service, name it with --url"
            )
        sentence, field = _sentence(reply)
        if status == 401:
            why = (sentence or f"{base} wants a login").removesuffix(f"; {ASKS}")
            return ServiceRefused(f"{why}; {self._login.advice}")
        if sentence is None:
            if status >= 500:
                return ServiceFailed(f"{base} answers with status {status}; try again later")
            return ServiceRefused(
                f"{base} is no service of jobtypes, or its proxy refuses: it answers with status"
                f" {status} and no sentence of ours; name the service with --url"
            )
        if status == 405 or (status == 404 and sentence == NOTHING_HERE):
            return ServiceRefused(
                f"the service at {base} has nothing at {path}: the address has a path too many,"
                " or the service is older than this command and needs an update"
            )
        return ServiceFailed(sentence) if status >= 500 else ServiceRefused(sentence, status, field)


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


def _read(status: int, headers: Message, response: _Readable) -> Reply:
    """The whole reply, which must not be larger than ANSWER_LIMIT_BYTES."""
    body = b"".join(_parts(response))
    if len(body) > ANSWER_LIMIT_BYTES:
        raise ServiceFailed(f"the answer is over {ANSWER_LIMIT_BYTES // 2**20} MiB")
    length = headers.get("Content-Length", "")
    if re.fullmatch("[0-9]{1,18}", length) and len(body) < int(length):
        # A read of some bytes does not notice this by itself.
        raise http.client.IncompleteRead(body, int(length) - len(body))
    return Reply(status, headers, body)


def _parts(response: _Readable) -> Iterator[bytes]:
    """Yield the body, until it is too large: http.client keeps each chunk of a part apart."""
    left = ANSWER_LIMIT_BYTES + 1
    while left > 0 and (part := response.read(min(left, _PART_BYTES))):
        left -= len(part)
        yield part


def _sentence(reply: Reply) -> tuple[str | None, str]:
    """The sentence of an error, as our services write it, and the field of the body that it is
    about; None for the answer of anything else. It tells of the first fault, and lines below it
    of the others."""
    if reply.headers.get_content_type() != _JSON:
        return None, ""
    try:
        said = ErrorAnswer.model_validate_json(reply.body)
    except ValidationError:
        return None, ""
    field = said.details[0].path if len(said.details) == 1 else ""
    others = (f"  {one.path}: {one.message}" for one in said.details[1:_FAULTS_SHOWN])
    lines = (line[:_SENTENCE_LIMIT] for line in (said.error, *others))
    return "\n".join(map(escaped, lines)), field


_NEXT = re.compile(r"<([^<>]*)> *; *rel=\"?next\b")


def _next_query(links: list[str]) -> dict[str, str] | None:
    """The parameters of the part that follows, None after the last.

    Only they are taken of the link: the service is at the address that the user named.
    """
    for link in links:
        if match := _NEXT.search(link):
            # What comes before the question mark may be no URL at all.
            pairs = parse_qs(match[1].partition("?")[2].partition("#")[0])
            return {name: values[-1] for name, values in pairs.items()}
    return None
