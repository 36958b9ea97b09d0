"""Messages: from what a script has to the bytes that are sent, and back.

There are four kinds of body: ``bytes`` as they are, JSON, and messages of Apache
thrift (the binary protocol) and of protobuf, whose classes their compilers have
made. The latter two are told by what they have: this module imports neither
library, but uses what such a class has imported already.
"""

import functools

import _ffext

# How deep a message may be nested that a safe library reads without an error.
_SAFE_DEPTH = 100
# Of an error's text, which may have been chosen by a client.
_LONGEST_REASON = 300


def encode(value):
    """What is sent of ``value``: ``bytes``, ``bytearray`` and ``memoryview`` as they
    are, messages of thrift and protobuf by their types, anything else as JSON.

    Raises ``TypeError`` for what can be none of these; it says what can be sent.
    """
    return _ffext.encode(value)


def decoder(type):
    """What bodies of a type are decoded with: None if they are left as they are
    (``bytes``), ``'json'``, or a function of ``bytes`` that returns the object, and
    raises ``ValueError`` for a body that is none of that type.

    ``type`` is ``'json'``, ``bytes`` (or ``'raw'``), or a class of messages that the
    compiler of thrift or protobuf has made. ``ValueError`` if it is something else.
    """
    if isinstance(type, str):
        if type == "json":
            return "json"
        if type in ("raw", "bytes"):
            return None
    elif type is bytes:
        return None
    elif type in (dict, list):
        return "json"
    elif _is_protobuf(type):
        # The class in a closure is where a reload that replaces it finds it.
        return lambda body: _decode_protobuf(type, body)
    elif _is_thrift(type):
        return lambda body: _decode_thrift(type, body)
    raise ValueError(
        "a type of messages is 'json', bytes, or a class that was made by the compiler of "
        f"thrift or protobuf, not {type!r}"
    )


def pack(value):
    """The bytes of a message of thrift or protobuf, or None if it is neither."""
    kind = type(value)
    if _is_protobuf(kind):
        write = kind.SerializeToString
    elif _is_thrift(kind):
        write = _write_thrift
    else:
        return None
    try:
        packed = write(value)
    except Exception as error:
        raise TypeError(f"cannot be sent: a {kind.__qualname__} {_reason(error)}") from error
    return bytes(packed)


def to_str(value):
    """What is sent of a value, as ``bytes``::

        ffext.to_str({'hp': 5})          # b'{"hp":5}'
        ffext.to_str(Say(text='hello'))  # a message of thrift or protobuf, encoded

    ``bytes`` (and ``bytearray``, ``memoryview``) come back as they are, messages of
    thrift and protobuf are encoded by their types, anything else is JSON (UTF-8).
    To send ``to_str(value)`` is to send ``value``. ``json_to_value()`` and
    ``decode_buff()`` are the ways back. It has its name from when text and bytes
    were one; ``to_str(value).decode()`` makes text of JSON.

    Raises ``TypeError`` for what cannot be sent. May be called in any thread.
    """
    return encode(value)


def json_to_value(text):
    """The value of a JSON text, which is ``str`` or ``bytes``::

        ffext.json_to_value('[1, {"hp": 5}]')   # [1, {'hp': 5}]

    Objects become ``dict``, arrays ``list``; whole numbers that do not fit 64 bits
    become ``float``. Raises ``ValueError`` if it is not exactly one JSON value, or
    one of more than 127 containers in one another. May be called in any thread.
    """
    return _ffext.decode_json(_octets(text))


def decode_buff(type, body):
    """The object that a body is, by its type::

        say = ffext.decode_buff(Say, body)

    ``type`` is what ``session_call()`` takes: a class of messages of thrift or
    protobuf, ``'json'``, or ``bytes``; ``body`` is ``bytes``, ``bytearray`` or
    ``memoryview``. Raises ``ValueError`` for a body that is none of that type, and
    for a type that is none. May be called in any thread.
    """
    decode = decoder(type)
    if decode == "json":
        return json_to_value(body)
    return _octets(body) if decode is None else decode(_octets(body))


def _octets(body):
    if type(body) is bytes:
        return body
    if isinstance(body, str):
        return body.encode()
    if isinstance(body, (bytes, bytearray, memoryview)):
        return bytes(body)
    raise TypeError(f"a body is bytes or str, not {type(body).__qualname__}")


def _is_protobuf(kind):
    return (
        isinstance(kind, type)
        and hasattr(kind, "DESCRIPTOR")
        and hasattr(kind, "FromString")
        and hasattr(kind, "SerializeToString")
    )


def _is_thrift(kind):
    return (
        isinstance(kind, type)
        and hasattr(kind, "thrift_spec")
        # Where other libraries have one, it is something else.
        and isinstance(kind.thrift_spec, (tuple, list, type(None)))
        and hasattr(kind, "read")
        and hasattr(kind, "write")
    )


def _decode_protobuf(kind, body):
    try:
        message = kind.FromString(body)
        missing = () if message.IsInitialized() else message.FindInitializationErrors()
    except Exception as error:
        raise _not_a(kind, error) from None
    if missing:
        raise ValueError(f"not a {kind.__qualname__}: without {', '.join(missing)}")
    return message


def _decode_thrift(kind, body):
    try:
        buffer, protocol = _thrift().reader(body)
        if getattr(kind.read, "__self__", None) is kind:
            # Of those that cannot be changed, the class reads.
            message = kind.read(protocol)
        else:
            message = kind()
            message.read(protocol)
        _validate(message)
        left = len(body) - buffer.cstringio_buf.tell()
    except Exception as error:
        raise _not_a(kind, error) from None
    if left:
        raise ValueError(f"not a {kind.__qualname__}: {left} bytes follow it")
    return message


def _write_thrift(message):
    _validate(message)
    buffer, protocol = _thrift().writer()
    message.write(protocol)
    return buffer.getvalue()


def _validate(message):
    """Fails if a required field is not set: reading and writing do not look."""
    validate = getattr(message, "validate", None)
    if validate is not None:
        validate()


def _not_a(kind, error):
    return ValueError(f"not a {kind.__qualname__}: {_reason(error)}")


def _reason(error):
    """An exception in words, whatever it is."""
    name = type(error).__name__
    try:
        text = str(error)
    except Exception:
        return name
    return f"{name}: {text}"[:_LONGEST_REASON] if text else name


@functools.cache
def _thrift():
    """The library, when it is first used."""
    from thrift.protocol.TBinaryProtocol import TBinaryProtocol, TBinaryProtocolAccelerated
    from thrift.transport.TTransport import TMemoryBuffer

    return _Thrift(TMemoryBuffer, TBinaryProtocolAccelerated, TBinaryProtocol)


class _Thrift:
    """Readers and writers of thrift's binary protocol."""

    def __init__(self, buffer, fast, safe):
        self._buffer = buffer
        self._use(fast)
        if not self._is_safe():
            text = "the installed thrift does not bound its fast part, which is not used: take 0.25"
            _ffext.log(30, "ffext", text)
            self._use(safe)

    def reader(self, body):
        """A buffer and what reads from it, for one message."""
        buffer, protocol = self._connected(self._buffer(body))
        # What a length claims is not allocated if it cannot be there.
        protocol.string_length_limit = protocol.container_length_limit = len(body)
        return buffer, protocol

    def writer(self):
        """A buffer and what writes to it, for one message."""
        return self._connected(self._buffer())

    def _use(self, protocol):
        self._protocol = protocol
        # To make one takes longer than to read a message with it: these are copied.
        self._attributes = vars(protocol(self._buffer()))

    def _connected(self, buffer):
        protocol = object.__new__(self._protocol)
        vars(protocol).update(self._attributes, trans=buffer)
        return buffer, protocol

    def _is_safe(self):
        """Whether the library's C code knows how deep it is. Before thrift 0.25 it
        does not, and a message that is nested deeply enough, or that a script has
        put into itself, ends the process. It is not used then: Python's own
        recursion is bounded."""

        class Nothing:
            thrift_spec = ()

        # Structures in one another, in a field that the reader does not know.
        _, protocol = self.reader(b"\x0c\x00\x01" * _SAFE_DEPTH + bytes(_SAFE_DEPTH + 1))
        if protocol._fast_decode is None:
            return True
        try:
            protocol._fast_decode(Nothing(), protocol, [Nothing, ()])
        except Exception:
            return True
        return False
