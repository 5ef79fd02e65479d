"""Brings the fixtures of `jobtypes test` to a plain pytest, such as an editor's."""

pytest_plugins = ["gitstore.desk.plugin"]
