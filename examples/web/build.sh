#!/usr/bin/env bash
# Builds the page: one file that works from disk. It goes to target/web/index.html.
set -euo pipefail
cd "$(dirname "$0")/../.."
target=wasm32-unknown-unknown
rustup target add "$target" >/dev/null 2>&1 || true
${CARGO:-cargo} build --quiet --profile page -p web --lib --target "$target"
mkdir -p target/web
python3 - "target/$target/page/web.wasm" examples/web/page target/web/index.html <<'PYTHON'
import base64, gzip, pathlib, sys
wasm, page, out = map(pathlib.Path, sys.argv[1:])
parts = {
    "style": (page / "style.css").read_text(),
    "script": "\n".join((page / name).read_text() for name in ["core.js", "flood.js", "ring.js", "swarm.js", "chain.js", "stake.js"]) + "\nmain();",
    "wasm": base64.b64encode(gzip.compress(wasm.read_bytes(), mtime=0)).decode(),
}
text = (page / "index.html").read_text()
for name, part in parts.items():
    text = text.replace("{{" + name + "}}", part.strip())
out.write_text(text)
lines = sum(len(file.read_text().splitlines()) for file in page.iterdir())
print(f"{out}: {len(text.encode())} bytes; the crates are {wasm.stat().st_size} before gzip and base64")
print(f"drawing and input: {lines} lines in {page}")
PYTHON
