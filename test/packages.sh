# Debian 12 packages needed to build and test Yett; sourced by the scripts that install them.
BUILD_PACKAGES="g++ cmake ninja-build ccache pkg-config libpoco-dev libssl-dev liblua5.4-dev libjsoncpp-dev libre2-dev libabsl-dev tzdata libseccomp-dev libutf8proc-dev libprotozero-dev libc-ares-dev libsqlite3-dev libnghttp2-dev librdkafka-dev libcli11-dev libzstd-dev"
DEMO_PACKAGES="python3 curl openssl ca-certificates"
TEST_PACKAGES="catch2 clang-format clang-tidy nginx-light procps nodejs python3-h2 python3-cryptography python3-grpcio python3-jwt python3-websockets apache2-bin haproxy lighttpd rsyslog rsyslog-openssl nghttp2-client strace valgrind sqlite3 python3-zstandard prometheus testssl.sh"
# What builds and tries the packages: packaging/, test/interop/test_packages.py.
PACKAGE_PACKAGES="debhelper dpkg-dev fakeroot lintian mmdebstrap systemd systemd-container patchelf binutils man-db"
BENCH_PACKAGES="nginx-light libnginx-mod-http-lua haproxy nghttp2-proxy python3 python3-venv linux-perf"

# install_packages PACKAGE...: installs the missing ones and lists them.
install_packages() {
  local missing=()
  for package in "$@"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  echo "== installing ${missing[*]}"
  local sudo=""
  if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || { echo "error: these packages are missing and this is not root: ${missing[*]}" >&2; return 1; }
    sudo=sudo
  fi
  local log
  log=$(mktemp)
  if ! { $sudo apt-get update -qq && $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
    tail -20 "$log" >&2
    echo "error: cannot install ${missing[*]} (log: $log)" >&2
    return 1
  fi
  rm -f "$log"
}

# build PRESET [TARGET...]: configures and builds, quietly unless it fails.
# With YETT_WERROR set, warnings are errors.
build() {
  local preset=$1 log began
  shift
  log=$(mktemp)
  began=$(date +%s)
  echo "== building $preset"
  export CCACHE_BASEDIR=$PWD CCACHE_NOHASHDIR=1  # a second clone reuses what the first one compiled
  if ! { cmake --preset "$preset" ${YETT_WERROR:+-DYETT_WERROR=ON} && cmake --build --preset "$preset" ${@:+--target "$@"}; } >"$log" 2>&1; then
    grep -E 'error|FAILED' "$log" | head -40 >&2
    tail -5 "$log" >&2
    echo "error: building $preset failed (log: $log)" >&2
    return 1
  fi
  rm -f "$log"
  echo "   built in $(($(date +%s) - began)) s"
}
