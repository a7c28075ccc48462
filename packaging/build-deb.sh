#!/usr/bin/env bash
# Builds the Debian package from the committed source: packaging/build-deb.sh [--from BUILD] [DIRECTORY]
#   --from BUILD   packages this finished release build instead of building once more
# The package and its checksum are left in DIRECTORY (default: build/package).
set -euo pipefail
cd "$(dirname "$0")/.."
. test/packages.sh

from=""
if [ "${1:-}" = --from ]; then
  from=$(realpath "$2")
  shift 2
fi
into=${1:-build/package}
mkdir -p "$into"
into=$(realpath "$into")
install_packages $BUILD_PACKAGES debhelper dpkg-dev fakeroot  # of PACKAGE_PACKAGES

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/yett"
git archive HEAD | tar -x -C "$work/yett"
cp -r packaging/debian "$work/yett/debian"
# The same bytes for the same commit.
export SOURCE_DATE_EPOCH YETT_COMMIT YETT_BUILD=$from
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
YETT_COMMIT=$(git rev-parse --short=12 HEAD)
(cd "$work/yett" && dpkg-buildpackage --build=binary --no-sign --no-check-builddeps >"$work/log" 2>&1) || {
  tail -50 "$work/log" >&2
  exit 1
}
cp "$work"/yett_*.deb "$into/"
(cd "$into" && for package in yett_*.deb; do
  sha256sum "$package" | tee "$package.sha256"
  stat -c '%n: %s bytes' "$package"
done)
