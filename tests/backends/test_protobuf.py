from __future__ import annotations

import pytest

from edgeavatar.backends.protobuf import (
    BYTES,
    FIXED32,
    encode_bytes_field,
    encode_varint,
    encode_varint_field,
    iter_fields,
    read_varint,
)


@pytest.mark.parametrize("number", [0, 1, 127, 128, 300, 2**32, 2**63])
def test_numbers_survive_a_round_trip(number: int) -> None:
    encoded = encode_varint(number)
    assert read_varint(memoryview(encoded), 0) == (number, len(encoded))


def test_the_number_of_the_published_example() -> None:
    # 150 is the example of the encoding guide: field 1, varint, 08 96 01.
    assert encode_varint_field(1, 150) == b"\x08\x96\x01"


def test_fields_are_walked_in_order_with_their_places() -> None:
    message = encode_varint_field(1, 7) + encode_bytes_field(2, b"abc") + b"\x1d\0\0\x80\x3f"
    fields = list(iter_fields(message))
    assert [field.number for field in fields] == [1, 2, 3]
    assert fields[0].value == 7
    assert bytes(fields[1].payload) == b"abc"
    assert (fields[1].wire_type, fields[2].wire_type) == (BYTES, FIXED32)
    assert message[fields[1].start : fields[1].end] == encode_bytes_field(2, b"abc")
    assert fields[-1].end == len(message)


@pytest.mark.parametrize(
    ("message", "complaint"),
    [
        (b"\x08", "ends inside a number"),
        (b"\x12\x05ab", "reaches past the end"),
        (b"\x0b", "unknown wire type 3"),
        (b"\x00\x01", "number 0"),
        (b"\x08" + b"\xff" * 11, "longer than 10 bytes"),
    ],
)
def test_what_is_no_message_is_refused(message: bytes, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        list(iter_fields(message))


def test_a_varint_has_no_payload() -> None:
    (field,) = iter_fields(encode_varint_field(1, 7))
    with pytest.raises(ValueError, match="varint"):
        _ = field.payload
