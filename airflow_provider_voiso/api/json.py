"""The errors of reading JSON with msgspec."""

from __future__ import annotations

import msgspec

UNREADABLE_JSON = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""Raised for invalid JSON or another shape, invalid UTF-8, and too deep nesting.

Some of these errors hold the text itself, so they must not reach a log.
"""
