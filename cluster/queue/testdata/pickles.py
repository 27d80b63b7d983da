"""Writes pickles.txt: python3 testdata/pickles.py > testdata/pickles.txt

Each line: the protocol, the pickle in hexadecimal, and in JSON what a server
has to understand: the arguments, with bytes as {"bytes": "hexadecimal"}.
Arguments of None refuse the message.
"""
import json
import pickle
from datetime import datetime, timezone
from decimal import Decimal
from uuid import UUID


class Exploit:
    def __reduce__(self):
        return print, ("run",)


shared = {"a": 1}
datas = [
    ({"a": 1}, [{"a": 1}]),
    ("text", ["text"]),
    (None, []),
    (("a", None, 2), ["a", None, 2]),
    ((), []),
    (([1, 2],), [[1, 2]]),
    ([1, "two", 3.5, None, True, False], [[1, "two", 3.5, None, True, False]]),
    ({}, [{}]),
    ([], [[]]),
    (0, [0]), (-1, [-1]), (255, [255]), (256, [256]), (65536, [65536]), (-70000, [-70000]),
    (2**31, [2**31]), (-2**63, [-2**63]), (2**100, [2**100]), (-2**100, [-2**100]),
    (1e300, [1e300]), (float("nan"), [None]), (float("inf"), [None]),
    ("\u00e9\u20ac\U0001f600\n\"", ["\u00e9\u20ac\U0001f600\n\""]),
    ("x" * 300, ["x" * 300]),
    ([shared, shared], [[{"a": 1}, {"a": 1}]]),
    ({1: "a", None: "b", 2.5: "d"}, [{"1": "a", "null": "b", "2.5": "d"}]),
    (list(range(1001)), [list(range(1001))]),
    ([[[[["deep"]]]]], [[[[[["deep"]]]]]]),
    ({str(i): [i, {"k": (i,)}] for i in range(5)}, [{str(i): [i, {"k": [i]}] for i in range(5)}]),
    (Exploit(), None),
    ([Exploit()], None),
    (UUID(int=5), None),
    (datetime(2026, 1, 1, tzinfo=timezone.utc), None),
    (Decimal("1.5"), None),
    ({1, 2}, None),
    (1j, None),
]
binary = [
    (b"\x01\x02", [{"bytes": "0102"}]),
    ({"b": b"", "c": [b"\xff" * 300]}, [{"b": {"bytes": ""}, "c": [{"bytes": "ff" * 300}]}]),
    ((b"a", {"b": b"b"}), [{"bytes": "61"}, {"b": {"bytes": "62"}}]),
]
cyclic = []
cyclic.append(cyclic)
datas.append((cyclic, None))


def line(protocol, data, want):
    message = {"method": "emit", "event": "ev", "data": data, "namespace": "/", "room": None,
               "skip_sid": None, "callback": None, "host_id": "0" * 32}
    print(protocol, pickle.dumps(message, protocol=protocol).hex(), json.dumps(want))


for protocol in range(2, 6):
    for data, want in datas:
        line(protocol, data, want)
    for data, want in binary:
        # Protocol 2 has no bytes: it calls a function that makes them.
        line(protocol, data, None if protocol < 3 else want)
    line(protocol, bytearray(b"z"), [{"bytes": "7a"}] if protocol == 5 else None)
