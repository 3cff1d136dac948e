"""Records that were rejected for a reason that is no longer so: they can be sent again."""

from __future__ import annotations

from tests.accidents.waiting import once_equal
from tests.integration.harness import PROGRAMS, Site, evening


def test_what_was_rejected_before_the_cure_can_be_sent_again(site: Site) -> None:
    """A program whose file was not there yet, and a record that is no event at all."""
    events = evening(0.2)
    folder = site.folder / "one"
    folder.mkdir()
    (folder / "seattle.toml").write_bytes((PROGRAMS / "seattle.toml").read_bytes())
    first = site.worker("--programs", str(folder)).ready()
    site.send(events)
    site.send_raw("dispatch", b"what?", b"chicago")
    strangers = sum(event.program != "seattle" for event in events)
    site.deadletters(at_least=strangers + 1)
    done = site.command("deadletter", "list")
    assert done.returncode == 0
    assert f" unknown_program on {site.prefix}dispatch; one of them: partition " in done.stdout
    assert f"      1 not_json on {site.prefix}dispatch; " in done.stdout
    assert "what?" not in done.stdout
    assert first.end() == 0
    worker = site.worker().ready()
    done = site.command("deadletter", "resend", "--reason", "unknown_program")
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{strangers} events sent again\n"
    once_equal(worker, events)
    assert site.command("deadletter", "resend", "--reason", "future").returncode == 1
    done = site.command("deadletter", "resend", "--reason", "not_json")
    assert (done.returncode, done.stdout) == (1, "0 events sent again; 1 records are no events, and stay\n")
