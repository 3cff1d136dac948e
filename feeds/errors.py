"""The one error of this folder."""


class FeedError(Exception):
    """Input or a broker that cannot be used. The message is one line: where, what is wrong, what to do."""
