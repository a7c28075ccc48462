"""The examples work as documented."""
import pathlib
import subprocess
import tempfile
import unittest

from harness import BINARY, ROOT, environment


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

    def test_policies_brought_from_elsewhere(self):
        folders = sorted(p for p in (ROOT / "examples/porting").iterdir() if p.is_dir())
        self.assertEqual(len(folders), 7)
        for folder in folders:
            for args in (("check", "--strict"), ("test", "--min-coverage", "100")):
                done = subprocess.run([BINARY, *args, str(folder)], capture_output=True, text=True, timeout=60, env=environment())
                self.assertEqual(done.returncode, 0, folder.name + done.stdout + done.stderr)

    def test_the_configuration_in_the_readme(self):
        text = (ROOT / "README.md").read_text().split("```json\n")[1].split("```")[0]
        with tempfile.TemporaryDirectory(prefix="yett-readme-") as folder:
            subprocess.run([BINARY, "init", folder], check=True, capture_output=True, env=environment())
            (pathlib.Path(folder) / "yett.json").write_text(text)
            done = subprocess.run([BINARY, "check", "--strict", "-c", "yett.json"], cwd=folder, capture_output=True, text=True, env=environment())
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


if __name__ == "__main__":
    unittest.main()
