"""The examples work as documented."""
import subprocess
import unittest

from harness import ROOT, environment


class Examples(unittest.TestCase):
    def test_quickstart(self):
        done = subprocess.run([str(ROOT / "examples/quickstart/run.sh"), "--once"], capture_output=True, text=True, timeout=600, env=environment())
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("everything was as it should be", done.stdout)
        self.assertIn("-> 403", done.stdout)

    def test_each_way_of_writing_policy(self):
        for name in ("rules-json", "program", "plugin"):
            done = subprocess.run([str(ROOT / "examples/show.sh"), name], capture_output=True, text=True, timeout=600, env=environment())
            self.assertEqual(done.returncode, 0, name + done.stdout + done.stderr)
            self.assertIn("everything was as it should be", done.stdout)


if __name__ == "__main__":
    unittest.main()
