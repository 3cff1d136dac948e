"""`carewatch demo`: all of it on this machine, without Docker. (Filled in below.)"""
import argparse
def run(args: argparse.Namespace) -> int:
    raise NotImplementedError
