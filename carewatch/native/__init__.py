"""Real servers started natively (no containers) for ``carewatch demo`` and the tests.

Every server listens on 127.0.0.1 only, on free ports, keeps its data in a temporary folder and ends with
its owner. One module a server: :mod:`.kafka`, :mod:`.tansu`, :mod:`.prometheus`; what they share is in
:mod:`.process`. Failures are :class:`carewatch.native.process.StackError`, one plain line for the user.

Linux and macOS. This file imports nothing, so that importing one server does not load the others.
"""
