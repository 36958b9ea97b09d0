"""What goes wrong beyond the script, as scripts see it."""

class CallError(Exception):
    kind: str
    def __init__(self, kind: str, message: str) -> None: ...
    @property
    def message(self) -> str: ...

class DatabaseError(CallError): ...

class ErrorText(str):
    kind: str
    def __new__(cls, text: str = "", kind: str = "") -> ErrorText: ...

NO_ERROR: ErrorText

def as_text(error: BaseException) -> ErrorText: ...
