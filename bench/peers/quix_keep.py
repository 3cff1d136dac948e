"""quixstreams, a record a call."""

from bench.peers.quix import keep, run

if __name__ == "__main__":
    run(keep, stateful=True)
