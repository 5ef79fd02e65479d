"""yaml-language-server, from npm: what editors ask while a TD types YAML."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from threading import Timer

PROGRAM = "yaml-language-server"
LIMIT_S = 300

Json = dict[str, object]


class LanguageServer:
    """The server for the folder *root*, with the settings that an editor reads there."""

    def __init__(self, root: Path, settings: Mapping[str, object]) -> None:
        self._root = root
        self._settings = {"yaml": {**settings, "schemaStore": {"enable": False}}}
        self._stack = ExitStack()
        self._process = self._stack.enter_context(
            subprocess.Popen([PROGRAM, "--stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        )
        self._stack.callback(self._process.kill)
        # A server that says nothing ends, and with it the test that waits.
        watch = Timer(LIMIT_S, self._process.kill)
        watch.start()
        self._stack.callback(watch.cancel)
        self._count = 0
        self._faults: dict[str, list[str]] = {}
        folders = [{"uri": root.as_uri(), "name": "clone"}]
        able = {"workspace": {"configuration": True, "workspaceFolders": True}}
        self._ask(
            "initialize",
            {"processId": None, "rootUri": root.as_uri(), "workspaceFolders": folders}
            | {"capabilities": able},
        )
        self._send({"method": "initialized", "params": {}})
        changed = {"settings": self._settings}
        self._send({"method": "workspace/didChangeConfiguration", "params": changed})

    def close(self) -> None:
        self._stack.close()

    def faults(self, path: str, text: str) -> list[str]:
        """The faults that the editor shows in a file at *path* with *text*, at least one."""
        self._open(path, text)
        uri = self._uri(path)
        while not self._faults.get(uri):
            self._hear()
        return self._faults[uri]

    def inserted(self, path: str, text: str) -> dict[str, str]:
        """What the editor offers at the end of *text*, and what it then inserts."""
        self._open(path, text)
        place = {"line": text.count("\n"), "character": len(text.rpartition("\n")[2])}
        document = {"uri": self._uri(path)}
        found = self._ask("textDocument/completion", {"textDocument": document, "position": place})
        assert isinstance(found, dict)
        return {item["label"]: item["insertText"] for item in found["items"]}

    def _uri(self, path: str) -> str:
        return (self._root / path).as_uri()

    def _open(self, path: str, text: str) -> None:
        document = {"uri": self._uri(path), "languageId": "yaml", "version": 1, "text": text}
        self._send({"method": "textDocument/didOpen", "params": {"textDocument": document}})

    def _ask(self, method: str, params: Json) -> object:
        self._count += 1
        self._send({"id": self._count, "method": method, "params": params})
        while (message := self._hear()).get("id") != self._count or "method" in message:
            pass
        return message["result"]

    def _hear(self) -> Json:
        """The next message. What is about faults is kept, and questions are answered."""
        message = self._read()
        params = message.get("params")
        if message.get("method") == "textDocument/publishDiagnostics":
            assert isinstance(params, dict)
            lines = [
                f"{fault['range']['start']['line'] + 1}: {fault['message']}"
                for fault in params["diagnostics"]
            ]
            self._faults[params["uri"]] = sorted(lines)
        elif "method" in message and "id" in message:
            self._send({"id": message["id"], "result": self._answer(params)})
        return message

    def _answer(self, params: object) -> Sequence[object] | None:
        if not isinstance(params, dict) or "items" not in params:
            return None
        return [self._settings.get(item.get("section"), {}) for item in params["items"]]

    def _send(self, message: Json) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self._process.stdin
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        self._process.stdin.flush()

    def _read(self) -> Json:
        assert self._process.stdout
        length = 0
        while line := self._process.stdout.readline().strip():
            name, _, value = line.partition(b":")
            length = int(value) if name.lower() == b"content-length" else length
        assert length, f"{PROGRAM} has ended"
        message = json.loads(self._process.stdout.read(length))
        assert isinstance(message, dict)
        return message
