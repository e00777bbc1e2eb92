#!/bin/sh
# Derives board.json from board.ts: sh tests/dashboards/schema/schema.sh. Needs Node with npm; nothing else here does.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$here/board.ts" "$here/fold.mjs" "$work"
cd "$work"
npm init --yes >/dev/null
npm install --silent --ignore-scripts --no-audit --no-fund \
	@grafana/schema@12.4.11 grafana-schema-10@npm:@grafana/schema@10.4.19 ts-json-schema-generator@2.4.0
# The two versions have types of the same names: none is a definition of its own, and fold.mjs makes them.
npx ts-json-schema-generator --path board.ts --type Board --no-type-check --no-top-ref --expose none >unfolded.json
node fold.mjs unfolded.json >"$here/board.json"
