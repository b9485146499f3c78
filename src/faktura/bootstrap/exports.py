"""Exports: files that are whole or not there, and the accountant's folder of a month."""

from __future__ import annotations

import errno
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import msgspec

from faktura.bootstrap.export_files import Form, Growing, Shape, Streamed, growing
from faktura.config import DatabaseUrl
from faktura.documents.datev_settings import DatevSettings, parse_datev_settings
from faktura.documents.json_lines import json_line
from faktura.documents.sum_table import sum_json
from faktura.domain.errors import FAULTS_SHOWN_MAX, ConflictError, Fault, InputError, LedgerError, LedgerFullError, SettingError
from faktura.ledger.exporting import LeftOut, SumField, Sums, Wanted, chosen_documents
from faktura.ledger.ports import Books
from faktura.storage import backup as files

SUMMED = (SumField.CURRENCY, SumField.PROVIDER, SumField.TYPE, SumField.STATE)
"""What a folder's summary adds up by."""


@dataclass(slots=True)
class Exported:
    """What an export took, left out and could not carry."""

    document_count: int = 0
    left_out: LeftOut = field(default_factory=LeftOut)
    faults: list[Fault] = field(default_factory=list)
    """Of documents that a format could not carry; the first FAULTS_SHOWN_MAX."""
    fault_count: int = 0
    refused_count: int = 0
    """Documents with faults."""


def read_datev_settings(file: Path) -> DatevSettings:
    """The settings of a TOML file; InputError where it cannot be read, InvalidDocumentError with its mistakes."""
    try:
        given = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        message = f"{file}: {error}"
        raise InputError(message) from error
    return parse_datev_settings(given)


def export_file(books: Books, wanted: Wanted, shape: Shape, file: Path, *, database: DatabaseUrl) -> Exported:
    """Write a file. It takes its name when it is whole; until then, and where it cannot be written, what had that name stays."""
    with files.disk(f"{file} was not written"):
        _check_target(file, database)
    with files.disk(f"{file} was not written"), files.workshop(file) as aside:
        made = aside / "made"
        with growing(shape, made, wanted) as writer:
            done = _fill(books, wanted, [writer], is_whole=shape.is_whole)
        _publish([(made, file)])
    return done


def export_stream(books: Books, wanted: Wanted, shape: Shape, out: BinaryIO) -> Exported:
    """Write CSV or JSON Lines as the documents come. A reader that goes away is a BrokenPipeError; `out` stays open."""
    if shape.form not in {Form.CSV, Form.JSONL}:
        message = f"{shape.form} goes to a file, not to standard output"
        raise SettingError(message)
    try:
        done = _fill(books, wanted, [Streamed(shape, out)], is_whole=shape.is_whole)
        out.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        message = f"standard output: {error}"
        raise LedgerFullError(message) if error.errno == errno.ENOSPC else LedgerError(message) from error
    return done


def export_month(books: Books, wanted: Wanted, folder: Path, month: str, *, datev: DatevSettings | None, database: DatabaseUrl) -> Exported:
    """FOLDER/MONTH with a file of each format and a summary, all of one state of the ledger. The same state makes the same bytes.

    Files take their names when all are whole, the summary, which has their checksums, at last. Without DATEV settings there is
    no DATEV file; ConflictError where an earlier run left one, which would tell of another state.
    """
    target = folder / month
    shapes = {f"invoices-{month}.{form}": Shape(form=form) for form in (Form.CSV, Form.JSONL, Form.XLSX)}
    batch = target / f"EXTF_Buchungsstapel-{month}.csv"
    if datev is not None:
        shapes[batch.name] = Shape(form=Form.DATEV, datev=datev)
    elif batch.exists():
        message = f"{batch} is of an earlier export and would not be replaced: say --datev-settings, or take it away"
        raise ConflictError(message)
    names = (*shapes, "summary.json")
    with files.disk(f"{target} was not written"):
        for name in names:
            _check_target(target / name, database)
    sums = {item: Sums((item,)) for item in SUMMED}
    with files.disk(f"{target} was not written"), _folder(target), files.workshop(target / "summary.json") as aside:
        with ExitStack() as stack:
            writers = [stack.enter_context(growing(shape, aside / name, wanted)) for name, shape in shapes.items()]
            done = _fill(books, wanted, writers, is_whole=True, sums=sums.values())
        written = {name: {"bytes": (aside / name).stat().st_size, "sha256": files.sha256(aside / name)} for name in shapes}
        summary = _summary(done, sums) | {"files": written}
        (aside / "summary.json").write_bytes(msgspec.json.format(json_line({"month": month} | summary)) + b"\n")
        _publish([(aside / name, target / name) for name in names])
    return done


def _summary(done: Exported, sums: dict[SumField, Sums]) -> dict[str, object]:
    return {
        "documents": done.document_count,
        "left_out": {"pro_formas": done.left_out.pro_formas, "of_test_providers": done.left_out.of_test_providers},
        "sums": {f"by_{item}": sum_json(found) for item, found in sums.items()},
        "refused_by_datev": {"documents": done.refused_count, "faults": [str(fault) for fault in done.faults]},
    }


def _fill(books: Books, wanted: Wanted, writers: Sequence[Growing], *, is_whole: bool, sums: Iterable[Sums] = ()) -> Exported:
    """One pass over the documents, for all that is made of them."""
    done = Exported()
    with closing(chosen_documents(books, wanted, left_out=done.left_out, is_whole=is_whole)) as found:
        for head in found:
            done.document_count += 1
            for item in sums:
                item.add(head)
            for writer in writers:
                faults = writer.add(head)
                done.fault_count += len(faults)
                done.refused_count += bool(faults)
                done.faults += faults[: FAULTS_SHOWN_MAX - len(done.faults)]
    return done


def _publish(names: Sequence[tuple[Path, Path]]) -> None:
    """Give whole files their names, durably."""
    for made, _ in names:
        files.sync(made)
    for made, file in names:
        made.replace(file)
    files.sync(names[0][1].parent)


@contextmanager
def _folder(target: Path) -> Iterator[None]:
    """A folder that is there; it goes again where nothing came into it."""
    target.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        with suppress(OSError):
            target.rmdir()
        raise


def _check_target(file: Path, database: DatabaseUrl) -> None:
    """SettingError where a name is no file's, or the ledger's own: an export replaces what it finds."""
    if file.is_symlink() or (file.exists() and not file.is_file()):
        message = f"{file} is there and is no plain file"
        raise SettingError(message)
    if database.url is None:
        ledger = Path(database.path).resolve()
        if file.resolve() in {ledger, *(ledger.with_name(ledger.name + mark) for mark in files.SIDE_FILES)}:
            message = f"{file} is the ledger itself, or belongs to it: name another file"
            raise SettingError(message)
