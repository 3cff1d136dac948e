"""The peers: one small program each, with the interface of `meter`."""
