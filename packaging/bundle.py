#!/usr/bin/env python3
"""Makes an OCI image or a tarball from a finished build, without a container engine.

usage: packaging/bundle.py image BUILD DIRECTORY     yett-image.tar (an OCI layout) and yett-image.spdx.json
       packaging/bundle.py tarball BUILD DIRECTORY   yett-VERSION-ARCH.tar.gz and its checksum

The same build and the same Debian packages give the same bytes.
"""
import gzip
import hashlib
import io
import json
import os
import pathlib
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
UID = 65532
ARCH = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())


def output(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def libraries(binary):
    """The shared objects that a program loads: name -> file."""
    found = {}
    for line in output("ldd", str(binary)).splitlines():
        match = re.match(r"\s*(?:(\S+) => )?(/\S+) \(", line)
        if match:
            found[match[1] or match[2]] = pathlib.Path(match[2])
    return found


def epoch():
    return int(os.environ.get("SOURCE_DATE_EPOCH") or output("git", "-C", str(ROOT), "log", "-1", "--format=%ct"))


def version_of(binary):
    return output(str(binary), "--version").split()[1].rstrip(",")


class Layer:
    """A tar file with sorted entries, fixed times and owners."""

    def __init__(self):
        self.entries = {}

    def folder(self, path, mode=0o755, owner=0):
        self.entries[path.strip("/")] = (tarfile.DIRTYPE, mode, owner, b"")

    def file(self, path, data, mode=0o644, owner=0):
        parts = path.strip("/").split("/")
        for i in range(1, len(parts)):
            self.entries.setdefault("/".join(parts[:i]), (tarfile.DIRTYPE, 0o755, 0, b""))
        self.entries[path.strip("/")] = (tarfile.REGTYPE, mode, owner, data)

    def link(self, path, target):
        self.entries[path.strip("/")] = (tarfile.SYMTYPE, 0o777, 0, target)

    def tar(self, prefix=""):
        into = io.BytesIO()
        with tarfile.open(fileobj=into, mode="w", format=tarfile.PAX_FORMAT) as tar:
            for path, (kind, mode, owner, data) in sorted(self.entries.items()):
                info = tarfile.TarInfo(prefix + path)
                info.type, info.mode, info.uid, info.gid, info.mtime = kind, mode, owner, owner, epoch()
                if kind == tarfile.SYMTYPE:
                    info.linkname = data
                info.size = len(data) if kind == tarfile.REGTYPE else 0
                tar.addfile(info, io.BytesIO(data) if kind == tarfile.REGTYPE else None)
        return into.getvalue()


def stripped(path):
    with tempfile.TemporaryDirectory() as folder:
        copy = pathlib.Path(folder) / "copy"
        shutil.copy(path, copy)
        copy.chmod(0o755)
        subprocess.run(["strip", "--strip-unneeded", copy], check=True)
        return copy.read_bytes()


def packages_of(files):
    """The Debian packages that files come from, with their versions."""
    names = set()
    for file in files:
        for candidate in {str(file), str(file.resolve()), str(file.resolve()).replace("/usr/lib", "/lib", 1), "/usr" + str(file)}:
            done = subprocess.run(["dpkg", "-S", candidate], capture_output=True, text=True)
            if done.returncode == 0:
                names.add(done.stdout.split(": ")[0].split(",")[0])
                break
    return sorted(tuple(output("dpkg-query", "-W", "-f=${Package} ${Version} ${source:Package}", name).split(" ")) for name in names)


def sbom(version, packages):
    """SPDX 2.3."""
    items = [{"SPDXID": "SPDXRef-yett", "name": "yett", "versionInfo": version, "downloadLocation": "NOASSERTION", "licenseDeclared": "Apache-2.0", "filesAnalyzed": False}]
    items += [{"SPDXID": f"SPDXRef-{re.sub('[^A-Za-z0-9.-]', '-', name)}", "name": name, "versionInfo": release, "downloadLocation": "NOASSERTION", "filesAnalyzed": False, "licenseDeclared": "NOASSERTION",
               "externalRefs": [{"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": f"pkg:deb/debian/{name}@{release}?arch={ARCH}"}]} for name, release, _ in packages]
    digest = hashlib.sha256(json.dumps(items).encode()).hexdigest()
    import datetime
    made = datetime.datetime.fromtimestamp(epoch(), datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT", "name": f"yett-{version}", "documentNamespace": f"https://example.org/yett/spdx/{digest}",
            "creationInfo": {"created": made, "creators": ["Tool: packaging/bundle.py"]}, "packages": items,
            "relationships": [{"spdxElementId": "SPDXRef-DOCUMENT", "relationshipType": "DESCRIBES", "relatedSpdxElement": "SPDXRef-yett"}] +
                             [{"spdxElementId": "SPDXRef-yett", "relationshipType": "DEPENDS_ON", "relatedSpdxElement": item["SPDXID"]} for item in items[1:]]}


def image(build, into):
    binary = build / "yett"
    version = version_of(binary)
    layer = Layer()
    layer.file("usr/bin/yett", stripped(binary), 0o755)
    used = []
    for name, path in sorted(libraries(binary).items()):
        layer.file(name if name.startswith("/") else f"usr/lib/{path.name}", path.resolve().read_bytes(), 0o755)
        used.append(path)
    layer.file("usr/lib/yett/yett_log.so", stripped(build / "yett_log.so"), 0o755)
    roots = pathlib.Path("/etc/ssl/certs/ca-certificates.crt")
    layer.file("etc/ssl/certs/ca-certificates.crt", roots.read_bytes())
    zones = pathlib.Path("/usr/share/zoneinfo")
    for path in sorted(zones.rglob("*")):
        if path.is_file() and path.read_bytes()[:4] == b"TZif" and "right/" not in str(path) and "posix/" not in str(path):
            layer.file(str(path), path.read_bytes())
    layer.file("etc/passwd", f"root:x:0:0:root:/:/sbin/nologin\nyett:x:{UID}:{UID}:Yett:/var/lib/yett:/sbin/nologin\n".encode())
    layer.file("etc/group", f"root:x:0:\nyett:x:{UID}:\n".encode())
    layer.file("etc/nsswitch.conf", b"hosts: files dns\n")
    layer.file("etc/yett/yett.json", (ROOT / "packaging/etc/yett.json").read_bytes().replace(b"/var/log/yett/access.log", b"stdout"))
    layer.file("etc/yett/rules/main.lua", (ROOT / "packaging/etc/rules/main.lua").read_bytes())
    for folder in ("var/lib/yett", "run/yett"):
        layer.folder(folder, 0o750, UID)
    layer.folder("tmp", 0o1777)
    for path in sorted((ROOT / "schemas").glob("*.json")):
        layer.file(f"usr/share/yett/schemas/{path.name}", path.read_bytes())
    packages = packages_of([*used, roots, pathlib.Path("/usr/share/zoneinfo/UTC"), pathlib.Path("/etc/ssl/openssl.cnf")])
    document = json.dumps(sbom(version, packages), indent=1).encode()
    layer.file("usr/share/yett/sbom.spdx.json", document)
    plain = layer.tar()
    packed = gzip.compress(plain, 9, mtime=0)
    labels = {"org.opencontainers.image.title": "yett", "org.opencontainers.image.description": "Authorization sidecar with policy as code", "org.opencontainers.image.version": version,
              "org.opencontainers.image.licenses": "Apache-2.0", "org.opencontainers.image.revision": output("git", "-C", str(ROOT), "rev-parse", "HEAD").strip()}
    config = {"architecture": ARCH, "os": "linux",
              "config": {"User": f"{UID}:{UID}", "Entrypoint": ["/usr/bin/yett"], "Cmd": ["run", "-c", "/etc/yett/yett.json"], "WorkingDir": "/var/lib/yett", "Volumes": {"/var/lib/yett": {}, "/run/yett": {}},
                         "StopSignal": "SIGTERM", "Labels": labels,
                         "Healthcheck": {"Test": ["CMD", "/usr/bin/yett", "admin", "status", "-c", "/etc/yett/yett.json"], "Interval": 10_000_000_000, "Timeout": 5_000_000_000}},
              "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(plain).hexdigest()]}}
    blobs = Layer()

    def blob(data):
        digest = hashlib.sha256(data).hexdigest()
        blobs.file(f"blobs/sha256/{digest}", data)
        return {"digest": "sha256:" + digest, "size": len(data)}

    manifest = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "config": {"mediaType": "application/vnd.oci.image.config.v1+json", **blob(json.dumps(config).encode())},
                "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", **blob(packed)}], "annotations": labels}
    index = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json",
             "manifests": [{"mediaType": manifest["mediaType"], **blob(json.dumps(manifest).encode()), "annotations": {"org.opencontainers.image.ref.name": version}, "platform": {"architecture": ARCH, "os": "linux"}}]}
    blobs.file("index.json", json.dumps(index).encode())
    blobs.file("oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
    data = blobs.tar()
    (into / "yett-image.tar").write_bytes(data)
    (into / "yett-image.spdx.json").write_bytes(document)
    print(f"yett-image.tar: {len(data) / 1e6:.1f} MB, {len(plain) / 1e6:.1f} MB unpacked, {len(packages)} Debian packages, sha256 {hashlib.sha256(data).hexdigest()}")


# Belong to the system: the C library and what it must match.
SYSTEM = re.compile(r"^(ld-linux.*|libc|libm|libdl|libpthread|librt|libresolv)\.so|^/lib")


def tarball(build, into):
    binary = build / "yett"
    version = version_of(binary)
    layer = Layer()
    with tempfile.TemporaryDirectory() as folder:
        program = pathlib.Path(folder) / "yett"
        program.write_bytes(stripped(binary))
        program.chmod(0o755)
        subprocess.run(["patchelf", "--set-rpath", "$ORIGIN/../lib/yett", program], check=True)
        layer.file("bin/yett", program.read_bytes(), 0o755)
        for name, path in sorted(libraries(binary).items()):
            if SYSTEM.match(name):
                continue
            copy = pathlib.Path(folder) / path.name
            copy.write_bytes(path.resolve().read_bytes())
            subprocess.run(["patchelf", "--set-rpath", "$ORIGIN", copy], check=True)
            layer.file(f"lib/yett/{path.name}", copy.read_bytes(), 0o755)
    for path in ("README.md", "CHANGELOG.md", "LICENSE"):
        layer.file(path, (ROOT / path).read_bytes())
    for folder in ("docs", "schemas", "rules"):
        for path in sorted((ROOT / folder).rglob("*")):
            if path.is_file():
                layer.file(f"share/{path.relative_to(ROOT)}", path.read_bytes())
    layer.file("etc/yett.json", (ROOT / "packaging/etc/yett.json").read_bytes())
    layer.file("etc/rules/main.lua", (ROOT / "packaging/etc/rules/main.lua").read_bytes())
    name = f"yett-{version}-linux-{ARCH}"
    data = gzip.compress(layer.tar(name + "/"), 9, mtime=0)
    (into / f"{name}.tar.gz").write_bytes(data)
    (into / f"{name}.tar.gz.sha256").write_text(f"{hashlib.sha256(data).hexdigest()}  {name}.tar.gz\n")
    needs = max(tuple(map(int, v.split("."))) for v in re.findall(r"GLIBC_(\d+\.\d+)", output("objdump", "-T", str(binary))))
    print(f"{name}.tar.gz: {len(data) / 1e6:.1f} MB, needs glibc {needs[0]}.{needs[1]}, sha256 {hashlib.sha256(data).hexdigest()}")


if __name__ == "__main__":
    if len(sys.argv) != 4 or sys.argv[1] not in ("image", "tarball"):
        sys.exit(__doc__)
    pathlib.Path(sys.argv[3]).mkdir(parents=True, exist_ok=True)
    {"image": image, "tarball": tarball}[sys.argv[1]](pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3]))
