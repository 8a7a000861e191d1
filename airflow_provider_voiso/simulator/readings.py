"""A switch for every point that the vendor's page leaves open or words in two ways."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal, get_args, get_origin, get_type_hints

MAX_PER_PAGE = 10_000
DEFAULT_PER_PAGE = 1_000


def _switch(default: Any, meaning: str) -> Any:
    return field(default=default, metadata={"help": meaning})


@dataclass(frozen=True)
class Readings:
    """One consistent reading of the vendor's page; the defaults stay nearest to its words.

    Each field's metadata holds its meaning under ``help``. The command line is built from it:
    ``both_pairs`` here is ``--both-pairs`` there.
    """

    continuation: Literal["batch", "cursor", "handle"] = _switch(
        "batch",
        "batch: the token stands behind record 10,000 of the search, whichever page carried it; "
        "cursor: every answer's token stands behind the last record of that answer; handle: one "
        "token names the whole search, and page counts on beside it",
    )
    continuation_on: Literal["every", "last"] = _switch(
        "every",
        "under the batch reading the token comes with every page, or only with the page that "
        "reaches the cap",
    )
    handle: Literal["every", "above_cap", "more"] = _switch(
        "every",
        "under the handle reading the token comes with every answer, with every answer to a search "
        "above the cap, or only while more pages follow",
    )
    handle_pages: Literal["all", "within_cap"] = _switch(
        "all", "page beside a handle leads through the whole search, or no further than without one"
    )
    cap: int = _switch(
        10_000, "results per search before a token is needed; the vendor's is 10,000"
    )
    per_page_cap: int | None = _switch(None, "the server silently caps per_page at this value")
    later_page: Literal["obeyed", "ignored", "refused"] = _switch(
        "obeyed",
        "a page above 1 together with a token is obeyed, ignored (page 1) or refused (422)",
    )
    beyond_cap: Literal["clamped", "empty", "error"] = _switch(
        "clamped",
        "page * per_page above the cap: the page is cut at the cap, is empty, or is an error (422)",
    )
    beyond_end: Literal["empty", "refused"] = _switch(
        "empty", "a page behind the last record is empty or refused (422)"
    )
    end_of_search: Literal["null", "absent", "empty"] = _switch(
        "null",
        "at the end of the search the token is null, the field is absent, or it is an empty string",
    )
    final: Literal["short", "full_then_empty", "always_empty"] = _switch(
        "short",
        "short: no token once nothing remains; full_then_empty: a full answer (or batch) carries a "
        "token even when nothing remains; always_empty: every search ends with an empty answer",
    )
    final_page: Literal["shown", "absent"] = _switch(
        "shown", "the last answer of a search carries `page`, or lacks it as in the vendor's sample"
    )
    order: Literal["newest_first", "oldest_first", "shuffled", "uuid"] = _switch(
        "newest_first", "order of the records; it is not documented, samples run newest first"
    )
    total: Literal["pages", "records", "capped", "nonsense"] = _switch(
        "pages",
        "total: number of pages as in the table, of records as in public code, of records up to "
        "the cap, or a random number in every answer",
    )
    misbehaviour: Literal["none", "repeats", "cycles", "restarts", "missing"] = _switch(
        "none",
        "repeats: the token that was sent comes back; cycles: the second token leads back to the "
        "first; restarts: an unknown cursor restarts at the first page; missing: no token even at "
        "the cap and above",
    )
    clock: str = _switch(
        "UTC", "IANA zone in which the server reads the date and datetime parameters"
    )
    bounds: Literal["inclusive", "exclusive_end", "exclusive"] = _switch(
        "inclusive", "the datetime pair includes both ends, excludes the end, or excludes both"
    )
    resolution: Literal["second", "millisecond"] = _switch(
        "second", "the datetime pair is compared to the second or to the millisecond"
    )
    acts_on: Literal["end", "start"] = _switch(
        "end",
        "the date filters act on the end of the interaction, or on its start (timestamp less "
        "duration)",
    )
    both_pairs: Literal["datetime", "date", "intersection"] = _switch(
        "datetime", "the date pair beside the datetime pair: which one wins, or both apply"
    )
    timestamps: Literal["offset", "z", "micro", "nano"] = _switch(
        "offset",
        "milliseconds with an offset as documented, with Z, or with six or nine digits of a second",
    )
    offset: str = _switch(
        "-03:00", "offset from UTC that timestamps carry, written --offset=-03:00 on a command line"
    )
    offsets: Literal["fixed", "mixed"] = _switch(
        "fixed", "one offset for all, or one that differs per record"
    )
    sla: Literal["object", "array", "mixed"] = _switch(
        "object", "sla is an object as in the sample, an array as in the table, or varies by record"
    )
    duplicates: float = _switch(
        0.0,
        "share of records that are served twice; above 0 each page also repeats the last record of "
        "the page before",
    )
    duplicates_differ: bool = _switch(False, "the second copy of a record has another wrap-up code")
    invalid_key_status: Literal[401, 200] = _switch(401, "status of the answer to a wrong key")
    references: Literal["bare", "wrapped"] = _switch(
        "bare", "queues, agents and campaigns are a bare array or an object that wraps one list"
    )
    gzip: bool = _switch(False, "answers are compressed when the request accepts gzip")

    def __post_init__(self) -> None:
        for name, allowed in choices().items():
            if getattr(self, name) not in allowed:
                wanted = ", ".join(str(choice) for choice in allowed)
                raise ValueError(f"{name} is {getattr(self, name)!r}; it must be one of {wanted}.")


@cache
def choices() -> dict[str, tuple[str | int, ...]]:
    """Return the allowed values of each switch that has a closed list of them."""
    hints = get_type_hints(Readings)
    return {name: get_args(hint) for name, hint in hints.items() if get_origin(hint) is Literal}
