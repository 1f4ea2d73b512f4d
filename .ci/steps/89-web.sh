#!/usr/bin/env bash
# The page on which the crates play, opened from disk in headless Chromium and used as a person does; and the same seed
# gives the same trace natively and there.
set -euo pipefail
if ! command -v chromium >/dev/null; then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium
fi
bash examples/web/build.sh
size=$(stat -c %s target/web/index.html)
[ "$size" -lt 700000 ]
cargo run --quiet -p web --example traces >target/web/traces.json
mkdir -p target/web/node
[ -d target/web/node/node_modules/playwright-core ] ||
    npm install --silent --ignore-scripts --no-audit --no-fund --prefix target/web/node playwright-core@1
page=$PWD/target/web/index.html
pictures=$PWD/target/web/pictures
traces=$PWD/target/web/traces.json
test=$PWD/examples/web/test.mjs
(cd target/web/node && timeout 300 node "$test" "$page" "$pictures" "$traces")
