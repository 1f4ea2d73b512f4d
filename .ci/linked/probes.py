#!/usr/bin/env python3
"""Writes and builds, for one crate, a static library for a Cortex-M4 that exports one function for each public
function of the crate's `api.txt`, so that the linker sees every path that a device could take.

usage: probes.py CRATE OUT

Prints the path of the assembly after link-time optimisation on the last line. Functions that are not covered are
printed with the reason: text formatting (its panics are those of `core::fmt`), what needs an allocator, and what
the tables below have no type for.
"""
import functools
import json
import os
import re
import subprocess
import sys

TARGET = "thumbv7em-none-eabihf"

# The concrete types of parameters that no bound in `api.txt` tells; the others are found by `types_of`.
TYPES = {
    "bittorrent_pieces::tracker::UdpTracker": {"P": "&'static [u8]"},
    "bittorrent_pieces::tracker::UdpConfig": {"P": "&'static [u8]"},
    "chord_core::geometry::Can": {"S": "&'static mut [Option<chord_core::geometry::Neighbour<ID, ADDRESS, 2>>]", "D": "2"},
    "chord_core::geometry::Neighbours": {"D": "2"},
    "chord_core::geometry::Zone": {"D": "2"},
    "pow::Miner": {"R": "pow::LittleEndian"},
    "chord_core::List": {"T": "u32", "N": "4"},
    "consensus::clique::CliqueSeal": {
        "S": "consensus::clique::CliqueSlots<[consensus::clique::SignerSlot; 4], [consensus::clique::RecentSlot; 3], [consensus::clique::CandidateSlot; 16]>"
    },
    "consensus::select::SeededDraw": {"T": "consensus::select::StakeTree<&'static mut [consensus::select::StakeSlot]>"},
}
# A type for each trait that is a bound of a parameter.
BOUNDS = {
    "pow::difficulty::Difficulty": "pow::Retarget",
    "consensus::Selector": "consensus::RoundRobin<&'static [consensus::ValidatorId]>",
    "consensus::Keys": "consensus::Ed25519Key",
    "consensus::quorum::Quorum": "consensus::quorum::OverTwoThirds",
}
CONCRETE = {}
# For every type that has them and is not above, and for functions.
COMMON = {
    "I": "ID",
    "A": "ADDRESS",
    "LIMBS": "5",
    "BITS": "32",
    "WIDTH": "16",
    "W": "[u8]",
    "Q": "&'static [u8]",
    "E": "ENGINE",
    "L": "LEDGER",
    "M": "ledger_core::TransactionStatement",
    "T": "PARAMETER",
}
# Names of the types that the parameters stand for, by crate.
ALIASES = {
    "gnutella-wire": {"PARAMETER": "&'static mut [u8]"},
    "bittorrent-pieces": {"PARAMETER": "bittorrent_pieces::choker::Candidate"},
    "chord-core": {"ID": "chord_core::Id160", "ADDRESS": "core::net::SocketAddrV4"},
    "ledger-core": {
        "ENGINE": "pow::WorkSeal<pow::difficulty::Fixed, [pow::difficulty::HeaderInfo; 32]>",
        "LEDGER": "ledger_core::ledger::Standard",
    },
    "pow": {},
    "consensus": {},
}
TRAITS = ["core::ops::BitOr", "core::ops::Deref", "core::hash::Hash", "core::str::FromStr"]
LEFT_OUT = {"alloc", "defmt", "serde", "default", "simd", "std", "unicode"}
FAMILY = ["gnutella_wire", "chord_core", "bittorrent_pieces", "ledger_core", "pow", "consensus"]
DEPENDENCIES = ["gnutella-wire", "chord-core", "bittorrent-pieces", "ledger-core", "pow", "consensus"]


def close(text, at):
    """Returns the index after the bracket that closes the one at `at`."""
    pairs = {"(": ")", "<": ">", "[": "]"}
    stack = []
    while True:
        c = text[at]
        if c in pairs:
            stack.append(pairs[c])
        elif c in ")]" or c == ">" and text[at - 1] not in "-=":
            stack.pop()
            if not stack:
                return at + 1
        at += 1


def split(text):
    """Splits arguments at the commas outside of brackets."""
    parts, depth, start = [], 0, 0
    for at, c in enumerate(text):
        if c in "(<[":
            depth += 1
        elif c in ")]" or c == ">" and text[at - 1] not in "-=":
            depth -= 1
        elif c == "," and depth == 0:
            parts.append(text[start:at].strip())
            start = at + 1
    tail = text[start:].strip()
    return parts + ([tail] if tail else [])


def parse(line):
    """Returns the type or module, the name and the arguments of a function."""
    text = re.sub(r"^pub (?:const )?(?:unsafe )?fn ", "", line)
    depth, at = 0, 0
    while depth or text[at] != "(":
        if text[at] in "<[":
            depth += 1
        elif text[at] == "]" or text[at] == ">" and text[at - 1] not in "-=":
            depth -= 1
        elif text[at] == "(" and depth:
            at = close(text, at) - 1
        at += 1
    path, args = text[:at], split(text[at + 1 : close(text, at) - 1])
    generics = ""
    if path.endswith(">"):
        depth = 0
        for begin in range(len(path) - 1, -1, -1):
            if path[begin] == ">" and path[begin - 1] not in "-=":
                depth += 1
            elif path[begin] == "<":
                depth -= 1
                if depth == 0:
                    break
        path, generics = path[:begin], path[begin:]
    owner, _, name = path.rpartition("::")
    return owner, name, generics, args


@functools.cache
def items_of(crate):
    """Returns the public paths of the types and traits of a crate, by name."""
    listing = open(f"{crate.replace('_', '-')}/api.txt").read()
    paths = re.findall(rf"^(?:#\[\w+\] )?pub (?:struct|enum|trait|type|union) ({crate}::(?:\w+::)*\w+)", listing, re.M)
    return {path.rpartition("::")[2]: path for path in reversed(paths)} | {path: path for path in paths}


def resolve(text):
    """Replaces the paths of types by those that `api.txt` names: other crates' listings name private modules."""

    def path(match):
        found = items_of(match[1])
        return found.get(match[0]) or found.get(match[2]) or match[0]

    return re.sub(rf"\b({'|'.join(FAMILY)})::(?:[a-z_0-9]+::)*([A-Z]\w*)\b", path, text)


def substitute(text, types):
    for name, concrete in types.items():
        text = re.sub(rf"(?<![\w:']){name}(?![\w:])", lambda _: concrete, text)
    return text


def bounds_of(text):
    """Returns the bounds of each parameter of a list of parameters or of a `where` clause."""
    bounds = {}
    for part in split(text):
        name, colon, bound = part.partition(": ")
        if colon and re.fullmatch(r"[A-Z]\w*", name):
            bounds[name] = bound
    return bounds


def concrete_of(bound, owned):
    """Returns a type for a bound: a slice, a storage behind a reference, or that of `BOUNDS`."""
    slots = re.search(r"core::convert::AsMut<\[(.*?)\]>(?: \+|$)", bound)
    if slots or (slots := re.search(r"core::convert::AsRef<\[(.*?)\]>(?: \+|$)", bound)):
        return f"[{slots[1]}; 8]" if owned else f"&'static mut [{slots[1]}]"
    storage = re.search(r"((?:\w+::)+\w+Storage(?:<[^>]*>)?)", bound)
    if storage:
        return f"&'static mut dyn {storage[1]}"
    return next((name for trait, name in BOUNDS.items() if re.search(rf"{trait}\b", bound)), None)


def types_of(crate):
    """Returns the concrete types of the parameters of each generic type, from the bounds of its implementations."""
    found = {}
    impls = [line for line in open(f"{crate}/api.txt") if line.startswith("impl<")]
    engines = [line for line in impls if re.search(r"\bEngine for ", line)]
    for line in engines + impls:
        end = close(line, 4)
        where = line.strip()[end:].partition(" where ")
        target = where[0].rpartition(" for ")[2].strip()
        if not target.startswith(crate.replace("-", "_")) or "<" not in target:
            continue
        at = target.index("<")
        bounds = {**bounds_of(line[5 : end - 1]), **bounds_of(where[2])}
        types = found.setdefault(target[:at], {})
        for name in split(target[at + 1 : close(target, at) - 1]):
            concrete = concrete_of(bounds[name], line in engines) if name in bounds else None
            if concrete and (types.get(name) is None or "AsMut" in bounds[name] and "; 8]" not in types[name]):
                types[name] = substitute(concrete, {"I": "ID", "A": "ADDRESS"})
    return found


def argument(text):
    """Returns a type for an argument, without generics and lifetimes."""
    text = re.sub(r"'\w+", "'static", text)
    into = re.fullmatch(r"impl core::convert::(?:Into)<(.*)>", text)
    if into:
        return into[1]
    if text.startswith("impl core::convert::AsRef<[u8]>"):
        return "&'static [u8]"
    function = re.match(r"impl core::ops::function::Fn(?:Once|Mut)?(\(.*)", text)
    if function:
        end = close(function[1], 0)
        rest = re.match(r" -> (.*)", function[1][end:])
        result = rest[1] if rest else ""
        result = re.split(r" \+ (?:core::|')", result)[0]
        arguments = function[1][:end].replace("'static", "'_")
        return f"fn{arguments}" + (f" -> {result.replace(chr(39) + 'static ', '')}" if result else "")
    items = re.match(r"impl core::iter::traits::\w+::\w*Iterator<Item = (.*)", text)
    if items:
        item = items[1]
        end = close("<" + item, 0) - 2
        item = item[:end]
        if item.startswith("&"):
            return f"core::slice::Iter<'static, {re.sub(r'^&(?:.static )?', '', item)}>"
        return f"core::iter::Copied<core::slice::Iter<'static, {item}>>"
    text = text.replace("impl pow::difficulty::Difficulty", "pow::Retarget")
    text = text.replace("impl ledger_core::merkle::HashPairs", "ledger_core::merkle::OneByOne")
    text = text.replace("impl consensus::Verify", "consensus::Ed25519")
    return re.sub(r"&(?!'static)", "&'static ", text)


def probe(number, line):
    owner, name, generics, args = parse(line)
    base = re.sub(r"^&(?:'\w+ )?(?:mut )?", "", owner).split("<")[0]
    types = {name: resolve(text) for name, text in {**COMMON, **CONCRETE.get(base, {})}.items()}
    is_type = base.rpartition("::")[2][:1].isupper() or "<" in owner or owner[:1] in "&["
    concrete = re.sub(r"'\w+", "'static", substitute(owner, types))
    concrete = re.sub(r"^&(?!')", "&'static ", concrete)
    types["Self"] = concrete
    for name, bound in bounds_of(generics[1:-1]).items():
        if found := concrete_of(bound, owned=False):
            types[name] = resolve(found)
    given = []
    for at, arg in enumerate(args):
        arg = substitute(arg, {key: value for key, value in types.items()})
        arg = re.sub(r"^&(?:'\w+ )?(mut )?self$", rf"&'static mut {concrete}", arg)
        arg = concrete if arg in ("self", "mut self") else arg
        given.append(f"a{at}: {argument(arg)}")
    for name, bound in re.findall(r"(\w+): core::ops::function::Fn(?:Mut|Once)?(\([^()]*\)(?: -> [^,>]*)?)", generics):
        given = [re.sub(rf": {name}$", f": fn{bound}", each) for each in given]
    path = f"<{concrete}>::{name}" if is_type else f"{concrete}::{name}"
    call = f"{path}({', '.join(f'a{at}' for at in range(len(args)))})"
    result = line[line.rfind(" -> ") :]
    # What is returned stands where the caller wants it: that memory is not the function's.
    body = f"-> impl Sized {{ {call} }}"
    if result.startswith(" -> impl core::iter"):
        body = f"{{ for item in {call} {{ core::hint::black_box(&item); }} }}"
    label = re.sub(r"\W+", "_", f"{base}_{name}").strip("_")
    return f"#[unsafe(no_mangle)] pub fn probe_{number}_{label}({', '.join(given)}) {body}"


def needed_by(crate):
    return [crate] + {"ledger-core": ["pow"], "pow": ["ledger-core"], "consensus": ["ledger-core"]}.get(crate, [])


def traits_of(crate):
    return sorted(set(re.findall(r"^pub trait ((?:\w+::)+\w+)", open(f"{crate}/api.txt").read(), re.M)))


def lines_of(crate):
    traits = tuple(f"{name}{end}" for name in traits_of(crate) for end in ("::", "<"))
    seen = set()
    for line in open(f"{crate}/api.txt"):
        line = line.rstrip("\n")
        line = re.sub(r"core::net::(?:socket_addr|ip_addr)::", "core::net::", line)
        line = line.replace("core::num::nonzero::", "core::num::")
        line = resolve(line.replace("core::ops::range::", "core::ops::"))
        item = re.match(r"pub (?:const )?(?:unsafe )?fn (.*)", line)
        if not item or item[1].startswith(traits) or line in seen:
            continue
        seen.add(line)
        if item[1].startswith(("&mut S::", "&mut X::", "&D::", "&mut H::")) or "Limits::" in line:
            continue
        if "::fmt(" in line or "alloc::" in line or re.search(r"Vec(<.*>)?::", line):
            continue
        yield line


def features_of(crate):
    text = subprocess.run(
        ["cargo", "metadata", "--format-version", "1", "--no-deps"], capture_output=True, text=True, check=True
    ).stdout
    found = {package["name"]: package["features"] for package in json.loads(text)["packages"]}
    return {name: sorted(set(found[name]) - LEFT_OUT) for name in DEPENDENCIES}


def build(crate, folder, probes, check):
    with open(f"{folder}/src/lib.rs", "w") as out:
        out.write("#![no_std]\n#![allow(improper_ctypes_definitions, non_snake_case, unused, deprecated, clippy::all)]\n")
        out.write("#[panic_handler] fn panic(info: &core::panic::PanicInfo<'_>) -> ! { core::hint::black_box(info); loop {} }\n")
        traits = [name for each in needed_by(crate) for name in traits_of(each)]
        out.write("".join(f"use {name} as _; " for name in traits + TRAITS) + "\n")
        for name, concrete in ALIASES[crate].items():
            out.write(f"type {name} = {resolve(concrete)};\n")
        out.write("\n".join(probes) + "\n")
    flags = ["--release", "--target", TARGET, "--manifest-path", f"{folder}/Cargo.toml"]
    flags += ["--target-dir", f"{folder}/../target"]
    cargo = os.environ.get("CARGO", "cargo")
    if check:
        command = [cargo, "check", "--quiet", "--message-format", "json", *flags]
        return subprocess.run(command, capture_output=True, text=True)
    command = [cargo, "rustc", "--quiet", *flags, "--crate-type", "staticlib", "--", "--emit", "asm", "-Zemit-stack-sizes"]
    return subprocess.run(command, env={**os.environ, "RUSTC_BOOTSTRAP": "1"})


def main():
    for each in DEPENDENCIES:
        for name, types in types_of(each).items():
            CONCRETE[resolve(name)] = {**CONCRETE.get(resolve(name), {}), **types}
    for name, types in TYPES.items():
        CONCRETE[resolve(name)] = {**CONCRETE.get(resolve(name), {}), **types}
    crate, out = sys.argv[1], os.path.abspath(sys.argv[2])
    folder = f"{out}/{crate}"
    os.makedirs(f"{folder}/src", exist_ok=True)
    features = features_of(crate)
    with open(f"{folder}/Cargo.toml", "w") as manifest:
        manifest.write(f'[package]\nname = "linked-{crate}"\nversion = "0.0.0"\nedition = "2024"\n[workspace]\n[dependencies]\n')
        for name in needed_by(crate):
            listed = ", ".join(f'"{feature}"' for feature in features[name])
            manifest.write(f'{name} = {{ path = "{os.getcwd()}/{name}", features = [{listed}] }}\n')
        manifest.write('[profile.release]\nopt-level = "s"\nlto = "fat"\ncodegen-units = 1\npanic = "abort"\n')
    subprocess.run(["cp", "Cargo.lock", f"{folder}/Cargo.lock"], check=True)
    probes, left_out = [], []
    for number, line in enumerate(lines_of(crate)):
        text = probe(number, line)
        (probes.append((text, line)) if text else left_out.append((line, "takes a function")))
    first = 5 + len(ALIASES[crate])  # the line of the first probe
    for _ in range(12):
        result = build(crate, folder, [text for text, _ in probes], check=True)
        bad = {}
        for message in result.stdout.splitlines():
            message = json.loads(message).get("message") or {}
            if message.get("level") != "error":
                continue
            for span in message["spans"]:
                if span["file_name"].endswith("src/lib.rs") and span["line_start"] >= first and span["is_primary"]:
                    bad.setdefault(span["line_start"] - first, message["message"])
        if not bad:
            break
        left_out += [(probes[at][1], reason) for at, reason in bad.items()]
        probes = [each for at, each in enumerate(probes) if at not in bad]
    if result.returncode:
        sys.exit(f"{crate}: {result.stderr[-3000:]}")
    if build(crate, folder, [text for text, _ in probes], check=False).returncode:
        sys.exit(1)
    for line, reason in left_out:
        print(f"    not covered: {line[:120]}\n        {reason[:150]}")
    print(f"{crate}: {len(probes)} public functions linked, {len(left_out)} not covered")
    folder = f"{out}/target/{TARGET}/release/deps"
    stem = f"linked_{crate.replace('-', '_')}"
    made = [f"{folder}/{name}" for name in os.listdir(folder) if name.startswith(stem) and name.endswith(".s")]
    print(max(made, key=os.path.getmtime))


if __name__ == "__main__":
    main()
