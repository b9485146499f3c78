"""Validation in a process of its own: what rules are run with is large, is loaded once, and takes nobody along where it falls."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path

from faktura.bootstrap.imports import FILE_BYTES_MAX
from faktura.bootstrap.worker_process import begin_worker
from faktura.documents.validation import Verdict, validate
from faktura.domain.errors import InputError


class Validator:
    """Validates documents one after another."""

    def __init__(self) -> None:
        self._pool = _begin()

    def check(self, path: Path) -> Verdict:
        """What the checks say of a file; InputError for one that is no e-invoice, or cannot be read."""
        try:
            size = path.stat().st_size
            if size > FILE_BYTES_MAX:
                message = f"{size} bytes is too large for a document"
                raise InputError(message)
            body = path.read_bytes()
        except OSError as error:
            raise InputError(error.strerror or str(error)) from error
        for _ in range(2):  # a process may have been ended from outside: only who fells a second one is to blame
            try:
                return self._pool.submit(validate, body).result()
            except BrokenProcessPool:
                self.close()
                self._pool = _begin()
        raise InputError("what checks documents fell over it")

    def close(self) -> None:
        """End the process."""
        self._pool.shutdown(wait=True, cancel_futures=True)


def _begin() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=begin_worker)


@contextmanager
def validating() -> Iterator[Validator]:
    """A validator, until the end of the block."""
    validator = Validator()
    try:
        yield validator
    finally:
        validator.close()
