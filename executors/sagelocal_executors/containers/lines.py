"""Bytes of a program's output as lines."""

from __future__ import annotations

import codecs

LONGEST = 64 * 1024
"""Characters after which a line is cut into pieces, so that one enormous line needs little memory."""


class LineSplitter:
    r"""Cuts one stream into lines, without loss.

    ``\n``, ``\r\n`` and a lone ``\r`` (progress bars) end a line; bytes that are no UTF-8 become U+FFFD; a line longer
    than `longest` characters comes in pieces.
    """

    def __init__(self, longest: int = LONGEST) -> None:
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._longest = longest
        self._rest = ""
        self._held = ""

    def feed(self, data: bytes) -> list[str]:
        """The lines that `data` completes."""
        return self._split(self._held + self._decode(data), last=False)

    def close(self) -> list[str]:
        """What is left after the last line end."""
        lines = self._split(self._held + self._decode(b"", True), last=True)
        rest, self._rest = self._rest, ""
        return [*lines, rest] if rest else lines

    def _split(self, text: str, *, last: bool) -> list[str]:
        self._held = ""
        if "\r" in text:
            # The \n of a \r\n may come with the next bytes.
            if text.endswith("\r") and not last:
                text, self._held = text[:-1], "\r"
            text = text.replace("\r\n", "\n").replace("\r", "\n")
        lines = text.split("\n")
        lines[0] = self._rest + lines[0]
        self._rest = lines.pop()
        if len(self._rest) > self._longest or any(len(line) > self._longest for line in lines):
            return self._in_pieces(lines)
        return lines

    def _in_pieces(self, lines: list[str]) -> list[str]:
        pieces = [piece for line in lines for piece in self._pieces(line) or [""]]
        *full, self._rest = self._pieces(self._rest) or [""]
        return pieces + full

    def _pieces(self, line: str) -> list[str]:
        return [line[start : start + self._longest] for start in range(0, len(line), self._longest)]
