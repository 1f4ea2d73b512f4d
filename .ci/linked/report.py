#!/usr/bin/env python3
"""Reads the assembly of `probes.py`.

usage: report.py panics FILE [EXCEPTION ..]      every function that calls a panic of `core`
       report.py stack FILE CRATE TABLE [--bless]
                                                every public function whose stack is deeper than TABLE allows

An exception is how the name of a function of a dependency begins; after a `+`, the whole name of a function of ours into
which a dependency is inlined.
"""
import os
import re
import subprocess
import sys

PANIC = re.compile(r"4core9panicking|rust_begin_unwind|_fail(?:ed)?\d*17h|slice_\w+_fail|unwrap_failed|expect_failed|len_mismatch_fail|10rust_panic")


# What has a bound of its own: signatures, the functions of hashes, and inflating. The lines behind the first name ours into
# which signatures are inlined.
EXEMPT = re.compile(
    r"curve25519_dalek|ed25519_dalek|^<?sha[12]::|miniz_oxide"
    r"|consensus::vote::verify::Ed25519 as consensus::vote::verify::Verify>::verify"
    r"|bittorrent_pieces::dht::item::(?:signature|verifies)$"
    r"|ledger_core::log::key::VerifierKey>::verifies"
)
BOUND = 2048  # bytes that every public function may take besides that
TOLERANCE = 1.1  # of what the table says


class Function:
    def __init__(self, name):
        self.name = name
        self.calls = set()
        self.frame = 0
        self.indirect = 0
        self.constants = set()


def read(path):
    """Returns the functions of a file by their mangled names."""
    functions, current, aliases = {}, None, {}
    pending = None
    for line in open(path):
        label = re.match(r"([\w.$]+):", line)
        if label and not label[1].startswith((".L", "$")):
            current = functions.setdefault(label[1], Function(label[1]))
            continue
        alias = re.match(r"\s*\.set\s+([\w.$]+), ([\w.$]+)", line)
        if alias:
            aliases[alias[1]] = alias[2]
        # The section of stack sizes: an address, and a number in LEB128.
        if ".section\t.stack_sizes" in line:
            pending = "address"
            continue
        if pending == "address" and (word := re.match(r"\s*\.long\s+([\w.$]+)", line)):
            pending, owner, size, shift = "size", word[1], 0, 0
            continue
        if pending == "size":
            byte = re.match(r"\s*\.(?:byte|ascii|asciz)\s+(.*)", line)
            if byte and "byte" in line:
                for value in byte[1].split(","):
                    size |= (int(value, 0) & 0x7F) << shift
                    shift += 7
            elif byte:
                raw = byte[1].strip()[1:-1].encode().decode("unicode_escape").encode("latin1")
                for value in raw:
                    size |= (value & 0x7F) << shift
                    shift += 7
            else:
                pending = None
                if current is not None:
                    current.frame = size
        call = re.match(r"\s+(?:bl|b|b\.w|beq|bne|b\w\w|b\w\w\.w|blx)\s+([_a-zA-Z][\w.$]*)\s*$", line)
        if call and current is not None and not call[1].startswith((".L",)):
            target = call[1]
            if re.match(r"\s+blx\s", line) and re.fullmatch(r"r\d+|lr|ip|r1[0-2]", target):
                current.indirect += 1
            elif not re.fullmatch(r"r\d+|lr|ip|pc", target):
                current.calls.add(target)
        if current is not None:
            current.constants.update(re.findall(r":lower16:(\.Lanon[\w.]*)", line))
        words = re.match(r"\s+(?:movw|movt)\s+\w+, :(?:lower|upper)16:([\w.$]+)", line)
        if words and current is not None:
            current.calls.add("&" + words[1])
    for function in functions.values():
        function.calls = {aliases.get(name, name) for name in function.calls}
    for alias, name in aliases.items():
        if name in functions:
            functions.setdefault(alias, functions[name])
    return functions


def locations(path):
    """Returns the places in the sources that panics name, by the labels of their constants."""
    text = open(path).read()
    files = dict(re.findall(r'^(\.Lanon[\w.]*):\n\s+\.asciz\s+"([^"\\]*\.rs)"', text, re.M))
    places = {}
    for label, file, rest in re.findall(r'^(\.Lanon[\w.]*):\n\s+\.long\s+(\.Lanon[\w.]*)\n\s+\.asciz\s+"(.*)"$', text, re.M):
        raw = rest.encode().decode("unicode_escape").encode("latin1")
        if file in files and len(raw) >= 8:
            name = re.sub(r"^/rustc/\w+/library/|^.*/registry/src/[^/]+/", "", files[file])
            places[label] = f"{name.removeprefix(os.getcwd() + '/')}:{int.from_bytes(raw[4:8], 'little')}"
    return places


def demangle(names):
    text = subprocess.run(["c++filt"], input="\n".join(names), capture_output=True, text=True, check=True).stdout
    return dict(zip(names, (re.sub(r"::h[0-9a-f]{16}$|\[[0-9a-f]{8,16}\]", "", name) for name in text.split("\n"))))


def panics(functions, exceptions, places):
    """Returns each function that calls a panic, with its callers up to a probe."""
    found = {}
    for function in functions.values():
        if PANIC.search(function.name):
            continue
        for name in function.calls:
            if PANIC.search(name):
                found.setdefault(function.name, set()).add(name.lstrip("&"))
    names = demangle(sorted(set(found) | {name for calls in found.values() for name in calls}))
    inlined = {f"in {each.removeprefix('+')}" for each in exceptions if each.startswith("+")}
    bad = excused = 0
    for function in sorted(found, key=lambda name: names[name]):
        reasons = ", ".join(sorted({names[name] for name in found[function]}))
        own = re.sub(r"^probe_\d+_\w*?(?=[A-Z])", "probe_", names[function].lstrip("<&["))
        if own.startswith(tuple(exceptions)) or f"in {own}" in inlined:
            excused += 1
            continue
        bad += 1
        print(f"    {names[function]}\n        {reasons}")
        print("        at " + ", ".join(sorted(places[label] for label in functions[function].constants if label in places)))
    print(f"{bad} functions with a panic, {excused} in the named dependencies")
    return bad


def depth(functions, name, known, path, skip):
    """Returns the deepest stack below and with a function, and the chain of calls that takes it."""
    if name in known:
        return known[name]
    if name in path or name in skip or name not in functions:
        return (0, [])
    path.add(name)
    best = (0, [])
    for callee in functions[name].calls:
        if not callee.startswith("&") and callee != name:
            best = max(best, depth(functions, callee, known, path, skip))
    path.remove(name)
    known[name] = (functions[name].frame + best[0], [name] + best[1])
    return known[name]


def rows_of(functions, skip):
    """Returns the stack of each public function and its chain of calls, by name."""
    known = {}
    return {
        re.sub(r"^probe_\d+_", "", name): depth(functions, name, known, set(), skip)
        for name in functions
        if name.startswith("probe_")
    }


def stack(functions, crate, table, bless):
    """Compares with the table, which has the bytes of a function and those besides what is exempt; what is not in it may take
    `BOUND` bytes of these."""
    names = demangle(sorted(functions))
    whole = rows_of(functions, set())
    own = rows_of(functions, {name for name in functions if EXEMPT.search(names[name])})
    listed = [line.split() for line in open(table)] if os.path.exists(table) else []
    if bless:
        found = sorted(((own[label][0], whole[label][0], label) for label in own), reverse=True)
        lines = [[crate, label, str(all_), str(bytes_)] for bytes_, all_, label in found if all_ > BOUND]
        listed = [line for line in listed if line[0] != crate] + lines
        with open(table, "w") as out:
            out.writelines(f"{' '.join(line)}\n" for line in listed)
    bounds = {label: (int(all_), int(bytes_)) for owner, label, all_, bytes_ in listed if owner == crate}
    bad = 0
    for at, rows in enumerate((whole, own)):
        for label, (bytes_, chain) in rows.items():
            limit = max(BOUND, bounds.get(label, (0, 0))[at] * TOLERANCE)
            if bytes_ > limit:
                bad += 1
                print(f"    {label}: {bytes_} bytes, more than {limit:.0f}")
                for each in chain:
                    print(f"        {functions[each].frame:>6} {names[each][:150]}")
    above = sum(bytes_ > BOUND for bytes_, _ in own.values())
    print(f"{crate}: {above} of {len(own)} above {BOUND} bytes besides signatures, hashing and inflating; the deepest:")
    for bytes_, label in sorted(((bytes_, label) for label, (bytes_, _) in own.items()), reverse=True)[:3]:
        print(f"{bytes_:>8} {label}")
    return bad


def main():
    what, path, *rest = sys.argv[1:]
    functions = read(path)
    if what == "panics":
        sys.exit(panics(functions, rest, locations(path)) > 0)
    sys.exit(stack(functions, rest[0], rest[1], "--bless" in rest) > 0)


if __name__ == "__main__":
    main()
