"""The contract of the API as plain dictionaries: what each request does, and what it answers.

Bodies are taken to be of the right shape; this model covers what depends on the
state. Nothing here knows of Git.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

Json = Any
Said = tuple[int, Json]
"""A status, and the body (None where there is none or it is an error's)."""

FIELDS: dict[str, Json] = {
    "classname": None,
    "description": None,
    "code": "",
    "max_batch": 1,
    "batch_contiguous": True,
    "no_automatic_start_time": False,
    "supports_tiling": False,
    "success_subject": None,
    "success_body": None,
    "fail_subject": None,
    "fail_body": None,
}
GONE: Said = (404, None)
DONE: Said = (204, None)


class Answered(Exception):
    """A request that ends here, with that status."""


@dataclass
class Version:
    """A version of a jobtype: what it shows, and whether it is withdrawn."""

    number: int
    fields: Json
    withdrawn: bool = False


@dataclass
class Jobtype:
    id: int
    versions: list[Version] = field(default_factory=list)

    @property
    def in_service(self) -> list[Version]:
        return [v for v in self.versions if not v.withdrawn]

    @property
    def newest(self) -> Version | None:
        return self.in_service[-1] if self.in_service else None


@dataclass
class Software:
    id: int
    versions: dict[str, Json] = field(default_factory=dict)
    """Rows as they are shown, by version string."""

    @property
    def rows(self) -> list[Json]:
        return sorted(self.versions.values(), key=lambda row: row["rank"])


class Readings:
    """What is there, and what reads say of it."""

    def __init__(self) -> None:
        self.jobtypes: dict[str, Jobtype] = {}
        self.software: dict[str, Software] = {}
        self.numbers: dict[str, int] = {}
        self.software_names: set[str] = set()
        self.ids = {"jobtype": 0, "software": 0, "version": 0}

    # Finding

    def _named(self, things: dict[str, Any], key: str) -> str | None:
        if key.isdigit():
            return next((name for name, thing in things.items() if thing.id == int(key)), None)
        return key if key in things else None

    def _jobtype(self, key: str) -> tuple[str, Jobtype]:
        name = self._named(self.jobtypes, key)
        if name is None:
            raise Answered(404)
        return name, self.jobtypes[name]

    def _software(self, key: str) -> tuple[str, Software]:
        name = self._named(self.software, key)
        if name is None:
            raise Answered(404)
        return name, self.software[name]

    def _newest(self, key: str) -> tuple[str, Jobtype, Version]:
        name, jobtype = self._jobtype(key)
        if jobtype.newest is None:
            raise Answered(404)
        return name, jobtype, jobtype.newest

    def _version(self, key: str, number: str) -> tuple[str, Jobtype, Version]:
        name, jobtype = self._jobtype(key)
        for version in jobtype.in_service:
            if version.number == int(number):
                return name, jobtype, version
        raise Answered(404)

    def _next(self, what: str) -> int:
        self.ids[what] += 1
        return self.ids[what]

    # Showing

    @staticmethod
    def _shown(name: str, jobtype: Jobtype, version: Version) -> Json:
        return {"id": jobtype.id, "name": name, "version": version.number, **version.fields}

    @staticmethod
    def _requirement(name: str, version: Version, row: Json) -> Json:
        def bound(key: str) -> Json:
            return row[key] and {"version": row[key], "id": row[f"{key}_id"]}

        return {
            "software": {"software": row["software"], "id": row["software_id"]},
            "min_version": bound("min_version"),
            "max_version": bound("max_version"),
            "jobtype_version": {"version": version.number, "jobtype": name},
        }

    def _requirements(self, name: str, version: Version) -> list[Json]:
        rows = version.fields["software_requirements"]
        return [self._requirement(name, version, row) for row in rows]

    def get_jobtypes(self) -> Said:
        rows = [{"id": j.id, "name": name} for name, j in self.jobtypes.items()]
        return 200, sorted(rows, key=lambda row: row["name"])

    def get_jobtypes_item(self, key: str) -> Said:
        return 200, self._shown(*self._newest(key))

    def get_jobtypes_versions(self, key: str) -> Said:
        return 200, [v.number for v in self._jobtype(key)[1].in_service]

    def get_jobtypes_versions_item(self, key: str, number: str) -> Said:
        return 200, self._shown(*self._version(key, number))

    def get_jobtypes_software_requirements(self, key: str) -> Said:
        name, _, version = self._newest(key)
        return 200, self._requirements(name, version)

    def get_jobtypes_versions_software_requirements(self, key: str, number: str) -> Said:
        name, _, version = self._version(key, number)
        return 200, self._requirements(name, version)

    def get_software(self) -> Said:
        rows = [self._shown_software(name) for name in self.software]
        return 200, sorted(rows, key=lambda row: row["id"])

    def get_software_item(self, key: str) -> Said:
        return 200, self._shown_software(self._software(key)[0])

    def _shown_software(self, name: str) -> Json:
        software = self.software[name]
        return {"id": software.id, "software": name, "versions": software.rows}


class Model(Readings):
    """What a service says that was sent these requests."""

    def send(self, method: str, *path: str, body: Json = None) -> Said:
        """The answer to a request; a refused one changes nothing."""
        before = deepcopy(self.__dict__)
        # Below a jobtype or software, an id or name stands second and fourth.
        words = "_".join(word for word in path[::2] if word)
        keys = [key for key in path[1::2] if key]
        name = f"{method.lower()}_{words}" + ("" if len(path) % 2 else "_item")
        try:
            said: Said = getattr(self, name)(*keys, *([] if body is None else [deepcopy(body)]))
            return deepcopy(said)
        except Answered as answered:
            self.__dict__ = before
            return answered.args[0], None

    # Writing jobtypes

    def post_jobtypes(self, body: Json) -> Said:
        self._check_code(body)
        if body["name"] in self.jobtypes:
            raise Answered(409)
        return self._put(body)

    def put_jobtypes_item(self, key: str, body: Json) -> Said:
        self._check_code(body)
        name = self._named(self.jobtypes, key)
        if name is None and key.isdigit():
            raise Answered(404)
        if name is None and body["name"] != key:
            raise Answered(400)
        if name is not None and body["name"] != name:
            if body["name"] in self.numbers:
                raise Answered(409)
            self.jobtypes[body["name"]] = self.jobtypes.pop(name)
            self.numbers[body["name"]] = self.numbers[name]
        return self._put(body)

    def _put(self, body: Json) -> Said:
        fields = {**FIELDS, **body}
        name = fields.pop("name")
        jobtype = self.jobtypes.get(name)
        newest = jobtype.newest if jobtype else None
        kept = newest.fields["software_requirements"] if newest else []
        return 201, self._make(name, fields, body.get("software_requirements", kept))

    def _make(self, name: str, fields: Json, requirements: list[Json]) -> Json:
        """A new version of *name*."""
        rows = self._checked(requirements)
        if name not in self.jobtypes:
            self.jobtypes[name] = Jobtype(self._next("jobtype"))
        self.numbers[name] = self.numbers.get(name, 0) + 1
        made = Version(self.numbers[name], {**fields, "software_requirements": rows})
        self.jobtypes[name].versions.append(made)
        return self._shown(name, self.jobtypes[name], made)

    @staticmethod
    def _check_code(body: Json) -> None:
        try:
            tree = ast.parse(body["code"])
        except SyntaxError:
            raise Answered(400) from None
        wanted = body.get("classname")
        if wanted and wanted not in {n.name for n in tree.body if isinstance(n, ast.ClassDef)}:
            raise Answered(400)

    def _checked(self, requirements: list[Json]) -> list[Json]:
        """The requirements as the jobtype object shows them; 400 comes before 404."""
        rows, is_unknown = [], False
        for entry in requirements:
            software = self.software.get(entry["software"])
            known = software.versions if software else {}
            low, high = entry.get("min_version"), entry.get("max_version")
            is_unknown |= software is None or not {low, high} - {None} <= known.keys()
            if self._is_turned(entry, known):
                raise Answered(400)
            row = {"software": entry["software"], "software_id": software and software.id}
            for key, text in (("min_version", low), ("max_version", high)):
                row |= {key: text, f"{key}_id": known[text]["id"] if text in known else None}
            rows.append(row)
        if is_unknown:
            raise Answered(404)
        return rows

    def delete_jobtypes_item(self, key: str) -> Said:
        name = self._named(self.jobtypes, key)
        if name is not None:
            del self.jobtypes[name]
        return DONE

    def delete_jobtypes_versions_item(self, key: str, number: str) -> Said:
        name = self._named(self.jobtypes, key)
        for version in self.jobtypes[name].versions if name is not None else ():
            version.withdrawn |= version.number == int(number)
        return DONE

    def post_jobtypes_rollback(self, key: str, body: Json) -> Said:
        name, jobtype, version = self._version(key, body["version"])
        if version is jobtype.newest:
            raise Answered(409)
        return 201, self._make(name, version.fields, version.fields["software_requirements"])

    def post_jobtypes_versions_restore(self, key: str, number: str, body: Json) -> Said:
        name, jobtype = self._jobtype(key)
        version = next((v for v in jobtype.versions if v.number == int(number)), None)
        if version is None:
            raise Answered(404)
        newest = jobtype.newest.number if jobtype.newest else 0
        if version.withdrawn and version.number > newest:
            self._checked(version.fields["software_requirements"])
        version.withdrawn = False
        return 200, self._shown(name, jobtype, version)

    def post_jobtypes_software_requirements(self, key: str, body: Json) -> Said:
        name, _, newest = self._newest(key)
        rows = newest.fields["software_requirements"]
        if body["software"] in {row["software"] for row in rows}:
            raise Answered(409)
        self._make(name, newest.fields, [*rows, body])
        made = self.jobtypes[name].versions[-1]
        return 201, self._requirements(name, made)[-1]

    def delete_jobtypes_software_requirements_item(self, key: str, software: str) -> Said:
        name, _, newest = self._newest(key)
        rows = newest.fields["software_requirements"]
        by = "software_id" if software.isdigit() else "software"
        left = [row for row in rows if str(row[by]) != software]
        if left != rows:
            self._make(name, newest.fields, left)
        return DONE

    # Writing software

    def _users(self, software: str) -> Iterator[tuple[str, Version, Json]]:
        """Each jobtype whose newest version requires *software*: name, version, row."""
        for name, jobtype in self.jobtypes.items():
            for row in jobtype.newest.fields["software_requirements"] if jobtype.newest else ():
                if row["software"] == software:
                    assert jobtype.newest is not None
                    yield name, jobtype.newest, row

    def post_software(self, body: Json) -> Said:
        self._ranks(body.get("versions", []))
        if body["software"] in self.software:
            raise Answered(409)
        return 201, self._put_software(body)

    def put_software_item(self, key: str, body: Json) -> Said:
        self._ranks(body.get("versions", []))
        name = self._named(self.software, key)
        if name is None and key.isdigit():
            raise Answered(404)
        if not key.isdigit() and body["software"] != key:
            raise Answered(400)
        if name is not None and body["software"] != name:
            self._rename_software(name, body["software"])
        return 201 if name is None else 200, self._put_software(body)

    def _rename_software(self, old: str, new: str) -> None:
        if new in self.software_names:
            raise Answered(409)
        users = list(self._users(old))
        self.software_names.add(new)
        self.software[new] = self.software.pop(old)
        for name, version, _ in users:
            rows = deepcopy(version.fields["software_requirements"])
            for row in rows:
                row["software"] = new if row["software"] == old else row["software"]
            self._make(name, version.fields, rows)

    def _put_software(self, body: Json) -> Json:
        name = body["software"]
        if name not in self.software:
            self.software[name] = Software(self._next("software"))
            self.software_names.add(name)
            body.setdefault("versions", [])
        if "versions" in body:
            self._replace_versions(name, body["versions"])
        return self._shown_software(name)

    def _replace_versions(self, name: str, rows: list[Json]) -> None:
        software = self.software[name]
        old, software.versions = software.versions, {}
        for row, rank in zip(rows, self._ranks(rows), strict=True):
            version = row["version"]
            id = old[version]["id"] if version in old else self._next("version")
            software.versions[version] = {"id": id, "version": version, "rank": rank}
        self._check_lost(name, old.keys() - software.versions.keys())
        for _, _, row in self._users(name):
            if self._is_turned(row, software.versions) and not self._is_turned(row, old):
                raise Answered(409)

    @staticmethod
    def _is_turned(row: Json, known: dict[str, Json]) -> bool:
        low, high = (row.get(key) for key in ("min_version", "max_version"))
        return low in known and high in known and known[low]["rank"] > known[high]["rank"]

    @staticmethod
    def _ranks(rows: list[Json]) -> list[int]:
        ranks, running = [], 100
        for row in rows:
            ranks.append(row.get("rank", running))
            running = max(ranks[-1], running) + 100
        if len(set(ranks)) < len(ranks):
            raise Answered(400)
        return ranks

    def _check_lost(self, name: str, lost: set[str]) -> None:
        for _, _, row in self._users(name):
            if {row["min_version"], row["max_version"]} & lost:
                raise Answered(409)

    def delete_software_item(self, key: str) -> Said:
        name = self._named(self.software, key)
        if name is not None:
            if any(self._users(name)):
                raise Answered(409)
            del self.software[name]
        return DONE

    def post_software_versions(self, key: str, body: Json) -> Said:
        _, software = self._software(key)
        if body["version"] in software.versions:
            raise Answered(409)
        ranks = [row["rank"] for row in software.versions.values()]
        rank = body.get("rank", -(-(max(ranks) + 100) // 100) * 100 if ranks else 100)
        if rank in ranks:
            raise Answered(400)
        row = {"id": self._next("version"), "version": body["version"], "rank": rank}
        software.versions[body["version"]] = row
        return 201, row

    def delete_software_versions_item(self, key: str, version: str) -> Said:
        name, software = self._software(key)
        if version in software.versions:
            self._check_lost(name, {version})
            del software.versions[version]
        return DONE
