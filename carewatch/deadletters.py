"""`carewatch deadletter`: what was rejected and why, and to send it again after the cure."""

from __future__ import annotations

import argparse
import sys
from collections import Counter

from carewatch.settings import default
from feeds.deadletters import DeadLetter, dead_letters, events_of
from feeds.kafka import send_all


def show(args: argparse.Namespace) -> int:
    """The command `deadletter list`."""
    counts: Counter[tuple[str, str]] = Counter()
    last: dict[tuple[str, str], DeadLetter] = {}
    for letter in dead_letters(args.broker, default("PREFIX", "care.")):
        kind = (letter.reason, letter.topic)
        counts[kind] += 1
        last[kind] = letter
    if not counts:
        print("no record was rejected")
        return 0
    for (reason, topic), count in counts.most_common():
        letter = last[reason, topic]
        where = f"partition {letter.partition}, offset {letter.offset}"
        print(f"{count:>7} {reason} on {topic}; one of them: {where}: {letter.detail}")
    print("to send those of a reason again after the cure: carewatch deadletter resend --reason REASON")
    return 0


def resend(args: argparse.Namespace) -> int:
    """The command `deadletter resend`. What was applied before is known by its id and changes nothing."""
    prefix = default("PREFIX", "care.")
    left: list[DeadLetter] = []
    wanted = (letter for letter in dead_letters(args.broker, prefix) if letter.reason == args.reason)
    counts = send_all(events_of(wanted, prefix, left), args.broker, prefix, bulk=True)
    sent = sum(counts.values())
    print(f"{sent} events sent again" + (f"; {len(left)} records are no events, and stay" if left else ""))
    if not sent:
        print(f"no event was rejected as {args.reason}; carewatch deadletter list says what was", file=sys.stderr)
        return 1
    return 0
