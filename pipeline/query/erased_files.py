"""Exports and files of reports that hold an erased number. They are files of their own, which can be made again."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

import msgspec

from pipeline.files import Files, files_of
from pipeline.query.questions.export_runs import file_of
from pipeline.query.questions.exports import form_of
from pipeline.reports.runs import destroy
from pipeline.reports.store import ReportStore
from pipeline.settings import Settings
from pipeline.warehouse.query.reader import Reader
from pipeline.warehouse.reference import exports

_PIECE: Final = 1 << 20
_LONGEST: Final = 256  # of a number, in bytes: pieces overlap by so much
_COMPRESSED: Final = ("parquet",)


def erase_files(settings: Settings, forms: Sequence[str], tenant: str, *, dry_run: bool) -> int:
    """Delete the exports and reports of a tenant ("" for all) that hold the number in one of these forms; compressed
    ones are not looked into, and go. Returns how many. Raises what a `Reader` raises."""
    return asyncio.run(_erase(settings, forms, tenant, dry_run))


async def _erase(settings: Settings, forms: Sequence[str], tenant: str, dry_run: bool) -> int:
    reader, files = Reader(settings.clickhouse, settings.database, threads=2, max_seconds=60.0), files_of(settings)
    # A number that is part of a longer one is another.
    pattern = re.compile(b"|".join(rb"(?<!\d)" + re.escape(form.encode()) + rb"(?!\d)" for form in forms))
    number = 0
    try:
        for export in await exports.of_tenant(reader, tenant) if tenant else await exports.of_all(reader):
            ending = form_of(export).ending
            name = file_of(export, ending)
            if ending in _COMPRESSED or await asyncio.to_thread(_holds, files, name, pattern):
                number += 1
                if not dry_run:
                    await asyncio.to_thread(files.delete, name)
                    await exports.save(reader, msgspec.structs.replace(export, state="deleted"))
        store = ReportStore(reader)
        for run in await store.with_files(tenant):
            if await asyncio.to_thread(_holds, files, run.path, pattern):
                number += 1
                if not dry_run:
                    await destroy(store, files, run)
    finally:
        reader.close()
    return number


def _holds(files: Files, name: str, pattern: re.Pattern[bytes]) -> bool:
    with suppress(FileNotFoundError), files.open(name) as file:
        before = b""
        while piece := file.read(_PIECE):
            if pattern.search(before + piece):
                return True
            before = piece[-_LONGEST:]
    return False
