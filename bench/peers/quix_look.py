"""quixstreams, without state."""

from bench.peers.quix import look, run

if __name__ == "__main__":
    run(look, stateful=False)
