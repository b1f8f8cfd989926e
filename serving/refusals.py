"""Why a request gets no answer: a code, a type by the names of multi-model servers, and a sentence."""

from __future__ import annotations

import json

EVALUATE = "Unable to evaluate payload provided: "  # how users search for a fault of a body or a prediction
LOAD = "Unable to load model: "

TYPES = {
    400: "BadRequestException",
    404: "ResourceNotFoundException",
    405: "MethodNotAllowedException",
    406: "NotAcceptable",
    408: "RequestTimeoutException",
    409: "ConflictStatusException",
    413: "PayloadTooLarge",
    415: "UnsupportedMediaType",
    499: "ClientClosedRequest",
    500: "InternalServerException",
    503: "ServiceUnavailableException",
    507: "InsufficientMemoryException",
}


class Refusal(Exception):
    """A request that is refused; `retry` is how many seconds to wait before it is worth asking again."""

    def __init__(self, code: int, message: str, *, kind: str | None = None, retry: int | None = None) -> None:
        super().__init__(message)
        self.code, self.message, self.retry = code, message, retry
        self.kind = kind or TYPES.get(code, "BadRequestException" if code < 500 else TYPES[500])

    @property
    def body(self) -> bytes:
        """The JSON that the client reads."""
        return json.dumps({"code": self.code, "type": self.kind, "message": self.message}).encode()

    @property
    def headers(self) -> dict[str, str]:
        """What stands beside the body."""
        retry = {"Retry-After": str(self.retry)} if self.retry is not None else {}
        rest = {"Connection": "close"} if self.code == 413 else {}  # of the body, which nobody is going to read
        return {"Content-Type": "application/json", **retry, **rest}


def not_found(name: str) -> Refusal:
    """The refusal of a model that is not loaded."""
    return Refusal(404, f"Model not found: {name}", kind="ModelNotFoundException")
