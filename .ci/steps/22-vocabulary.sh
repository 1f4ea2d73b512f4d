#!/usr/bin/env bash
# Public text says what the field says. Each pattern stands for a habit that readers stumbled over; the fix is on its right.
# It also keeps out statements that pack several assignments into one tuple, and memory that is leaked.
set -euo pipefail
python3 - <<'PYTHON'
import re, subprocess, sys

PATTERNS = {
    r"(?<!there )\b(?:is|are) none\b": "invalid, malformed, not a valid ..",
    r"\b[Tt]akes in ": "Handles, Processes, Parses",
    r"\b[Ll]ets time pass\b": "Fires expired timers",
    r"\b(?:lent|Lent|lends?|Lends?)\b": "caller-provided, storage, slots",
    r"\bso (?:many|much) (?:bytes|items|slots|pieces|blocks|peers|nodes|hashes)\b": "the name of the number",
    r"\bcomes? to nothing\b": "fails",
    r"\bis no harm\b": "is ignored",
    r"\bmade anew\b": "rebuilt",
    r"\bkept in mind\b": "remembered",
    r"\bat hand\b": "available",
    r"\b[Tt]ells whether\b|\bReturns `true` if\b": "Returns whether",
    r"\b[Ww]hoever\b|\b[Ww]hom\b": "a peer that, the node that",
}
PACKED = re.compile(r"^\s*(?:let )?\((?:&?(?:mut )?[\w.*]+)(?:, &?(?:mut )?[\w.*]+)+\)\s*=\s*\(", re.M)
LEAK = re.compile(r"\.leak\(\)")

files = subprocess.run(["git", "ls-files"], capture_output=True, text=True, check=True).stdout.split("\n")
found = 0


def complain(path, number, line, advice):
    global found
    found += 1
    print(f"{path}:{number}: {line.strip()[:110]}\n    write: {advice}", file=sys.stderr)


lines_of_rust = packed = 0
for path in files:
    if not path.endswith((".rs", ".md")):
        continue
    try:
        text = open(path).read()
    except FileNotFoundError:
        continue
    if path.endswith(".rs"):
        lines_of_rust += text.count("\n")
        packed += len(PACKED.findall(text))
    for number, line in enumerate(text.split("\n"), 1):
        public = path.endswith(".md") or re.match(r"\s*//[/!]", line) or "#[error(" in line
        for pattern, advice in PATTERNS.items() if public else ():
            if re.search(pattern, line):
                complain(path, number, line, advice)
        if path.endswith(".rs") and LEAK.search(line):
            complain(path, number, line, "storage that its user owns")
share = 1000 * packed / max(1, lines_of_rust)
print(f"{share:.2f} packed statements in 1,000 lines of Rust")
sys.exit(found > 0 or share > 2)
PYTHON
