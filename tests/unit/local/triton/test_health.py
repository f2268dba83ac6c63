"""Reading the end of a server's log, however long it is and even when it was never opened."""

from __future__ import annotations

from pathlib import Path

from videojob.local.triton.health import log_since, log_tail


def test_only_what_is_new_in_a_log_is_read(tmp_path: Path) -> None:
    path = tmp_path / "log"
    assert log_since(path, 0) == ""
    path.write_bytes(b"old\nnew \xff\n")
    assert log_since(path, 4) == "new \ufffd\n"
    assert log_since(path, 100) == ""


def test_a_message_shows_the_last_lines_of_a_log(tmp_path: Path) -> None:
    path = tmp_path / "log"
    assert log_tail(path).startswith("(no log: ")
    path.write_text("".join(f"line {number}\n" for number in range(10_000)), encoding="utf-8")
    assert log_tail(path).splitlines() == [f"line {number}" for number in range(9_985, 10_000)]
    path.write_text("short", encoding="utf-8")
    assert log_tail(path) == "short"
