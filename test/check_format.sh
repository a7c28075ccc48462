#!/usr/bin/env bash
# Fails if a file is not formatted by clang-format, and lists such files; --fix reformats them.
set -euo pipefail
cd "$(dirname "$0")/.."
files=$(find src test plugins -name '*.cc' -o -name '*.h' | grep -v '^test/compile/' | sort)
if [ "${1:-}" = --fix ]; then
  echo "$files" | xargs clang-format -i
  exit
fi
wrong=$(echo "$files" | xargs clang-format --dry-run 2>&1 | sed -n 's/^\([^:]*\):[0-9].*code should be clang-formatted.*/\1/p' | sort -u)
[ -z "$wrong" ] || { echo "not formatted (run test/check_format.sh --fix):"; echo "$wrong"; exit 1; }
echo "format: ok, $(echo "$files" | wc -l) files"
