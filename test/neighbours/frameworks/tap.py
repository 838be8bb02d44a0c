"""Lines of the form "ok - ..." and "not ok - ..." for the programs of the frameworks."""
import sys


def check(condition, text, shown=None):
    print(("ok - " if condition else "not ok - ") + text)
    if not condition and shown is not None:
        for line in str(shown).splitlines():
            print("#     " + line)
    sys.stdout.flush()
