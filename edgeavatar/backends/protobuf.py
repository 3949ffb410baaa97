"""The protocol buffer wire format, as far as model files need it.

Two files of this project are protocol buffers: ONNX graphs, which gain outputs, and the geometry
metadata of the face model, which is read. Both need only walking and appending fields, which takes
less code than a dependency. The format is that of the public encoding description
(https://protobuf.dev/programming-guides/encoding/).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

VARINT: Final = 0
FIXED64: Final = 1
BYTES: Final = 2
FIXED32: Final = 5

_MAX_VARINT_BYTES = 10


class Field(NamedTuple):
    """One field of a message."""

    number: int
    wire_type: int
    value: int | memoryview
    """The number of a varint, otherwise the payload without its tag and length."""
    start: int
    """Offset of the tag in the message."""
    end: int
    """Offset behind the payload."""

    @property
    def payload(self) -> memoryview:
        """Payload of a field that is not a varint; ``ValueError`` for a varint."""
        if isinstance(self.value, int):
            msg = f"field {self.number} is a varint, not bytes"
            raise ValueError(msg)
        return self.value


def read_varint(data: memoryview, offset: int) -> tuple[int, int]:
    """Read one base-128 number.

    Returns
    -------
    tuple[int, int]
        The number and the offset behind it.

    Raises
    ------
    ValueError
        The data ends inside the number or the number is longer than 10 bytes.
    """
    number = 0
    for position in range(_MAX_VARINT_BYTES):
        if offset >= len(data):
            msg = "the data ends inside a number"
            raise ValueError(msg)
        byte = data[offset]
        offset += 1
        number |= (byte & 0x7F) << (7 * position)
        if byte < 0x80:
            return number, offset
    msg = "a number is longer than 10 bytes"
    raise ValueError(msg)


def encode_varint(number: int) -> bytes:
    """Encode a non-negative number in base 128."""
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def encode_bytes_field(number: int, payload: bytes) -> bytes:
    """Encode a field that holds a message, a string or bytes."""
    return encode_varint(number << 3 | BYTES) + encode_varint(len(payload)) + payload


def encode_varint_field(number: int, value: int) -> bytes:
    """Encode a field that holds a non-negative number."""
    return encode_varint(number << 3 | VARINT) + encode_varint(value)


def iter_fields(message: bytes | memoryview) -> Iterator[Field]:
    """Walk the fields of a message in their order.

    Nothing is copied: payloads are views into ``message``.

    Raises
    ------
    ValueError
        The bytes are not a message: an unknown wire type or a field that reaches past the end.
    """
    data = memoryview(message)
    offset = 0
    while offset < len(data):
        start = offset
        tag, offset = read_varint(data, offset)
        number, wire_type = tag >> 3, tag & 7
        if number == 0:
            msg = "a field has the number 0"
            raise ValueError(msg)
        value: int | memoryview
        if wire_type == VARINT:
            value, offset = read_varint(data, offset)
        else:
            if wire_type == BYTES:
                length, offset = read_varint(data, offset)
            elif wire_type == FIXED32:
                length = 4
            elif wire_type == FIXED64:
                length = 8
            else:
                msg = f"a field has the unknown wire type {wire_type}"
                raise ValueError(msg)
            if offset + length > len(data):
                msg = f"field {number} reaches past the end of the data"
                raise ValueError(msg)
            value = data[offset : offset + length]
            offset += length
        yield Field(number, wire_type, value, start, offset)
