#!/usr/bin/env bash
# Builds the page: one file that works from disk. It goes to target/web/index.html.
set -euo pipefail
cd "$(dirname "$0")/../.."
target=wasm32-unknown-unknown
rustup target add "$target" >/dev/null 2>&1 || true
${CARGO:-cargo} build --quiet --profile page -p web --lib --target "$target"
mkdir -p target/web
python3 - "target/$target/page/web.wasm" examples/web/page target/web/index.html <<'PYTHON'
import base64, pathlib, sys
wasm, page, out = map(pathlib.Path, sys.argv[1:])
parts = {
    "style": (page / "style.css").read_text(),
    "script": "\n".join((page / name).read_text() for name in ["core.js", "flood.js", "ring.js", "swarm.js", "chain.js", "stake.js"]) + "\nmain();",
    "wasm": base64.b64encode(wasm.read_bytes()).decode(),
}
text = (page / "index.html").read_text()
for name, part in parts.items():
    text = text.replace("{{" + name + "}}", part.strip())
out.write_text(text)
lines = sum(len(file.read_text().splitlines()) for file in page.iterdir())
print(f"{out}: {len(text.encode())} bytes, of which {wasm.stat().st_size} are the crates before base64")
print(f"drawing and input: {lines} lines in {page}")
PYTHON
