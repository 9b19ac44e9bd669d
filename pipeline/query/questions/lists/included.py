"""`include=`: parts of the call document beside the rows of a page. (Of files: `part_columns`.)

The page is read first; the parts of its calls by their ids then, so that a list without them costs what it did.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import orjson
from fastapi import Request

from pipeline.query.access.caller import Caller
from pipeline.query.questions.endpoint import directory_of, reader_of
from pipeline.query.questions.shown import shown
from pipeline.warehouse.query.from_row import as_call
from pipeline.warehouse.query.whole_calls import calls_of, logs_of_calls
from schemas.call import document

PARTS: Final = ("logs", "legs", "reroutes", "queue_visits", "missed_by", "merged_call_ids", "recordings", "quality")


async def with_parts(request: Request, caller: Caller, lines: Sequence[bytes], parts: Sequence[str]) -> list[bytes]:
    """Rows of a list, JSON objects with an id, with these parts of their calls. A call that was corrected between the
    two questions has none of them."""
    reader, directory = reader_of(request), await directory_of(request, caller.view)
    rows = [orjson.loads(line) for line in lines]
    found = await calls_of(reader, caller.view, [int(row["id"]) for row in rows])
    logs = await logs_of_calls(reader, caller.view, found)
    documents = {str(row["id"]): shown(document(as_call(row, logs[int(row["id"])])), directory) for row in found}
    return [orjson.dumps(row | {part: documents.get(row["id"], {}).get(part) for part in parts}) for row in rows]
