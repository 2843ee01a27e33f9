"""Tries each thing that one participant's password and key might be good for. usage: attempts.py PATH-TO-WASL FOLDER

Each attempt says what is expected, and returns what happened; a Surprise fails the run. They go on one after the other, over one stack."""
import sys, time, traceback
from pathlib import Path

wasl, folder = sys.argv[1], Path(sys.argv[2]).resolve()
sys.path.insert(0, str(folder))
from stack import Stack, Surprise
from insider import Insider
import at_the_broker, floods, honest, in_lanes, in_messages, in_words

PARTS = (at_the_broker, in_messages, in_words, in_lanes, floods, honest)
ATTEMPTS = [attempt for part in PARTS for attempt in part.ATTEMPTS]


def main():
    began, surprises = time.monotonic(), 0
    stack = Stack(wasl, folder / "dev-insider")
    try:
        insider = Insider(stack)
        honest.begin(stack, insider)
        for attempt in ATTEMPTS:
            expected = " ".join(attempt.__doc__.split())
            try:
                happened, mark = attempt(stack, insider), "ok"
            except Exception as error:
                if not isinstance(error, Surprise):
                    traceback.print_exc()
                happened, mark, surprises = f"{error}" if isinstance(error, Surprise) else repr(error), "SURPRISE", surprises + 1
            print(f"{mark}: {attempt.__name__}\n    expected: {expected}\n    happened: {happened}", flush=True)
    finally:
        stack.stop()
    if surprises:
        print("--- the end of the stack's log", *stack.log.read_text(errors="replace").splitlines()[-25:], sep="\n", file=sys.stderr)
        sys.exit(f"FAILED: the insider: {surprises} of {len(ATTEMPTS)} attempts did not end as expected")
    print(f"the insider: {len(ATTEMPTS)} attempts ended as expected, and the honest road went on, {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
