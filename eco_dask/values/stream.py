"""The header of an encoded value: a flat, preorder stream of msgpack scalars.

    value --Writer--> tokens --pack--> header bytes --unpack--> tokens --Reader--> value

None, bool, int, float and short str are tokens that mean themselves. A byte-string token is a
*tag*: it says what the tokens after it mean. Nothing is nested in msgpack's own sense, so a reader
allocates no more than the bytes it was given could name, and ``depth_max`` alone bounds recursion.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any

import msgpack

from eco_dask.errors import ValueCodecError
from eco_dask.values.limits import CodecLimits

#: Data up to this length stands in the header; longer data gets a buffer of its own.
INLINE_BYTES_MAX = 1024

Payload = bytes | memoryview
Put = Callable[["Writer", Any], None]
Get = Callable[["Reader"], Any]

_NATIVE = frozenset({type(None), bool, float})
_TOKEN_TYPES = frozenset({type(None), bool, int, float, str, bytes})
_INT_MIN, _INT_MAX = -(1 << 63), (1 << 64) - 1


class Writer:
    """Takes values, collects tokens and buffers."""

    __slots__ = ("_depth", "_find", "_inline_bytes_max", "_putters", "buffers", "limits", "tokens")

    def __init__(
        self,
        putters: Mapping[type, Put],
        find: Callable[[type], Put],
        limits: CodecLimits,
    ) -> None:
        self.tokens: list[Any] = []
        self.buffers: list[Payload] = []
        self.limits = limits
        self._putters = putters
        self._find = find
        self._depth = 0
        self._inline_bytes_max = INLINE_BYTES_MAX

    def put(self, value: object) -> None:
        """Append one value of any encodable type."""
        cls = type(value)
        if cls in _NATIVE:
            self.tokens.append(value)
        else:
            (self._putters.get(cls) or self._find(cls))(self, value)

    def put_all(self, values: list[Any] | tuple[Any, ...]) -> None:
        """Append values one after the other; scalars that mean themselves in one step."""
        kinds = set(map(type, values))
        if kinds <= _NATIVE or (
            kinds == {int} and min(values) >= _INT_MIN and max(values) <= _INT_MAX
        ):
            self.tokens.extend(values)
        else:
            for value in values:
                self.put(value)

    def put_payload(self, data: Payload) -> None:
        """Append raw bytes: in the header if short, else the number of their buffer."""
        if len(data) <= self._inline_bytes_max:
            self.tokens.append(bytes(data))
        else:
            self.tokens.append(len(self.buffers))
            self.buffers.append(data if type(data) is bytes else memoryview(data).toreadonly())

    def open(self, tag: bytes, *facts: object, nodes: int = 0) -> None:
        """Begin a container of at least ``nodes`` tokens; every ``open`` needs its ``close``."""
        self._depth += 1
        if self._depth > self.limits.depth_max:
            raise ValueCodecError(
                f"the value is nested deeper than {self.limits.depth_max} containers, or contains "
                f"itself; flatten it"
            )
        if len(self.tokens) + nodes > self.limits.nodes_max:
            raise ValueCodecError(
                f"the value has more than {self.limits.nodes_max} parts; put the numbers into a "
                f"numpy array, or return smaller pieces"
            )
        self.tokens.append(tag)
        self.tokens.extend(facts)

    def close(self) -> None:
        """End the container opened last."""
        self._depth -= 1

    def branch(self) -> Writer:
        """Return an empty writer at this depth which keeps all data in the header."""
        twig = Writer(self._putters, self._find, self.limits)
        twig._depth = self._depth
        twig._inline_bytes_max = self.limits.size_bytes_max
        return twig


class Reader:
    """Gives back values, in the order in which they were put."""

    __slots__ = ("_buffers", "_buffers_read", "_depth", "_find", "_position", "_tokens", "limits")

    def __init__(
        self,
        tokens: list[Any],
        buffers: tuple[Payload, ...],
        find: Callable[[bytes], Get],
        limits: CodecLimits,
    ) -> None:
        self.limits = limits
        self._tokens = tokens
        self._buffers = buffers
        self._find = find
        self._position = 0
        self._buffers_read = 0
        self._depth = 0

    def token(self) -> Any:
        """Return the next token, whatever it is."""
        position = self._position
        if position == len(self._tokens):
            raise ValueCodecError("the header ends in the middle of a value")
        self._position = position + 1
        return self._tokens[position]

    def peek(self) -> Any:
        """Return the next token without taking it."""
        token = self.token()
        self._position -= 1
        return token

    def expect(self, *types: type) -> Any:
        """Return the next token, which must be of exactly one of ``types``."""
        token = self.token()
        if type(token) not in types:
            names = " or ".join(t.__name__ for t in types)
            raise ValueCodecError(f"expected {names} in the header; found {type(token).__name__}")
        return token

    def size(self) -> int:
        """Return the next token, a length or a dimension."""
        token = self.expect(int)
        if token < 0:
            raise ValueCodecError(f"expected a length in the header; found {token}")
        return int(token)

    def count(self) -> int:
        """Return the next token, a number of values that follow in the header."""
        n = self.size()
        self.check_left(n)
        return n

    def check_left(self, n: int) -> None:
        """Refuse the claim that ``n`` values follow if not even that many tokens do."""
        if n > len(self._tokens) - self._position:
            raise ValueCodecError(f"the header announces {n} values but ends before")

    def payload(self) -> Payload:
        """Return raw bytes, from the header or from the next buffer."""
        token: bytes | int = self.expect(bytes, int)
        if isinstance(token, bytes):
            return token
        if token != self._buffers_read or token >= len(self._buffers):
            raise ValueCodecError(
                f"expected buffer {self._buffers_read} of {len(self._buffers)}; found {token}"
            )
        self._buffers_read += 1
        return self._buffers[token]

    def value(self) -> Any:
        """Return the next value."""
        token = self.token()
        if type(token) is not bytes:
            return token
        return self.descend(self._find(token))

    def descend(self, get: Get) -> Any:
        """Return what ``get`` reads, one level deeper."""
        self._depth += 1
        if self._depth > self.limits.depth_max:
            raise ValueCodecError(f"nested deeper than {self.limits.depth_max} containers")
        value = get(self)
        self._depth -= 1
        return value

    def typed(self, *types: type) -> Any:
        """Return the next value, which must be of exactly one of ``types``."""
        value = self.value()
        if type(value) not in types:
            names = " or ".join(t.__name__ for t in types)
            raise ValueCodecError(f"expected a {names}; found a {type(value).__name__}")
        return value

    def values(self, n: int) -> list[Any]:
        """Return the next ``n`` values; scalars that mean themselves in one step."""
        chunk = self._tokens[self._position : self._position + n]
        if len(chunk) == n and bytes not in set(map(type, chunk)):
            self._position += n
            return chunk
        return [self.value() for _ in range(n)]

    def finish(self) -> None:
        """Check that the header and the buffers are used up."""
        if self._position != len(self._tokens) or self._buffers_read != len(self._buffers):
            raise ValueCodecError(
                f"{len(self._tokens) - self._position} tokens and "
                f"{len(self._buffers) - self._buffers_read} buffers are left after the value"
            )


def pack(tokens: list[Any]) -> bytes:
    """Write tokens one after the other."""
    packed: bytes = msgpack.packb(tokens)
    return packed[1 if len(tokens) < 1 << 4 else 3 if len(tokens) < 1 << 16 else 5 :]


def unpack(header: Payload, limits: CodecLimits) -> list[Any]:
    """Read all tokens of a header.

    Raises
    ------
    ValueCodecError
        If there are more than ``limits.nodes_max``, or anything but scalars.
    """
    if not 0 < len(header) <= limits.header_bytes_max:
        raise ValueCodecError(
            f"the header has {len(header)} bytes; 1 to {limits.header_bytes_max} are allowed"
        )
    unpacker = _unpacker(header)
    tokens = list(islice(unpacker, limits.nodes_max + 1))
    if len(tokens) > limits.nodes_max:
        raise ValueCodecError(f"the header has more than {limits.nodes_max} tokens")
    if unpacker.tell() != len(header):
        raise ValueCodecError("the header ends in the middle of a token")
    if not _TOKEN_TYPES.issuperset(map(type, tokens)):
        raise ValueCodecError("the header holds a token that is no scalar")
    return tokens


def peek(header: Payload, n: int) -> list[Any]:
    """Return up to ``n`` leading tokens of a header."""
    return list(islice(_unpacker(header), n))


def _unpacker(header: Payload) -> Any:
    """Build an unpacker that allocates for no container: a claimed length is no length."""
    unpacker = msgpack.Unpacker(
        max_buffer_size=len(header),
        read_size=len(header),
        max_array_len=0,
        max_map_len=0,
        max_ext_len=0,
    )
    unpacker.feed(header)
    return unpacker
