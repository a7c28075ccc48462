#!/usr/bin/env bash
# Shows one of the examples: builds Yett, makes development certificates, starts a demo service with Yett before it, sends
# the requests of its requests.txt and compares the answers with what stands there.
#   examples/show.sh NAME [--stay]      NAME: rules-json, program, plugin; --stay: stay up until Ctrl-C
set -euo pipefail
cd "$(dirname "$0")/.."
. test/packages.sh
here=examples/${1:-}
[ -f "$here/requests.txt" ] || { echo "usage: examples/show.sh $(cd examples && echo */requests.txt | sed 's|/requests.txt||g; s/ /|/g') [--stay]" >&2; exit 2; }

install_packages $BUILD_PACKAGES $DEMO_PACKAGES
build release yett cidr_list signed_header
yett=${YETT_BINARY:-build/release/yett}
work=$here/run
rm -rf "$work"
mkdir -p "$work"
chmod -R go-w "$here"
$yett certs init --dir "$work/certs" >/dev/null
$yett certs issue --profile certs/profiles/gate.json --profile certs/profiles/frontend.json --profile certs/profiles/mia.json --dir "$work/certs" >/dev/null

pids=()
stop() { for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done; wait 2>/dev/null || true; }
trap stop EXIT
trap 'exit 130' INT TERM
/usr/bin/python3 examples/quickstart/service.py 9000 & pids+=($!)
for _ in $(seq 100); do curl -s http://127.0.0.1:9000/ >/dev/null && break; sleep 0.1; done
[ -d "$here/rules" ] && $yett test "$here/rules" | tail -1
$yett check -c "$here/yett.json"
$yett run -c "$here/yett.json" 2>"$work/yett.log" & pids+=($!)
for _ in $(seq 100); do curl -sf http://127.0.0.1:9901/readyz >/dev/null && break; sleep 0.1; done
curl -sf http://127.0.0.1:9901/readyz >/dev/null || { cat "$work/yett.log" >&2; echo "error: yett did not start: are ports 8443, 9000 and 9901 free?" >&2; exit 1; }

wrong=0
# WANTED-STATUS CALLER METHOD PATH [curl options], and a line of comment before it
while read -r status caller method path rest; do
  case "$status" in ""|"#") [ -z "$status" ] || echo "-- $caller $method $path $rest"; continue ;; esac
  eval "extra=($rest)"
  certificate=()
  [ "$caller" = - ] || certificate=(--cert "$work/certs/$caller.pem" --key "$work/certs/$caller.key")
  answer=$(curl -s -w '%{http_code}' --cacert "$work/certs/bundle.pem" "${certificate[@]}" "${extra[@]}" -X "$method" "https://127.0.0.1:8443$path" || true)
  echo "   $caller $method $path -> ${answer: -3} $(head -c 200 <<<"${answer:0:${#answer}-3}" | tr -d '\n')"
  [ "${answer: -3}" = "$status" ] || { echo "   wrong: expected $status"; wrong=1; }
done <"$here/requests.txt"
echo
sleep 0.3
$yett log query -c "$here/yett.json"
if [ "${2:-}" = --stay ]; then
  echo "Yett stays up: https://127.0.0.1:8443. Ctrl-C ends it."
  wait
fi
[ $wrong = 0 ] && echo "everything was as it should be"
exit $wrong
