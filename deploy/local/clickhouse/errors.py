"""Errors as a ClickHouse server sends them: number, name, text, and the HTTP status that clients expect with it."""

import re
from http import HTTPStatus

BAD_ARGUMENTS = (36, "BAD_ARGUMENTS")
NOT_IMPLEMENTED = (48, "NOT_IMPLEMENTED")
SYNTAX_ERROR = (62, "SYNTAX_ERROR")
UNKNOWN_SETTING = (115, "UNKNOWN_SETTING")
INCORRECT_DATA = (117, "INCORRECT_DATA")
READONLY = (164, "READONLY")
QUERY_IS_TOO_LARGE = (229, "QUERY_IS_TOO_LARGE")
UNKNOWN_COMPRESSION = (89, "UNKNOWN_COMPRESSION_METHOD")
ACCESS_DENIED = (497, "ACCESS_DENIED")
ABORTED = (236, "ABORTED")
TOO_MANY_ROWS_OR_BYTES = (396, "TOO_MANY_ROWS_OR_BYTES")
AUTHENTICATION_FAILED = (516, "AUTHENTICATION_FAILED")
UNKNOWN_EXCEPTION = (1002, "UNKNOWN_EXCEPTION")

# Which HTTP status goes with which error number; what is not listed is 500, as on a server (READONLY too).
_STATUS_OF_CODES: dict[HTTPStatus, tuple[int, ...]] = {
    HTTPStatus.UNAUTHORIZED: (194,),
    HTTPStatus.FORBIDDEN: (192, 193, 497, 512, 516),
    HTTPStatus.BAD_REQUEST: (
        *(6, 8, 15, 25, 26, 27, 36, 37, 38, 41, 44, 53, 62, 72, 117, 123),
        *(167, 168, 223, 321, 376, 427, 441, 675, 676),
    ),
    HTTPStatus.NOT_FOUND: (46, 47, 50, 56, 60, 63, 73, 78, 81, 115, 152, 336, 511),
    HTTPStatus.REQUEST_TIMEOUT: (159,),
    HTTPStatus.LENGTH_REQUIRED: (381,),
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: (229,),
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: (779,),
    HTTPStatus.NOT_IMPLEMENTED: (48,),
    HTTPStatus.SERVICE_UNAVAILABLE: (76, 209, 439),
}
_STATUS = {code: status for status, codes in _STATUS_OF_CODES.items() for code in codes}

_CODE = re.compile(r"Code: (\d+)\. DB::\w*Exception: ")
_TAIL = re.compile(r"\s*\(version [^()]*(?:\([^()]*\))?\)\s*\.?\s*$")
_NAME = re.compile(r"\s*\(([A-Z][A-Z0-9_]+)\)\s*\.?\s*$")


class EngineError(Exception):
    """One failure of a request, with ClickHouse's number (`code`) and symbolic `name`."""

    def __init__(self, kind: tuple[int, str], message: str) -> None:
        super().__init__(message)
        self.code, self.name = kind
        self.message = message

    @classmethod
    def of(cls, error: BaseException) -> "EngineError":
        """The engine's own exception, read back from its text; wrappers around the number are taken off."""
        if isinstance(error, EngineError):
            return error
        text = str(error).strip()
        found = _CODE.search(text)
        if found is None:
            kind = NOT_IMPLEMENTED if "does not support" in text else UNKNOWN_EXCEPTION
            return cls(kind, text or type(error).__name__)
        code, text = int(found.group(1)), text[found.end() :]
        name = "UNKNOWN_EXCEPTION"
        # The engine wraps an error in itself: "Code: 164. ... Code: 164. ... (READONLY) (version ...). (READONLY)".
        while True:
            text = _TAIL.sub("", text)
            if not (named := _NAME.search(text)):
                break
            name, text = named.group(1), text[: named.start()].rstrip(" .")
        while (again := _CODE.match(text)) and int(again.group(1)) == code:
            text = text[again.end() :]
        return cls((code, name), text)

    @property
    def status(self) -> int:
        """The HTTP status a ClickHouse server answers with."""
        return int(_STATUS.get(self.code, HTTPStatus.INTERNAL_SERVER_ERROR))

    def body(self, version: str) -> str:
        """The text a server puts into the response body; clients parse it."""
        return f"Code: {self.code}. DB::Exception: {self.message}. ({self.name}) (version {version} (official build))\n"
