#!/usr/bin/env bash
# Installs the peers that come from other registries than Debian's into build/interop, from their pinned versions.
# Prints what cannot be had, and exits 0: the tests then skip it and say so.
set -uo pipefail
cd "$(dirname "$0")/../.."
bin=$PWD/build/interop
mkdir -p "$bin"

go_program() { # PACKAGE@VERSION NAME
  [ -x "$bin/$2" ] && return
  command -v go >/dev/null || { echo "   skipped $2: no Go on this machine"; return; }
  local log staging
  log=$(mktemp)
  staging=$(mktemp -d)
  if GOBIN=$staging GOFLAGS=-modcacherw timeout 600 go install "$1" >"$log" 2>&1; then
    mv "$staging"/* "$bin/$2"
  else
    echo "   skipped $2: cannot be installed ($(tail -1 "$log"))"
  fi
  rm -rf "$log" "$staging"
}

go_program github.com/summerwind/h2spec/cmd/h2spec@v2.2.1+incompatible h2spec
go_program google.golang.org/grpc/interop/client@v1.85.0 grpc_client
go_program google.golang.org/grpc/interop/server@v1.85.0 grpc_server

go_here() { # FOLDER: a program of ours that uses libraries from the module proxy
  [ -x "$bin/$1" ] && return
  command -v go >/dev/null || { echo "   skipped $1: no Go on this machine"; return; }
  local log
  log=$(mktemp)
  if ! (cd "test/interop/$1" && GOFLAGS=-modcacherw timeout 600 go build -o "$bin/$1" .) >"$log" 2>&1; then
    echo "   skipped $1: cannot be built ($(tail -1 "$log"))"
  fi
  rm -f "$log"
}

go_here kafka_peer
go_here otlp_peer
