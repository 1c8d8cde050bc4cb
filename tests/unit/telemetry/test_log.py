"""The log has one line per event in the configured format, and no secrets."""

import io
import json
import logging
from collections.abc import Iterator

import msgspec
import pydantic
import pytest
import structlog

from router.telemetry import log


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def lines(stream: io.StringIO) -> list[dict]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def configure(**settings) -> io.StringIO:
    stream = io.StringIO()
    log.configure(stream=stream, **settings)
    return stream


def fail_with(secret: str) -> None:
    raise ValueError("it broke")


def test_json_line_has_all_its_members():
    stream = configure(format="json")
    log.get("worker").info("operation", destination="on-call", attempt=2)
    (line,) = lines(stream)
    assert line.pop("timestamp").endswith("Z")
    assert line == {"event": "operation", "level": "info", "part": "worker", "destination": "on-call", "attempt": 2}


def test_earlier_logger_obeys_later_configuration():
    early = log.get("web")
    stream = configure(format="json", level="warning")
    early.info("unheard")
    early.warning("heard")
    assert [line["event"] for line in lines(stream)] == ["heard"]


@pytest.mark.parametrize("level", ["debug", "INFO", "warning", "error"])
def test_lines_below_the_level_are_dropped(level):
    stream = configure(format="json", level=level)
    for name in ("debug", "info", "warning", "error"):
        getattr(log.get("x"), name)(name)
    heard = [line["event"] for line in lines(stream)]
    assert heard == ["debug", "info", "warning", "error"][-len(heard) :]
    assert heard[0] == level.lower()


def test_unknown_level_error_lists_valid_ones():
    with pytest.raises(ValueError, match="'loud' is not one of debug, info, warning, error"):
        log.configure(level="loud")


def test_console_format_is_plain_text():
    stream = configure(format="console")
    log.get("web").info("started", port=8080)
    assert "started" in stream.getvalue()
    assert "port=8080" in stream.getvalue()
    assert "\x1b[" not in stream.getvalue(), "no colours where there is no terminal"


@pytest.mark.parametrize("form", ["json", "console"])
def test_stack_trace_shows_no_local_variables(form):
    stream = configure(format=form)
    secret = "hunt" + "er2"  # Split, because the console shows source lines.
    try:
        fail_with(secret)
    except ValueError:
        log.get("web").exception("failed")
    assert "it broke" in stream.getvalue()
    assert "fail_with" in stream.getvalue()
    assert "hunter2" not in stream.getvalue()


def test_library_warnings_use_the_configured_format():
    stream = configure(format="json", level="debug")
    logging.getLogger("some.library").info("chatter")
    logging.getLogger("some.library").warning("%d retries", 3)
    (line,) = lines(stream)
    assert (line["event"], line["logger"], line["level"]) == ("3 retries", "some.library", "warning")


def test_value_unknown_to_json_is_written_as_text():
    stream = configure(format="json")
    log.get("web").info("odd", value={1}, error=ValueError("why"))
    (line,) = lines(stream)
    assert (line["value"], line["error"]) == ("{1}", "why")


def test_second_configuration_replaces_the_first():
    first = configure(format="json")
    second = configure(format="json")
    log.get("web").info("once")
    logging.getLogger("lib").error("once, too")
    assert first.getvalue() == ""
    assert [line["event"] for line in lines(second)] == ["once", "once, too"]


def test_log_writes_to_standard_error_by_default(capsys):
    log.configure()
    log.get("web").info("here")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert json.loads(captured.err)["event"] == "here"


class Letter(msgspec.Struct):
    text: str


@pytest.mark.parametrize("form", ["json", "console"])
@pytest.mark.parametrize(
    "value",
    [
        b"hunter2",
        bytearray(b"hunter2"),
        Letter("hunter2"),
        [Letter("hunter2")],
        {"in": (b"hunter2",)},
        pydantic.SecretStr("hunter2"),
    ],
)
def test_foreign_texts_and_secrets_are_never_logged(form, value):
    stream = configure(format=form)
    log.get("web").info("odd", value=value)
    assert "hunter2" not in stream.getvalue()
    assert "value" in stream.getvalue()


def test_console_format_shows_values_of_all_types():
    stream = configure(format="console")
    log.get("web").info("odd", number=2, text="a", none=None, several=[1, "b"], error=ValueError("why"))
    for shown in ("number=2", "text=a", "none=None", "several=[1, 'b']", "error=why"):
        assert shown in stream.getvalue()
