"""Answers of a process for many files, kept so that a measurement that was ended goes on."""

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from opensim_comparison.processes import Worker

FILES_PER_PROCESS = 25  # compiled programs stay in memory
Row = dict[str, Any]


class Answers:
    """Answers by content of a file and question, each kept as a line of JSON where asked for.

    A process answers for several files, and is replaced when it ends or takes too long.
    """

    def __init__(self, make: Callable[[int], Any], kept: Path | None, timeout: int):
        """Read what has been answered before.

        Args:
          make: makes the object whose methods answer, of the timeout; a class at the top of a
            module.
          kept: file of the answers; none is kept if None.
          timeout: processor seconds for one answer.
        """
        self._make, self._path, self._timeout = make, kept, timeout
        self._rows: dict[str, Row] = {}
        self._worker: Worker | None = None
        self._count, self._asked = 0, ""
        if kept is not None and kept.exists():
            for line in kept.read_text(encoding="utf-8").splitlines():
                row = json.loads(line)
                self._rows[row["key"]] = row["row"]

    def ask(
        self, name: str, path: Path, method: str, *arguments: Any, died: Callable[[str], Row]
    ) -> Row:
        """The answer for a file, kept or from a process.

        Args:
          name: of the file, for the line that is kept.
          path: of the file, the method's first argument.
          method: of the object.
          arguments: its others.
          died: the answer, of why the process ended before it gave one.
        """
        content = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
        key = " ".join([content, method, *map(str, arguments)])
        if key not in self._rows:
            worker = self._process_for(name)
            try:
                row = worker.call(method, str(path), *arguments)
            except (RuntimeError, EOFError) as error:
                row = died(f"{error}: a crash, or more than {self._timeout} s")
                self.close()
            self._keep(key, name, row)
        return self._rows[key]

    def _process_for(self, name: str) -> Worker:
        """The process, a new one after so many files."""
        self._count += name != self._asked
        self._asked = name
        if self._worker is None or self._count > FILES_PER_PROCESS:
            self.close()
            self._worker, self._count = Worker(self._make, self._timeout), 1
            self._worker.receive()
        return self._worker

    def _keep(self, key: str, name: str, row: Row) -> None:
        self._rows[key] = row
        if self._path is not None:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"key": key, "name": name, "row": row}) + "\n")

    def close(self) -> None:
        """End the process; the next question starts another."""
        if self._worker is not None:
            self._worker.close()
            self._worker = None


def limit_processor_time(seconds: int) -> None:
    """Let this process end after so many processor seconds more."""
    try:
        import resource
    except ImportError:  # Windows
        return
    used = sum(os.times()[:2])
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(used) + seconds, hard))
