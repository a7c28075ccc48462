"""Work grows at most linearly with the bytes of the input: counts instructions with valgrind for inputs of one, two and four times a
size. Linear growth costs twice as much from the second size to the third as from the first to the second, quadratic four times."""
import concurrent.futures
import os
import pathlib
import re
import shutil
import subprocess
import unittest

from harness import BINARY, environment

PROGRAM = pathlib.Path(BINARY).parent / "test/yett_growth"
SIZE = 12_000  # bytes; four times this is most of the largest head allowed by default
BEYOND = 2.35  # linear growth gives 2


def instructions(kind, size):
    done = subprocess.run(["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", str(PROGRAM), kind, str(size)],
                          capture_output=True, text=True, env=environment(), timeout=300)
    assert done.returncode == 0 and "refused" not in done.stdout, (kind, size, done.stdout, done.stderr[-2000:])
    return int(re.search(r"Collected : (\d+)", done.stderr)[1])


class Growth(unittest.TestCase):
    @unittest.skipUnless(PROGRAM.exists() and shutil.which("valgrind"), "it needs the optimised build and valgrind")
    def test_work_grows_no_faster_than_the_input(self):
        kinds = subprocess.run([PROGRAM], capture_output=True, text=True, check=True).stdout.splitlines()
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            counted = {kind: [pool.submit(instructions, kind, SIZE * n) for n in (1, 2, 4)] for kind in kinds}
            counted = {kind: [one.result() for one in three] for kind, three in counted.items()}
        bad = []
        print(f"\n  {'instructions':44} {'for 48 KB':>12} {'a byte':>8} {'growth':>7}")
        for kind, (one, two, four) in counted.items():
            growth = (four - two) / max(two - one, 1)
            steady = four - two < 1_000_000  # a fifth of a millisecond: a budget or limit has cut the work short
            print(f"  {kind:44} {four:12,} {(four - two) / SIZE / 2:8.1f} {growth:7.2f}")
            if growth > BEYOND and not steady:
                bad.append((kind, round(growth, 2)))
        self.assertEqual(bad, [])


if __name__ == "__main__":
    unittest.main()
