"""The simulator's own paths beside the vendor's: health, truth, requests, faults, drift."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from .faults import Response, json_response
from .filters import RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from .service import Service

CONTROL_PATH = "/_simulator/"


def control(service: Service, method: str, target: str, body: bytes) -> Response:
    """Answer one request under ``/_simulator/``; no key is needed.

    ``GET health``; ``GET truth?start=..&end=..`` with any filter and
    ``state=now|before|after|stayed`` or the number of a step: count and uuids; ``GET requests``:
    counts and the log; ``GET``, ``POST`` and ``DELETE faults``: list them, add one object or a list
    of them, remove all; ``POST drift``: let all of the drift happen, or with ``step=..`` the first
    steps.

    :param service: the simulated API
    :param method: HTTP method
    :param target: path and query
    :param body: body of the request
    """
    split = urlsplit(target)
    params = dict(parse_qsl(split.query, keep_blank_values=True))
    action = _ACTIONS.get((method, split.path.removeprefix(CONTROL_PATH)))
    if action is None:
        return json_response(404, {"error": "Not Found"})
    try:
        return json_response(200, action(service, params, body))
    except (ValueError, KeyError, TypeError, AttributeError, RefusedError) as error:
        return json_response(422, {"error": str(error)})


def _truth(service: Service, params: dict[str, str], _body: bytes) -> dict[str, Any]:
    start, end = (_instant(name, params.pop(name)) for name in ("start", "end"))
    state = params.pop("state", "now")
    step = int(state) if state.isdecimal() else state
    uuids = list(service.truth(start, end, params, step))  # type: ignore[arg-type]
    return {"count": len(uuids), "uuids": uuids}


def _instant(name: str, text: str) -> datetime:
    # An unquoted plus sign arrives as a space; Python 3.10 cannot parse Z.
    instant = datetime.fromisoformat(text.replace(" ", "+").replace("Z", "+00:00"))
    if instant.utcoffset() is None:
        raise ValueError(f"{name} needs an offset, such as {text}+00:00")
    return instant


def _requests(service: Service, _params: dict[str, str], _body: bytes) -> dict[str, Any]:
    return {
        "count": service.requests,
        "cdr": service.cdr_requests,
        "log": [asdict(request) for request in list(service.log)],
    }


def _faults(service: Service, _params: dict[str, str], _body: bytes) -> list[dict[str, Any]]:
    return [asdict(fault) for fault in service.faults.waiting]


def _add_faults(service: Service, _params: dict[str, str], body: bytes) -> dict[str, Any]:
    described = json.loads(body)
    faults = described if isinstance(described, list) else [described]
    for fault in faults:
        service.faults.add(**fault)
    return {"added": len(faults)}


def _clear_faults(service: Service, _params: dict[str, str], _body: bytes) -> dict[str, Any]:
    service.faults.clear()
    return {"waiting": 0}


def _drift(service: Service, params: dict[str, str], _body: bytes) -> dict[str, Any]:
    service.drift_now(int(params["step"]) if "step" in params else None)
    return {"drifted": True}


_ACTIONS: dict[tuple[str, str], Callable[[Service, dict[str, str], bytes], object]] = {
    ("GET", "health"): lambda *_: {"status": "ok"},
    ("GET", "truth"): _truth,
    ("GET", "requests"): _requests,
    ("GET", "faults"): _faults,
    ("POST", "faults"): _add_faults,
    ("DELETE", "faults"): _clear_faults,
    ("POST", "drift"): _drift,
}
