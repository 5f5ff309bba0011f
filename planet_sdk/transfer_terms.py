"""What is known about a file before it is here."""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Expected:
    """What the whole file must be; None where that is not known.

    Attributes:
        size_bytes: its size.
        sha256: its SHA-256, hexadecimal.
        md5: its MD5, hexadecimal; looked at only where there is no SHA-256.
    """

    size_bytes: int | None = None
    sha256: str | None = None
    md5: str | None = None

    @property
    def digest(self) -> tuple[str, str] | None:
        """The algorithm and the value that the content is checked with, or None."""
        if self.sha256:
            return "sha256", self.sha256.lower()
        return ("md5", self.md5.lower()) if self.md5 else None


@dataclass(frozen=True, slots=True)
class Version:
    """Which version of a file a server sent: what tells two of them apart.

    Attributes:
        etag: a strong ETag.
        last_modified: the Last-Modified date as the server wrote it.
        size_bytes: the size of the whole file.
    """

    etag: str | None = None
    last_modified: str | None = None
    size_bytes: int | None = None

    def __post_init__(self) -> None:
        """Refuse what could not be sent back.

        Raises:
            ValueError: a value is none that a header can have: the server's, or the sidecar's, is broken.
        """
        sendable = all(
            text is None or (text.isascii() and text.isprintable()) for text in (self.etag, self.last_modified)
        )
        if not sendable or not isinstance(self.size_bytes, int | None):
            raise ValueError("this describes no version of a file")

    @property
    def validator(self) -> str | None:
        """What `If-Range` is asked with, or None where the server gives nothing to ask with."""
        return self.etag or self.last_modified

    def contradicts(self, other: Version) -> bool:
        """Tell whether the two are certainly not the same version."""
        mine, others = asdict(self), asdict(other)
        return any(mine[key] != others[key] for key in mine if mine[key] is not None and others[key] is not None)
