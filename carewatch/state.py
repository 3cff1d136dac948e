"""`carewatch state`: look at the changelog, where the workers keep their state, and make a program's state anew."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Mapping

from kafka.admin import KafkaAdminClient

from agents import damage
from agents.broker import AWAY, Broker, quiet
from agents.fence import Claims
from agents.owner import REBUILD, VERSION, home, split_key, table_key, unversioned
from agents.settings import Settings, WorkerError
from agents.skew import Skew
from carewatch.settings import worker_settings
from carewatch.verify import Fold
from feeds.brokers import CONNECT_MS, connection, reachable
from streams.programs import Profile, load_all
from streams.state import unreadable


def check(args: argparse.Namespace) -> int:
    """The command `state check`."""
    settings, profiles = _site(args)
    found = asyncio.run(_newest(settings, range(settings.partitions)))
    bad = damage.damages(found, profiles, settings.partitions)
    records = sum(map(len, found.values()))
    for each in bad:
        print(each)
    if hurt := sorted({each.program for each in bad} & set(profiles)):
        print(f"{records} records read; not served: {', '.join(hurt)}")
        print(
            "to make such a program's state from the inputs anew: stop the workers, then: carewatch state rebuild PROGRAM"
        )
        return 1
    print(f"{records} records read, {len(bad)} of no program of ours; every program can be served")
    return 0


def rebuild(args: argparse.Namespace) -> int:
    """The command `state rebuild`."""
    settings, profiles = _site(args)
    if args.program not in profiles:
        raise WorkerError(f"{args.program}: no such program; there are: {', '.join(sorted(profiles))}")
    if members := _members(settings):
        raise WorkerError(f"workers of group {settings.group} run ({members}); stop them all first")
    return asyncio.run(_rebuild(settings, profiles, args.program, anyway=args.yes))


def _site(args: argparse.Namespace) -> tuple[Settings, Mapping[str, Profile]]:
    settings = worker_settings(args.broker, args.programs, "", 0)
    return settings, load_all(settings.programs)


def _members(settings: Settings) -> int:
    """How many workers are in the group. Raises FeedError."""
    with reachable(settings.broker, "cannot look at the group"):
        admin = KafkaAdminClient(**connection(settings.broker, CONNECT_MS))
        try:
            return len(admin.describe_groups([settings.group])[settings.group]["members"])
        finally:
            admin.close()


def _changelog(settings: Settings) -> str:
    return f"{settings.group}-state-changelog"


async def _newest(settings: Settings, partitions: range) -> dict[int, damage.Newest]:
    name = _changelog(settings)
    broker = Broker(settings.bootstrap)
    try:
        with quiet():
            if name not in await broker.topics([name]):
                raise WorkerError(f"there is no changelog {name}; start a worker: it makes the state from the inputs")
            return await damage.newest(settings, name, partitions)
    except AWAY as error:
        raise WorkerError(f"{settings.broker}: the changelog {name} cannot be read: {type(error).__name__}") from error
    finally:
        await broker.close()


async def _rebuild(settings: Settings, profiles: Mapping[str, Profile], program: str, *, anyway: bool) -> int:
    partition = home(program, settings.partitions)
    fold = Fold(settings, profiles)
    await fold.start()
    try:
        starts = await fold.starts((partition,))
        if any(starts.values()) and not anyway:
            missing = ", ".join(f"{start} of {topic}" for topic, start in sorted(starts.items()) if start)
            raise WorkerError(
                f"the oldest records are no longer in the topics ({missing}): the state would lack what they said, and its "
                "counters would fall; to do it all the same, add --yes"
            )
        print(f"reading the inputs for {program} ...", file=sys.stderr, flush=True)
        await fold.catch_up()
    finally:
        await fold.stop()
    state = next(state for state in fold.states if state.profile.program == program)
    old = (await _newest(settings, range(partition, partition + 1)))[partition]
    new = {table_key(program, key): VERSION + value for key, value in state.records().items()}
    told, mark = table_key(program, "n"), table_key(program, REBUILD)
    if told in old and not unreadable("n", unversioned(old[told][1])):
        new[told] = old[told][1]  # or every notice of 45 days would be sent once more
    gone = [key for key in old if (split_key(key) or ("",))[0] == program and key not in new and key != mark]
    claims = Claims(settings, lambda: _changelog(settings), Skew())
    await claims.take([partition])
    try:
        # the mark first and out last, so that a state that is half made is never shown
        await claims.write(partition, {mark: VERSION, **dict.fromkeys(gone), **new})
        await claims.write(partition, {mark: None})
    finally:
        await claims.close()
    print(f"{program}: {fold.applied} events of all programs read, {len(new)} records written, {len(gone)} taken out")
    print("start the workers again, then: carewatch verify")
    return 0
