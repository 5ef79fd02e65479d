"""The agent's class CommandData: what a process is started from."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping


class CommandData:
    """What the agent starts a process from; the arguments become strings."""

    def __init__(self, command: str, *arguments: object, **kwargs: object) -> None:
        self.command = command
        self.arguments = tuple(map(agent_text, arguments))
        self.env = kwargs.pop("env", None)
        self.cwd = kwargs.pop("cwd", None)
        self.user = kwargs.pop("user", None)
        self.group = kwargs.pop("group", None)
        self.id = kwargs.pop("id", None)
        if kwargs:
            raise ValueError(f"Unexpected keywords present in kwargs: {sorted(kwargs)}")

    def __repr__(self) -> str:
        parts = ("command", "arguments", "cwd", "user", "group", "env")
        return f"Command({', '.join(f'{name}={getattr(self, name)!r}' for name in parts)})"

    def validate(self) -> None:
        """Raise an error for a value that the agent refuses before it starts anything."""
        if not isinstance(self.command, str):
            raise TypeError("Expected a string for `command`")
        if not isinstance(self.env, dict) and self.env is not None:
            raise TypeError("Expected a dictionary for `env`")
        for name, value in (("user", self.user), ("group", self.group)):
            if not isinstance(value, str | int) and value is not None:
                raise TypeError(f"Expected string, integer or None for `{name}`")
        if os.name == "nt":
            self.user = self.group = None
        # The agent refuses a user even if it is root.
        elif self.user is not None or (self.group is not None and os.getuid() != 0):
            raise OSError("Cannot change user or group without being admin.")
        if not isinstance(self.cwd, str) and self.cwd is not None:
            raise TypeError("Expected a string for `cwd`")

    def set_default_environment(self, value: dict[str, str]) -> None:
        """Take *value* as the environment if the jobtype gave none."""
        if self.env is None:
            self.env = value


def agent_text(value: object) -> str:
    """*value* as Python 2.7 makes a string of it.

    Raises:
        UnicodeEncodeError: it is text that has characters outside ASCII.
    """
    if isinstance(value, bytes):
        return value.decode(errors="surrogateescape")
    if isinstance(value, float):
        return _float_text(value)
    return _ascii(value) if isinstance(value, str) else str(value)


def agent_environment(env: Mapping[object, object], known: Collection[str]) -> dict[str, str]:
    """*env* as the agent's process gets it; *known* are values that the agent itself has.

    Raises:
        TypeError: a name or value is no string.
        UnicodeEncodeError: it is text that has characters outside ASCII.
    """
    made = {}
    for name, value in env.items():
        for part in (name, value):
            if not isinstance(part, str | bytes):
                raise TypeError(f"the environment's {name!r} is {value!r}; write a string")
        plain = value if isinstance(value, str) and value in known else agent_text(value)
        made[agent_text(name) if name not in known else str(name)] = plain
    return made


def _float_text(value: float) -> str:
    """*value* with the twelve digits that Python 2.7 shows."""
    text = f"{value:.12g}"
    if set(text) & set(".eni"):
        return text
    if len(text.lstrip("-")) < 12:
        return f"{text}.0"
    digits, sign, exponent = f"{value:.11e}".partition("e")
    return digits.rstrip("0").rstrip(".") + sign + exponent


def _ascii(text: str) -> str:
    if not text.isascii():
        place = next(place for place, letter in enumerate(text) if not letter.isascii())
        wish = "the agent's Python 2.7 takes only ASCII as text; write .encode('utf-8')"
        raise UnicodeEncodeError("ascii", text, place, place + 1, wish)
    return text
