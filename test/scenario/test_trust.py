"""Who may write policy: volumes as Kubernetes mounts them, owners, sockets. Each test runs Yett in its own mount namespace."""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

from harness import BINARY, RULES, SLOW, Yett, environment, wait_for

OPEN = 'policy "p" { allow "all" { principal = anyone } }\n'
DENY = 'policy "p" { deny "all" {}, allow "none" { principal = anyone } }\n'


class Pod:
    """A tmpfs mounted on a folder and filled by a script, and a Yett that runs on it as a given user."""

    def __init__(self, script, uid=0, gid=0, groups="", **changes):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="yett-trust-"))
        self.dir.chmod(0o755)
        self.volume = self.dir / "volume"
        self.volume.mkdir()
        data = self.dir / "data"
        data.mkdir()
        config = {
            "listeners": [{"name": "in", "address": "127.0.0.1:0", "plaintext": True, "routes": [{"path": "/**", "cluster": "app"}]}],
            "clusters": [{"name": "app", "endpoints": ["127.0.0.1:1"]}],
            "policy": {"engines": [{"name": "main", "type": "lua", "path": "volume/rules"}]},
            "audit": {"database": "data/yett.db"},
            "admin": {"address": "127.0.0.1:0"},
            "access_log": "off",
            **changes,
        }
        (self.dir / "yett.json").write_text(json.dumps(config))
        (self.dir / "yett.json").chmod(0o644)
        os.chown(data, uid, gid)
        groups = f"--groups {groups}" if groups else "--clear-groups"
        self.log_file = open(self.dir / "log", "wb")
        run = f"mount -t tmpfs -o mode=0777 none {self.volume} && cd {self.volume} && umask 022 && {script}\ncd / && exec setpriv --reuid {uid} --regid {gid} {groups} {BINARY} run -c {self.dir}/yett.json"
        self.process = subprocess.Popen(["unshare", "-m", "bash", "-ec", run], stdout=self.log_file, stderr=self.log_file, env=environment())
        wait_for("yett to start or to refuse", lambda: self.process.poll() is not None or " serving " in self.log(), 20)

    def log(self):
        return (self.dir / "log").read_text(errors="replace")

    @property
    def serves(self):
        return self.process.poll() is None

    def inside(self, script):
        """Runs a script in the mount namespace of Yett."""
        return subprocess.run(["nsenter", "-t", str(self.process.pid), "-m", "bash", "-ec", f"cd {self.volume} && {script}"], check=True, capture_output=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.process.wait(60 * SLOW)
        self.log_file.close()
        shutil.rmtree(self.dir, ignore_errors=True)


def config_map(text, more="", at="rules"):
    """A volume as kubelet lays it out: the folder is 0777, its files are links through ..data, and the mount is read-only."""
    return f"""
mkdir -m 0777 -p {at} && chmod 0777 {at} && mkdir {at}/..2026_11_28
cat > {at}/..2026_11_28/p.lua <<'END'
{text}END
chmod 0644 {at}/..2026_11_28/p.lua
ln -s ..2026_11_28 {at}/..data && ln -s ..data/p.lua {at}/p.lua
{more}
mount -o remount,ro none {{volume}}""".replace("{volume}", "$PWD")


@unittest.skipUnless(os.geteuid() == 0, "makes mount namespaces, which is for root")
class Volumes(unittest.TestCase):
    def test_kubernetes_volumes_are_accepted_as_they_are_mounted(self):
        secret = "mkdir -m 1777 keys && mkdir keys/..1 && head -c 32 /dev/urandom | base64 > keys/..1/mask.key && chmod {} keys/..1/mask.key && chgrp 2000 keys/..1/mask.key && ln -s ..1 keys/..data && ln -s ..data/mask.key keys/mask.key"
        audit = {"audit": {"database": "data/yett.db", "mask_key_file": "volume/keys/mask.key"}}
        cases = (
            ("a ConfigMap, as root", config_map(OPEN), {}),
            ("a ConfigMap, as a random user (OpenShift)", config_map(OPEN), {"uid": 1000690000}),
            ("a Secret with defaultMode 0440 and fsGroup", config_map(OPEN, secret.format("0440")), {"uid": 1000, "gid": 1000, "groups": "2000", **audit}),
            ("a Secret with defaultMode 0400, as root", config_map(OPEN, secret.format("0400")), audit),
            ("fsGroup's modes on a read-only mount", config_map(OPEN, "chgrp -R 2000 rules && chmod -R g+rwX rules && chmod g+s rules"), {"uid": 1000, "groups": "2000"}),
            ("a folder of a ConfigMap that is a link", config_map(OPEN, "mkdir rules/..2026_11_28/lib && echo 'return 1' > rules/..2026_11_28/lib/a.lua && ln -s ..data/lib rules/lib && echo \"local a = require 'lib.a'\" >> rules/..2026_11_28/p.lua"), {}),
        )
        for what, script, options in cases:
            with self.subTest(what), Pod(script, **options) as pod:
                self.assertTrue(pod.serves, pod.log())

    def test_policy_that_others_could_have_written_is_refused(self):
        rules = f"mkdir rules && echo '{OPEN.strip()}' > rules/p.lua"
        cases = (
            ("the folder of rules is 0777", rules + " && chmod 0755 . && chmod 0777 rules", {}, "rules: mode 0777: others may write into this folder"),
            ("it is sticky, and its listing counts", rules + " && chmod 0755 . && chmod 1777 rules", {}, "rules: mode 1777: others may write into this folder"),
            ("a folder above is 0777", rules, {}, "volume: mode 0777: others may write into this folder"),
            ("a file is 0666", rules + " && chmod 0755 . && chmod 0666 rules/p.lua", {}, "p.lua: mode 0666: group or others may write to it"),
            ("another user owns a file", rules + " && chmod 0755 . && chown 4242 rules/p.lua", {}, "p.lua: user 4242 owns this file: the owner must be root, Yett's own user (0)"),
            ("another user owns the folder", rules + " && chmod 0755 . && chown 4242 rules", {}, "rules: user 4242 owns this folder"),
            ("fsGroup on a volume that can be written", rules + " && chmod 0755 . && chgrp -R 2000 rules && chmod -R g+w rules", {"uid": 1000, "groups": "2000"}, "rules: mode 0775: others may write into this folder"),
            ("a key that others may read", config_map(OPEN, "mkdir keys && head -c 32 /dev/urandom | base64 > keys/mask.key"), {"audit": {"database": "data/yett.db", "mask_key_file": "volume/keys/mask.key"}}, "mask.key: mode 0644: others may read or write this key: it must be 0400, 0440, 0600 or 0640 (in Kubernetes `defaultMode: 0440`)"),
        )
        for what, script, options, wanted in cases:
            with self.subTest(what), Pod(script, **options) as pod:
                self.assertFalse(pod.serves, what)
                self.assertIn(wanted, pod.log())
                self.assertIn("not started", pod.log())

    def test_trusted_owners_are_named_in_the_configuration(self):
        script = f"mkdir rules && echo '{OPEN.strip()}' > rules/p.lua && chmod 0755 . && chown -R 4242 rules"
        with Pod(script, trusted_owners=[4242]) as pod:
            self.assertTrue(pod.serves, pod.log())

    def test_a_rule_written_by_another_user_into_an_open_folder_took_effect(self):
        script = f"mkdir rules && echo '{OPEN.strip()}' > rules/p.lua && chmod 0755 ."
        with Pod(script) as pod:
            self.assertTrue(pod.serves, pod.log())
            pod.inside("chmod 0777 rules && setpriv --reuid 4242 --clear-groups bash -c \"echo 'policy \\\"q\\\" { deny \\\"evil\\\" {} }' > rules/q.lua\"")
            wait_for("the refusal", lambda: "reload refused" in pod.log())
            self.assertIn("others may write into this folder", pod.log())
            self.assertNotIn(" reloaded ", pod.log())

    def test_a_swapped_config_map_is_loaded(self):
        swap = "mount -o remount,rw none $PWD && mkdir rules/..new && cat > rules/..new/p.lua <<'END'\n" + DENY + "END\nln -s ..new rules/..tmp && mv -T rules/..tmp rules/..data && rm -r rules/..2026_11_28 && mount -o remount,ro none $PWD"
        with Pod(config_map(OPEN), uid=1000690000) as pod:
            self.assertTrue(pod.serves, pod.log())
            pod.inside(swap)
            wait_for("the new policy", lambda: " reloaded " in pod.log())


class Offline(unittest.TestCase):
    """Read-only commands warn of what `yett run` would refuse, and continue."""

    def run_command(self, *args):
        return subprocess.run([BINARY, *args], capture_output=True, text=True, env=environment())

    def test_check_warns_and_fails_with_strict(self):
        y = Yett()
        try:
            (y.dir / "rules").chmod(0o777)
            done = self.run_command("check", "-c", str(y.dir / "yett.json"))
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("warning: `yett run` would refuse", done.stderr)
            self.assertIn("others may write into this folder", done.stderr)
            done = self.run_command("check", "--strict", str(y.dir / "rules"))
            self.assertEqual(done.returncode, 2, done.stdout)
            self.assertIn("1 warning: --strict treats warnings as problems", done.stderr)
        finally:
            shutil.rmtree(y.dir, ignore_errors=True)

    def test_check_and_load_warn_of_files_that_nothing_loads(self):
        y = Yett()
        (y.dir / "rules/sub").mkdir()
        for name in ("sub/deny.lua", "deny.LUA", "deny.json"):
            (y.dir / "rules" / name).write_text('policy "x" { deny "all" {} }')
            (y.dir / "rules" / name).chmod(0o600)
        with y:
            wait_for("the warnings", lambda: y.log().count("nothing loads this file") == 3)
            done = self.run_command("check", "-c", str(y.dir / "yett.json"))
            self.assertEqual((done.returncode, done.stderr.count("nothing loads this file")), (0, 3), done.stderr)
            self.assertEqual(self.run_command("check", "--strict", "-c", str(y.dir / "yett.json")).returncode, 2)


class Sockets(unittest.TestCase):
    def test_sockets_are_only_for_their_owner_unless_configured_otherwise(self):
        for mode in (None, "0660"):
            y = Yett().plaintext()
            y.listener["address"] = f"unix://{y.dir}/in.sock"
            if mode:
                y.listener["socket_mode"] = y.config["admin"]["socket_mode"] = mode
            y.write_config()
            with y:
                for name in ("in.sock", "admin.sock"):
                    self.assertEqual((y.dir / name).stat().st_mode & 0o777, int(mode or "0600", 8), name)

    def test_a_file_at_the_path_of_a_socket_is_left_alone(self):
        for field in ("listener", "admin"):
            y = Yett().plaintext()
            (y.dir / "precious").write_text("precious")
            if field == "listener":
                y.listener["address"] = f"unix://{y.dir}/precious"
            else:
                y.config["admin"]["socket"] = "precious"
            y.write_config()
            done = subprocess.run([BINARY, "run", "-c", str(y.dir / "yett.json")], capture_output=True, text=True, env=environment(), timeout=30 * SLOW)
            self.assertEqual(done.returncode, 2)
            self.assertIn("is not a socket: it is left alone", done.stderr)
            self.assertEqual((y.dir / "precious").read_text(), "precious")
            shutil.rmtree(y.dir, ignore_errors=True)


if __name__ == "__main__":
    unittest.main()
