"""Places as requests write them: a path, `file://…`, or `s3://BUCKET/KEY`, where a folder stands in for the bucket."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from algoport.algorithms.contract.errors import UserError
from algoport.containers.control.home import Home


def path(address: str, home: Home) -> Path:
    """Where it lies on this machine; `UserError` where it is of no kind that does."""
    parts = urlsplit(address)
    if parts.scheme in ("", "file"):
        return Path(unquote(parts.path) if parts.scheme else address).expanduser().absolute()
    if parts.scheme == "s3":
        bucket = home.buckets.resolve() / parts.netloc
        place = (bucket / parts.path.lstrip("/")).resolve()
        if not parts.netloc or not place.is_relative_to(bucket):
            raise UserError(f"{address}: must be s3://BUCKET/KEY, and the key must not lead out of the bucket.")
        return place
    raise UserError(f"{address}: must be a path, file://PATH or s3://BUCKET/KEY.")
