"""Random histories of a branch: everything that can happen to jobtypes and software."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random

import yaml

from tests.support.branches import Branch, Content


class Life:
    """A branch on which something random happens at each ``step``."""

    def __init__(self, path: Path, seed: int) -> None:
        self.branch = Branch(path)
        self._random = Random(seed)
        self._count = 0
        self._jobtypes: dict[str, dict[str, Content]] = {}
        self._numbers: dict[str, int] = {}
        self._withdrawn: dict[str, set[int]] = {}
        self._software: dict[str, list[dict[str, object]]] = {}
        self.branch.commit({"README.md": "begin\n"}, "begin\n")

    def step(self) -> str:
        """Commit one thing that happens; what it was."""
        happenings: list[Callable[[], tuple[dict[str, Content], str] | None]] = [
            self._new,
            self._change,
            self._change,
            self._rename,
            self._delete,
            self._withdraw,
            self._restore,
            self._break,
            self._gap,
            self._program,
            self._program,
            self._lose_program,
        ]
        while True:
            happening = self._random.choice(happenings)
            made = happening()
            if made is not None:
                changes, message = made
                changes["withdrawn.yaml"] = self._list()
                self.branch.commit(changes, message)
                return happening.__name__

    def _pick(self) -> str | None:
        return self._random.choice(sorted(self._jobtypes)) if self._jobtypes else None

    def _list(self) -> str:
        return yaml.safe_dump({name: sorted(n) for name, n in self._withdrawn.items() if n})

    def _files(self) -> dict[str, Content]:
        self._count += 1
        pick = self._random.choice
        meta: dict[str, object] = {"classname": "Job", "max_batch": pick([None, 1, 5])}
        meta["description"] = pick([None, f"text {self._count}"])
        meta["supports_tiling"] = pick([True, False])
        needs = []
        for name in self._random.sample(sorted(self._software), min(2, len(self._software))):
            versions = [v["version"] for v in self._software[name]]
            low = pick([None, *versions]) if versions else None
            needs.append({"software": name, "min_version": low})
        meta["requirements"] = needs
        code = f"class Job:\n    number = {self._count}\n"
        return {"code.py": code, "meta.yaml": yaml.safe_dump(meta)}

    def _write(self, name: str, files: dict[str, Content], trailer: str = "") -> tuple:
        old = self._jobtypes.get(name, {})
        self._jobtypes[name] = files
        paths = {f"jobtypes/{name}/{file}": data for file, data in files.items()}
        paths |= {f"jobtypes/{name}/{file}": None for file in old.keys() - files.keys()}
        self._numbers[name] = self._numbers.get(name, 0) + 1
        return paths, f"{name}\n{trailer}"

    def _new(self) -> tuple | None:
        gone = sorted(self._numbers.keys() - self._jobtypes.keys())
        name = self._random.choice([*gone, f"Job {len(self._numbers)}"])
        return self._write(name, self._files())

    def _change(self) -> tuple | None:
        name = self._pick()
        return self._write(name, self._files()) if name else None

    def _break(self) -> tuple | None:
        name = self._pick()
        files = self._files()
        del files[self._random.choice(sorted(files))]
        return self._write(name, files) if name else None

    def _gap(self) -> tuple | None:
        name = self._pick()
        if not name:
            return None
        self._numbers[name] += self._random.randint(1, 5)
        number = self._numbers[name] + 1
        return self._write(name, self._files(), f"\nJobtype-Version: {number} {name}\n")

    def _rename(self) -> tuple | None:
        old = self._pick()
        if not old:
            return None
        new = f"Named {len(self._numbers)}"
        files = self._jobtypes.pop(old)
        self._jobtypes[new] = files
        self._numbers[new] = self._numbers[old]
        self._withdrawn[new] = self._withdrawn.pop(old, set())
        return {
            **{f"jobtypes/{old}/{file}": None for file in files},
            **{f"jobtypes/{new}/{file}": data for file, data in files.items()},
        }, "rename\n"

    def _delete(self) -> tuple | None:
        name = self._pick()
        if not name:
            return None
        self._withdrawn.pop(name, None)
        return {f"jobtypes/{name}/{file}": None for file in self._jobtypes.pop(name)}, "delete\n"

    def _withdraw(self) -> tuple | None:
        name = self._pick()
        if not name:
            return None
        self._withdrawn.setdefault(name, set()).add(self._random.randint(1, self._numbers[name]))
        return {}, "withdraw\n"

    def _restore(self) -> tuple | None:
        name = next((n for n in sorted(self._withdrawn) if self._withdrawn[n]), None)
        if not name:
            return None
        self._withdrawn[name].pop()
        return {}, "restore\n"

    def _program(self) -> tuple | None:
        pick = self._random.choice
        name = pick([*sorted(self._software), f"program {len(self._software)}"])
        texts = self._random.sample(["1", "2", "3", "4"], self._random.randint(0, 4))
        ranks = self._random.sample(range(1, 9), len(texts))
        self._software[name] = [
            {"version": text, "rank": rank, "default": pick([True, False])}
            for text, rank in zip(texts, ranks, strict=True)
        ]
        data = yaml.safe_dump({"versions": self._software[name]})
        return {f"software/{name}.yaml": data}, "software\n"

    def _lose_program(self) -> tuple | None:
        if not self._software:
            return None
        name = self._random.choice(sorted(self._software))
        del self._software[name]
        return {f"software/{name}.yaml": None}, "software goes\n"
