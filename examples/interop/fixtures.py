"""The torrents that libtorrent and webtorrent test themselves with, read by us and by libtorrent.

Both accept a file or both refuse it, and what is accepted has the same hashes and lengths; the table below names the
exceptions and why. Needs python-libtorrent in this interpreter.
Usage: fixtures.py TARGET_DIR FOLDER ..
"""

import json
import os
import subprocess
import sys

import libtorrent as lt

# Files that one of the two refuses, and why.
DIFFERENCES = {
    "v2_invalid_pad_file.torrent": "padding in a file tree: we do not store it, libtorrent refuses it",
    "v2_invalid_root_hash.torrent": "the piece layer does not lead to the root: libtorrent reads the file, we refuse it",
    "zero.torrent": "a torrent without any byte is complete at once; libtorrent refuses it",
    "zero2.torrent": "a torrent without any byte is complete at once; libtorrent refuses it",
}


def theirs(path):
    """Returns what libtorrent reads, or the text of its error."""
    try:
        info = lt.torrent_info(path)
    except RuntimeError as error:
        return None, str(error)
    hashes, files = info.info_hashes(), info.files()
    padding = [bool(files.file_flags(at) & lt.file_flags_t.flag_pad_file) for at in range(files.num_files())]
    lengths = [files.file_size(at) for at in range(files.num_files()) if not padding[at]]
    return {
        "info_hash": str(hashes.v1) if hashes.has_v1() else None,
        "info_hash_v2": str(hashes.v2) if hashes.has_v2() else None,
        "piece_bytes": info.piece_length(), "pieces": info.num_pieces(), "private": info.priv(), "lengths": lengths,
    }, ""


def ours(binary, path):
    done = subprocess.run([os.path.join(binary, "torrent"), "show", "--json", path], capture_output=True, text=True)
    if done.returncode != 0:
        assert done.returncode == 1, f"{path}: status {done.returncode}: {done.stderr}"
        return None, done.stderr.strip()
    read = json.loads(done.stdout)
    lengths = [file["bytes"] for file in read["files"] if not file["padding"]]
    has_v1 = "urn:btih:" in read["magnet"]
    return {
        "info_hash": read["info_hash"] if has_v1 else None, "info_hash_v2": read["info_hash_v2"],
        "piece_bytes": read["piece_bytes"], "pieces": read["pieces"], "private": read["private"], "lengths": lengths,
    }, ""


def main():
    binary, wrong, seen = sys.argv[1], [], set()
    counts = {"both accept": 0, "both refuse": 0, "documented": 0}
    for folder in sys.argv[2:]:
        for name in sorted(os.listdir(folder)):
            if not name.endswith(".torrent"):
                continue
            path = os.path.join(folder, name)
            seen.add(name)
            one, why_not = theirs(path)
            other, our_reason = ours(binary, path)
            if (one is None) != (other is None):
                if name in DIFFERENCES:
                    counts["documented"] += 1
                else:
                    wrong.append(f"{name}: libtorrent {why_not or 'accepts it'}, we {our_reason or 'accept it'}")
            elif one is None:
                counts["both refuse"] += 1
            else:
                differs = {key: (one[key], other[key]) for key in one if one[key] != other[key]}
                if differs:
                    wrong.append(f"{name}: {differs}")
                counts["both accept"] += 1
    print(f"{len(seen)} files:", ", ".join(f"{what} {count}" for what, count in counts.items()))
    for name, reason in DIFFERENCES.items():
        print(f"  {name}: {reason}")
    assert not wrong, "\n".join(wrong)
    assert len(seen) > 100, f"{len(seen)} files are too few"


main()
