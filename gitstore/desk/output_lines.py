"""How the agent's class makes lines of a process's output, and which hooks it calls for each."""

from __future__ import annotations

import uuid
from collections.abc import Callable

from gitstore.desk.protocol import ProcessProtocol


class OutputLines:
    """A part of JobType. Fragments are ends of output that have no line end yet."""

    _stdout_line_fragments: dict[uuid.UUID, str]
    _stderr_line_fragments: dict[uuid.UUID, str]

    def _process_output(self, protocol: ProcessProtocol, output: str, is_error: bool) -> None:
        """Read some output of a process, as it comes."""
        if is_error:
            kept = self._stderr_line_fragments
            self.process_output(protocol, output, kept, self.handle_stderr_line)
        else:
            kept = self._stdout_line_fragments
            self.process_output(protocol, output, kept, self.handle_stdout_line)

    def process_output(
        self,
        protocol: ProcessProtocol,
        output: str,
        line_fragments: dict[uuid.UUID, str],
        line_handler: Callable[[ProcessProtocol, str], None],
    ) -> None:
        """Call *line_handler* with each line of *output*; keep what has no end yet."""
        *lines, rest = (line_fragments.pop(protocol.uuid, "") + output).split("\n")
        for line in lines:
            line_handler(protocol, line.removesuffix("\r"))
        if rest:
            line_fragments[protocol.uuid] = rest

    def handle_stdout_line(self, protocol: object, stdout: str) -> None:
        """Log a line of standard output, with the hooks around it."""
        self._handle_line(protocol, stdout, "stdout")

    def handle_stderr_line(self, protocol: object, stderr: str) -> None:
        """Log a line of standard error, with the hooks around it."""
        self._handle_line(protocol, stderr, "stderr")

    def _handle_line(self, protocol: object, line: str, stream: str) -> None:
        def call(step: str, line: object) -> object:
            return getattr(self, f"{step}_{stream}_line")(protocol, line)

        before = call("preprocess", line)
        if before is False:
            return
        shown = line if before is None else before
        after = call("format", shown)
        shown = shown if after is None else after
        call("log", shown)
        call("process", shown)

    def log_stdout_line(self, protocol: object, stdout: object) -> None:
        """Log a line."""

    log_stderr_line = log_stdout_line

    def _no_change(self, protocol: object, line: object) -> object:
        """Change nothing about the line: the hooks are for jobtypes to override."""
        return None

    preprocess_stdout_line = preprocess_stderr_line = _no_change
    format_stdout_line = format_stderr_line = _no_change
    process_stdout_line = _no_change

    def process_stderr_line(self, protocol: object, stderr: object) -> None:
        """Treat a line of standard error as one of standard output."""
        self.process_stdout_line(protocol, stderr)
