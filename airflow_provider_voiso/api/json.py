"""What reading JSON with msgspec can raise."""

from __future__ import annotations

import msgspec

UNREADABLE_JSON = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""No JSON or another shape, no UTF-8, too deeply nested. Some of these errors hold the text itself."""
