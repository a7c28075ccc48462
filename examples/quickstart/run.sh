#!/usr/bin/env bash
# The 60-second demo: installs what is missing, builds, makes development certificates, starts a demo service with Yett
# before it, and shows an ALLOW, a DENY, an anonymous caller and a policy edited live. Then stays up until Ctrl-C.
#   --once   exit after the show: 0 if everything was as it says, else not
set -euo pipefail
cd "$(dirname "$0")/../.."
. test/packages.sh
once=false
[ "${1:-}" = --once ] && once=true

here=examples/quickstart
work=$here/run
yett=${YETT_BINARY:-}
if [ -z "$yett" ] && [ -x /usr/bin/yett ]; then
  yett=/usr/bin/yett
  echo "== using the installed program: $($yett --version | head -1)"
  install_packages $DEMO_PACKAGES
elif [ -z "$yett" ]; then
  yett=build/release/yett
  echo "== building the program (with the package installed, this takes seconds: docs/operations.md)"
  install_packages $BUILD_PACKAGES $DEMO_PACKAGES
  build release yett
fi
rm -rf "$work"
mkdir -p "$work/rules"
cp "$here/orders.lua" "$work/rules/"
chmod 644 "$work/rules/orders.lua"
chmod go-w "$here/yett.json"

echo "== making certificates"
$yett certs init --dir "$work/certs"
$yett certs issue --profile certs/profiles/gate.json --profile certs/profiles/frontend.json --profile certs/profiles/mia.json --dir "$work/certs"

pids=()
stop() { for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done; wait 2>/dev/null || true; }
trap stop EXIT
trap 'exit 130' INT TERM
/usr/bin/python3 "$here/service.py" 9000 & pids+=($!)
for _ in $(seq 100); do curl -s http://127.0.0.1:9000/ >/dev/null && break; sleep 0.1; done
$yett check -c "$here/yett.json"
$yett run -c "$here/yett.json" 2>"$work/yett.log" & pids+=($!)
for _ in $(seq 100); do curl -sf http://127.0.0.1:9901/readyz >/dev/null && break; sleep 0.1; done
curl -sf http://127.0.0.1:9901/readyz >/dev/null || { cat "$work/yett.log" >&2; echo "error: yett did not start: are ports 8443, 9000 and 9901 free?" >&2; exit 1; }

wrong=0
# show WANTED-STATUS TITLE CALLER PATH [curl options]
show() {
  local wanted=$1 title=$2 caller=$3 path=$4
  shift 4
  local certificate=()
  [ "$caller" = - ] || certificate=(--cert "$work/certs/$caller.pem" --key "$work/certs/$caller.key")
  local answer status
  answer=$(curl -s -w '%{http_code}' --cacert "$work/certs/bundle.pem" "${certificate[@]}" "$@" "https://localhost:8443$path" || true)
  status=${answer: -3}
  printf '\n-- %s\n   GET %s -> %s\n   %s\n' "$title" "$path" "$status" "${answer:0:${#answer}-3}"
  [ "$status" = "$wanted" ] || { echo "   wrong: expected $wanted"; wrong=1; }
}

show 200 "ALLOW: frontend reads an order" frontend /orders/42
show 403 "DENY: nobody reads debug" frontend /debug/vars
show 403 "DENY: an anonymous caller" - /orders/42
show 403 "DENY: support says no region, and an absent value is an error, not nil" mia /orders/42
show 200 "ALLOW: support for its region" mia /orders/42 -H "x-region: eu"

echo; echo "== the policy is edited while it runs: frontend may no longer read"
sed -i 's|sa/frontend|sa/nobody|' "$work/rules/orders.lua"
sleep 1
show 403 "DENY: the newest policy" frontend /orders/42

echo; echo "== a broken edit is reported and changes nothing"
echo 'policy "broken" { allow "x" { pathh = "/" } }' >"$work/rules/broken.lua"
sleep 1
grep -o 'problem=.*' "$work/yett.log" | tail -2 || wrong=1
show 200 "ALLOW: still in force" mia /orders/42 -H "x-region: eu"
rm "$work/rules/broken.lua"

echo; echo "== the record"
sleep 0.3
$yett log query -c "$here/yett.json"
$yett log verify -c "$here/yett.json" || wrong=1
[ "$($yett log query -c "$here/yett.json" --format json | wc -l)" = 7 ] || { echo "wrong: expected 7 records"; wrong=1; }

if $once; then
  [ $wrong = 0 ] && echo && echo "everything was as it should be"
  exit $wrong
fi
echo
echo "Yett stays up: https://localhost:8443, metrics on http://127.0.0.1:9901/metrics, policy in $work/rules. Ctrl-C ends it."
wait
