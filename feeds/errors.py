"""The errors of this folder."""


class FeedError(Exception):
    """Input or a broker that cannot be used. The message is one line: where, what is wrong, what to do."""


class TopicsDifferError(FeedError):
    """The topics are not as the workers need them: what a check finds, and what stops everything else."""
