"""The log tells where a bug is, and nothing of the event that met it."""

import pytest
import structlog

from carewatch.logs import set_up


def test_an_exception_is_logged_without_its_message(capsys: pytest.CaptureFixture[str]) -> None:
    """Was: the whole traceback; `KeyError: 'Jane Doe'` quotes what it was given."""
    set_up()
    nobody: dict[str, str] = {}
    try:
        nobody["Jane Doe".upper()]
    except KeyError:
        structlog.get_logger().exception("could not be applied", offset=7)
    finally:
        structlog.reset_defaults()
    said = capsys.readouterr().err
    assert "could not be applied" in said
    assert "test_logs.py" in said
    assert "KeyError" in said
    assert "JANE DOE" not in said
