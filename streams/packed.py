"""Records as they are kept and stored: MessagePack."""

from __future__ import annotations

from typing import Any

import msgspec

_encode_into = msgspec.msgpack.Encoder().encode_into
_buffer = bytearray()  # used again and again; nothing else runs between filling it and copying it


def pack(record: Any) -> bytes:
    """The record's bytes. The encoder's own result has room to grow at its end, a quarter of it, which would be kept."""
    _encode_into(record, _buffer)
    return bytes(_buffer)
