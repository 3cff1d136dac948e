"""quixstreams, stateless."""

from bench.peers.quix import run

if __name__ == "__main__":
    run(stateful=False)
