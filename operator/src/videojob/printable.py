"""Text from elsewhere, made fit for a terminal: file names, S3 keys, labels, another program's last output.

Whoever may name a file that we process must not be able to command the terminal, forge a line of a log or turn the
reading order of a line round. The lowest layer: `errors` shows its messages through it.
"""

from __future__ import annotations

import unicodedata

_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Control characters (C0, DEL, C1), format characters (bidirectional controls, zero width, tags), lone surrogates, and
the line and paragraph separators: what acts on the text around it instead of being seen."""


def printable(text: str, *, keep: str = "") -> str:
    r"""The text with everything that acts instead of being seen written out, as in `\x1b`; the rest stays as it is.

    A byte of a file name that is not UTF-8 (a surrogate, for Python) is shown as that byte: "caf\udce9" becomes
    `caf\xe9`. Backslashes stay single, so showing twice is the same as showing once; what comes out is for reading
    and cannot be turned back.

    Args:
        text: anything.
        keep: characters that stay in spite of it, as a line break in a message of several lines.
    """
    if text.isprintable():  # stricter than this function and far faster: nearly all text ends here
        return text
    return "".join(_shown(character) if _acts(character, keep) else character for character in text)


def _acts(character: str, keep: str) -> bool:
    return character not in keep and unicodedata.category(character) in _UNSEEN


def _shown(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # how os.fsdecode keeps a byte that is not UTF-8
        code -= 0xDC00
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
