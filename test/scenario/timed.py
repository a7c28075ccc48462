"""Runs modules of scenarios like `python3 -m unittest -v`, and prints at the end how long each module took."""

import collections
import sys
import time
import unittest


class Result(unittest.TextTestResult):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.seconds = collections.Counter()

    def startTest(self, test):
        self.began = time.monotonic()
        super().startTest(test)

    def stopTest(self, test):
        super().stopTest(test)
        self.seconds[type(test).__module__] += time.monotonic() - self.began


def main():
    suite = unittest.defaultTestLoader.loadTestsFromNames(sys.argv[1:])
    result = unittest.TextTestRunner(verbosity=2, resultclass=Result).run(suite)
    print("seconds: " + ", ".join(f"{name} {seconds:.0f}" for name, seconds in result.seconds.most_common()), flush=True)
    return 0 if result.wasSuccessful() else 1


sys.exit(main())
