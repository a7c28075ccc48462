#!/usr/bin/env bash
# Installs what is missing, builds Yett three times (optimised, ASan+UBSan, TSan) and runs all tests.
# The last line counts them. Works from a clean clone on Debian 12, as root or with sudo.
#   --quick     only the optimised build's scenarios and the unit tests under ASan
#   --interop   also against peers from other registries (test/interop); skips those that are not available
#   --full      also the tests that take an hour
set -euo pipefail
cd "$(dirname "$0")/.."
. test/packages.sh

quick=false
interop=false
full=false
for word in "$@"; do
  case "$word" in
    --quick) quick=true ;;
    --interop) interop=true ;;
    --full) full=true ;;
    *) echo "usage: test/run.sh [--quick] [--interop] [--full]" >&2; exit 2 ;;
  esac
done

began=$(date +%s)
passed=0
failed=0
skipped=0
broken=()  # what failed, listed at the end
second=()  # what failed once and passed the second time
out=$(mktemp)
again=$(mktemp)
beside=$(mktemp -d)
trap 'rm -rf "$out" "$again" "$beside"' EXIT
ulimit -n 65536 2>/dev/null || ulimit -n "$(ulimit -Hn)"

step() { # NAME: a headline with the time since the start
  echo "== $1 [$(($(date +%s) - began)) s]"
}

pass() { # COUNT
  passed=$((passed + $1))
}

fail() { # NAME [COUNT]
  failed=$((failed + ${2:-1}))
  broken+=("$1")
}

check() { # COMMAND...
  if "$@"; then pass 1; else fail "$*"; fi
}

unit() { # PRESET
  step "unit tests ($1)"
  local ok=true
  "build/$1/test/yett_unit" --use-colour no >"$out" 2>&1 || ok=false
  $ok || grep -v '^\.*$' "$out" | tail -80
  # "All tests passed (N assertions in M test cases)" or "test cases: M | P passed | F failed"
  if $ok; then
    local cases
    cases=$(sed -n 's/.* in \([0-9]*\) test cases*).*/\1/p' "$out" | tail -1)
    pass "$cases"
    echo "   $cases cases passed"
  else
    pass "$(sed -n 's/^test cases:.*| *\([0-9]*\) passed.*/\1/p' "$out" | tail -1 | grep . || echo 0)"
    fail "unit tests ($1)" "$(sed -n 's/^test cases:.*| *\([0-9]*\) failed.*/\1/p' "$out" | tail -1 | grep . || echo 1)"
  fi
}

properties() { # the property tests at full length, on the optimised build
  step "properties: a million requests for the rule index, 100,000 for the exact memory, 20,000 mutations for each parser"
  if YETT_TEST_PROPERTY=1000000 YETT_TEST_FUZZ=20000 build/release/test/yett_unit --use-colour no "rule index*,combining*,exact memory*,fuzz*" >"$out" 2>&1; then
    pass "$(sed -n 's/.* in \([0-9]*\) test cases*).*/\1/p' "$out" | tail -1)"
    grep -E 'decisions, ' "$out" || true
  else
    grep -v '^\.*$' "$out" | tail -60
    fail properties
  fi
}

unittests() { # PRESET SLOWNESS OUTPUT NAME...
  local preset=$1 slow=$2 into=$3
  shift 3
  (cd test/scenario && PYTHONPATH=../interop YETT_TEST_BINARY="$PWD/../../build/$preset/yett" YETT_TEST_SLOW=$slow timeout "${YETT_TEST_TIMEOUT:-2400}" /usr/bin/python3 -W ignore timed.py "$@") >"$into" 2>&1
}

failures() { # FILE LINES: what failed, cut. awk reads to the end: a closed pipe would end this script.
  awk -v most="$2" '/^==========/ { on = 1 } on && ++n <= most { print substr($0, 1, 2000) }' "$1"
}

judge() { # PRESET SLOWNESS OUTPUT OK: counts what unittests printed
  local preset=$1 slow=$2 from=$3 ok=$4
  grep -E '^  [0-9]|^test_.*ok$|^ok$' "$from" | grep -E '^  ' || true
  grep -E '^seconds: ' "$from" | fold -s -w 116 | sed 's/^/   /' || true
  $ok || failures "$from" 300
  local ran bad left names
  ran=$(sed -n 's/^Ran \([0-9]*\) tests* in.*/\1/p' "$from" | tail -1)
  names=$(sed -nE 's/^(FAIL|ERROR): [^(]*\(([^)]*)\).*/\2/p' "$from" | sort -u)
  bad=$(wc -w <<<"$names")
  $ok || [ "$bad" -gt 0 ] || bad=1
  ran=${ran:-1}
  left=$(sed -nE 's/^(OK|FAILED) \(.*skipped=([0-9]+).*/\2/p' "$from" | tail -1)
  left=${left:-0}
  # Tests measure times, and this machine may be shared: one that failed runs a second time, alone, and is named at
  # the end. What a sanitizer reported is a fault at once.
  if [ -n "$names" ] && [ "$bad" -le 5 ] && ! grep -qE 'Sanitizer|runtime error:' "$from"; then
    if unittests "$preset" "$slow" "$again" $names; then
      bad=0
      second+=("scenarios ($preset):" $names)
    else
      failures "$again" 100
    fi
  fi
  pass $((ran - bad - left))
  [ "$bad" = 0 ] || fail "scenarios ($preset): ${names:-timed out or did not start}" "$bad"
  skipped=$((skipped + left))
  echo "   $preset: $((ran - bad - left)) of $ran passed, $left skipped"
}

scenarios() { # PRESET SLOWNESS MODULE...
  local preset=$1 slow=$2 ok=true
  shift 2
  step "scenarios ($preset): $*"
  unittests "$preset" "$slow" "$out" "$@" || ok=false
  judge "$preset" "$slow" "$out" $ok
}

together() { # "PRESET SLOWNESS MODULE..."...: lists of scenarios at the same time, since they mostly wait
  local lists=() pids=() oks=() words n list
  for list in "$@"; do
    read -ra words <<<"$list"
    step "at the same time: scenarios (${words[0]}): ${words[*]:2}"
    n=${#lists[@]}
    lists+=("$list")
    unittests "${words[0]}" "${words[1]}" "$beside/$n" "${words[@]:2}" &
    pids+=($!)
  done
  for n in "${!pids[@]}"; do
    if wait "${pids[n]}"; then oks+=(true); else oks+=(false); fi
  done
  for n in "${!lists[@]}"; do
    read -ra words <<<"${lists[n]}"
    judge "${words[0]}" "${words[1]}" "$beside/$n" "${oks[n]}"
  done
}

install_packages $BUILD_PACKAGES $DEMO_PACKAGES $TEST_PACKAGES

step architecture
check python3 test/check_arrows.py
check python3 test/check_schema.py
check test/check_format.sh

export ASAN_OPTIONS=detect_leaks=1:abort_on_error=0 UBSAN_OPTIONS=print_stacktrace=1 TSAN_OPTIONS=halt_on_error=0:second_deadlock_stack=1
YETT_WERROR=1 build release
check python3 test/check_compile.py build/release
if ! $quick; then
  step "clang-tidy, with thread safety analysis"
  check python3 test/check_tidy.py build/release
fi
properties
# Two lists at a time, since scenarios mostly wait; what measures times and memory runs alone.
one="test_examples test_workload_api test_life test_certificates test_proxy test_bundle_endpoint test_tokens test_tokens_found test_tokens_edges test_revocation test_policy test_claims test_sandbox test_cli test_paths test_desync test_language test_documents test_tools test_reload test_identity test_policy_tools test_trust test_named_callers test_metrics test_log_tools"
two="test_evidence test_sinks test_upstreams test_evidence_found test_durability test_http2 test_audit test_dns test_websocket test_health test_http2_found test_clients test_upstreams_found test_grpc test_hostile_log test_upstream_tls test_rate_limits test_mutated_log test_sink_proof"
together "release 1 $one" "release 1 $two"
scenarios release 1 test_stalls test_hostile test_holdup test_shares test_chaos test_cost test_growth
step "cost of decisions and records (figures only; they fail no test)"
build/release/test/yett_bench
build/release/test/yett_micro_bench
build/release/test/yett_audit_bench
/usr/bin/python3 -W ignore test/bench/strict.py || true
(cd test/bench && /usr/bin/python3 -W ignore tokens.py) || true
python3 test/bench/jwt_speed.py build/release/test/yett_jwt_speed || true
build dev
unit dev
if ! $quick; then
  build tsan
  unit tsan
  # Only what runs several threads goes under TSan: the tools that read logs and policies have one, and floods meet one
  # loop.
  YETT_TEST_BODY=$((32 << 20)) YETT_TEST_CONNECTIONS=300 together \
    "dev 5 test_life test_tools test_policy_tools test_language test_sandbox test_log_tools test_identity test_certificates test_revocation test_bundle_endpoint test_workload_api test_named_callers test_tokens test_tokens_found test_tokens_edges test_claims test_documents test_trust test_proxy test_reload test_cli" \
    "dev 5 test_stalls test_hostile test_upstreams test_upstreams_found test_upstream_tls test_dns test_health test_rate_limits test_policy test_durability test_audit test_evidence test_evidence_found test_sink_proof test_hostile_log test_mutated_log test_http2 test_http2_found test_grpc test_websocket test_clients test_paths" \
    "tsan 6 test_life test_proxy test_reload test_stalls test_policy test_durability test_audit test_clients test_tokens_found test_tokens_edges test_rate_limits" \
    "tsan 6 test_workload_api test_bundle_endpoint test_upstreams.Upstreams.test_a_storm_of_retries_is_bounded test_upstreams.Upstreams.test_an_endpoint_that_fails_is_ejected_and_comes_back test_dns test_upstream_tls test_upstreams_found test_health test_http2 test_http2_found test_grpc test_websocket"
fi
if $interop; then
  step "interop: peers from other registries; benchmark against other proxies (figures only; they fail no test)"
  test/bench/run.sh --quick || true
  test/interop/install.sh
  scenarios release 1 test_interop test_services test_readers test_tls test_minters test_upstream_peers test_outages test_packages
fi
if $full; then
  step "full: kill -9 a thousand times, sinks 100,000 records behind, ten million decisions, 1,000 rotations, SPIRE"
  YETT_INSTALL_SPIRE=1 test/interop/install.sh
  YETT_TEST_ROTATIONS=1000 scenarios release 1 test_spire test_revocation
  YETT_TEST_TIMEOUT=7200 YETT_TEST_KILLS=1000 YETT_TEST_RECORDS=100000 YETT_TEST_CHAOS=160 scenarios release 1 test_durability test_audit test_chaos
  if YETT_TEST_FULL=1 YETT_TEST_POWER=500 build/release/test/yett_unit --use-colour no "audit: whichever*,audit: a loss*" >"$out" 2>&1; then
    pass 3
  else
    tail -40 "$out"
    fail "power loss at any moment"
  fi
  build/release/test/yett_audit_bench 20000000
fi

echo "== done in $(($(date +%s) - began)) s"
[ ${#second[@]} = 0 ] || echo "failed once, passed when run alone: ${second[*]}"
for what in "${broken[@]}"; do echo "failed: $what"; done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
