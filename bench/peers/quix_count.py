"""quixstreams, one counter a program and type."""

from bench.peers.quix import count, run

if __name__ == "__main__":
    run(count, stateful=True)
