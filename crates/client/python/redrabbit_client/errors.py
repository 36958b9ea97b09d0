"""Why a session does not begin, or has ended."""


class GateError(Exception):
    """`reason` is a word of the gate's, such as `replaced`; `socket_error` if there was none."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Refused(GateError):
    """The game, or the gate, does not let the player in."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, "the gate does not let the player in: %s" % reason)


class Closed(GateError):
    """The gate has ended the session, or the connection is lost for good."""


class ProtocolBroken(GateError):
    """What came from the gate is not the protocol."""

    def __init__(self, what: str) -> None:
        super().__init__("protocol_error", "the gate has broken the protocol: %s" % what)
