"""Our programs among those of others, over loopback: every file that arrives has the right SHA-256.

Needs python-libtorrent in this interpreter (2.0 or 2.1), and on the PATH aria2c, transmission-daemon,
transmission-remote, rtorrent and node; INTEROP_NPM names a folder with webtorrent and bittorrent-tracker.
INTEROP_RQBIT names the program rqbit, INTEROP_BOARD the image `leech` of examples/firmware, for qemu-system-arm; without
one of them its cases are left out.
Usage: bittorrent.py TARGET_DIR WORK_DIR [START OF A CASE ..]
"""

import hashlib
import http.server
import os
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.parse

import libtorrent as lt

PATIENCE = 90
BIN, WORK = (os.path.abspath(path) for path in sys.argv[1:3])
NPM = os.environ.get("INTEROP_NPM", "")
RQBIT = os.environ.get("INTEROP_RQBIT", "")
BOARD = os.environ.get("INTEROP_BOARD", "")
CASES = {}


def case(function):
    CASES[function.__name__] = function
    return function


def splitmix64(length):
    """The first bytes of splitmix64(1), little-endian: data that nobody can compress."""
    out, state, mask = bytearray(), 1, (1 << 64) - 1
    while len(out) < length:
        state = (state + 0x9E3779B97F4A7C15) & mask
        z = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & mask
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
        out += (z ^ (z >> 31)).to_bytes(8, "little")
    return bytes(out[:length])


def sha256(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Program:
    """A program that runs until the block ends; its output is a file."""

    def __init__(self, name, *words, cwd=None):
        os.makedirs(cwd or WORK, exist_ok=True)
        self.log = os.path.join(cwd or WORK, os.path.basename(name) + ".log")
        with open(self.log, "w") as out:
            self.child = subprocess.Popen(
                [name, *map(str, words)], cwd=cwd, stdout=out, stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
            )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.child.poll() is None:
            self.child.terminate()
            try:
                self.child.wait(10)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()

    def output(self):
        with open(self.log, errors="replace") as out:
            return out.read()

    def until(self, text):
        wait(lambda: text in self.output(), f"no {text!r} in {self.log}", self)

    def done(self):
        """Waits for the end, which must be a good one."""
        wait(lambda: self.child.poll() is not None, f"{self.log} goes on", None)
        assert self.child.returncode == 0, f"status {self.child.returncode}:\n{self.output()}"


def wait(condition, what, program=None):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, what + ("\n" + program.output() if program else "")
        if program and program.child.poll() is not None and not condition():
            raise AssertionError(f"it ended early, {what}\n{program.output()}")
        time.sleep(0.05)


def ours(name, *words, cwd=None):
    return Program(os.path.join(BIN, name), *words, cwd=cwd)


def folder(name):
    path = os.path.join(WORK, name)
    shutil.rmtree(path, ignore_errors=True)
    os.makedirs(path)
    return path


def session(port, **more):
    return lt.session({
        "listen_interfaces": f"127.0.0.1:{port}", "outgoing_interfaces": "127.0.0.1",
        "enable_dht": False, "enable_lsd": False, "enable_upnp": False, "enable_natpmp": False,
        "enable_outgoing_utp": False, "enable_incoming_utp": False,
        "allow_multiple_connections_per_ip": True, "alert_mask": 0, "out_enc_policy": 2,
        "in_enc_policy": 1, "ssrf_mitigation": False, "min_announce_interval": 5, **more,
    })


FLAGS = lt.torrent_flags.default_flags & ~lt.torrent_flags.paused & ~lt.torrent_flags.auto_managed


def add(ses, torrent, save_path, trackers=()):
    if torrent.startswith("magnet:"):
        params = lt.parse_magnet_uri(torrent)
    else:
        params = lt.add_torrent_params()
        params.ti = lt.torrent_info(torrent)
    params.save_path = save_path
    params.flags = FLAGS
    handle = ses.add_torrent(params)
    handle.replace_trackers([{"url": url, "tier": 0} for url in trackers])
    return handle


def seeding(handle, what="libtorrent is not complete"):
    wait(lambda: handle.status().is_seeding, what)


def arrived(into, digest, name="payload.bin"):
    """Waits for the content of a client that goes on: who has checked a piece may still have it to write."""
    path = os.path.join(into, name)
    wait(lambda: os.path.exists(path) and sha256(path) == digest, f"{path} has another SHA-256")


def here(into, digest, name="payload.bin"):
    """The content of a program that has ended, or of ours that says it is complete, is there at once."""
    assert sha256(os.path.join(into, name)) == digest


def payload():
    """Returns the file that all share, its metainfo file made by us, and its hash."""
    path = os.path.join(WORK, "payload.bin")
    torrent = os.path.join(WORK, "payload.torrent")
    if not os.path.exists(torrent):
        with open(path, "wb") as file:
            file.write(splitmix64(5_000_001))
        with ours("torrent", "make", path, "--out", torrent, "--piece-len", 262_144) as make:
            make.done()
        info = lt.torrent_info(torrent)
        assert info.num_pieces() == 20 and info.name() == "payload.bin"
        assert str(info.info_hashes().v1) in make.output(), "libtorrent reads the same info-hash"
    return path, torrent, sha256(path)


def download(where, torrent, *words, **more):
    return ours("torrent", "download", torrent, "--into", where, "--listen", "127.0.0.1:0", *words, **more)


def seed(where, torrent, path, *words):
    """Returns our seed and its address."""
    program = ours("torrent", "seed", torrent, path, "--listen", "127.0.0.1:0", *words, cwd=where)
    program.until("listening on ")
    address = program.output().split("listening on ")[1].split()[0]
    return program, address


@case
def libtorrent_seeds():
    path, torrent, digest = payload()
    port, into = free_port(), folder("libtorrent_seeds")
    handle = add(ses := session(port), torrent, WORK)
    seeding(handle)
    with download(into, torrent, "--peer", f"127.0.0.1:{port}", "--trace", cwd=into) as program:
        program.done()
    here(into, digest)
    del ses


def given_to_libtorrent(name, *words, **settings):
    path, torrent, digest = payload()
    into = folder(name)
    program, address = seed(into, torrent, path, "--trace", *words)
    with program:
        handle = add(ses := session(free_port(), **settings), torrent, into)
        host, port = address.rsplit(":", 1)
        handle.connect_peer((host, int(port)))
        seeding(handle)
    arrived(into, digest)
    del ses


@case
def libtorrent_leeches():
    given_to_libtorrent("libtorrent_leeches")


# libtorrent without TCP.
UTP = {
    "enable_outgoing_tcp": False, "enable_incoming_tcp": False,
    "enable_outgoing_utp": True, "enable_incoming_utp": True,
}


@case
def over_utp_libtorrent_seeds():
    path, torrent, digest = payload()
    port, into = free_port(), folder("over_utp_libtorrent_seeds")
    handle = add(ses := session(port, **UTP), torrent, WORK)
    seeding(handle)
    with download(into, torrent, "--utp", "--peer", f"127.0.0.1:{port}", "--trace", cwd=into) as program:
        program.done()
        assert "connected over uTP" in program.output()
    here(into, digest)
    del ses


@case
def over_utp_libtorrent_leeches():
    given_to_libtorrent("over_utp_libtorrent_leeches", "--utp", **UTP)


@case
def over_utp_libtorrent_leeches_encrypted():
    given_to_libtorrent("over_utp_libtorrent_leeches_encrypted", "--utp", "--encryption", "require", **UTP, **encrypted(2))


@case
def over_utp_ours_alone():
    path, torrent, digest = payload()
    into = folder("over_utp_ours_alone")
    program, address = seed(into, torrent, path, "--utp")
    with program, download(into, torrent, "--utp", "--peer", address, "--trace", cwd=into + "/get") as leech:
        leech.done()
        assert "connected over uTP" in leech.output()
    here(into, digest)


@case
def over_utp_ours_falls_back_to_tcp():
    path, torrent, digest = payload()
    into = folder("over_utp_ours_falls_back_to_tcp")
    program, address = seed(into, torrent, path)
    with program, download(into, torrent, "--utp", "--peer", address, "--trace", cwd=into + "/get") as leech:
        leech.done()
        assert "connected over uTP" not in leech.output()
    here(into, digest)


@case
def libtorrent_leeches_from_a_super_seed():
    # When it hears of the last piece it takes us for a seed that has nothing for it, hangs up, and comes back after a minute.
    name, settings = "libtorrent_leeches_from_a_super_seed", {"close_redundant_connections": False}
    given_to_libtorrent(name, "--super-seed", **settings)


def magnet(torrent):
    """Returns the link of a torrent, without anything else in it."""
    return f"magnet:?xt=urn:btih:{lt.torrent_info(torrent).info_hashes().v1}"


@case
def libtorrent_seeds_a_magnet_link():
    """The info dictionary comes by ut_metadata, the rest over the same connection."""
    path, torrent, digest = payload()
    port, into = free_port(), folder("libtorrent_seeds_a_magnet_link")
    handle = add(ses := session(port), torrent, WORK)
    seeding(handle)
    words = ["--peer", f"127.0.0.1:{port}", "--trace"]
    with download(into, magnet(torrent), *words, cwd=into) as program:
        program.done()
    greetings = [line for line in program.output().splitlines() if line.startswith("->") and "HANDSHAKE" in line]
    assert len(greetings) == 1, "one connection is enough"
    here(into, digest)
    del ses


@case
def libtorrent_leeches_by_a_magnet_link():
    path, torrent, digest = payload()
    into = folder("libtorrent_leeches_by_a_magnet_link")
    program, address = seed(into, torrent, path, "--trace")
    with program:
        handle = add(ses := session(free_port()), magnet(torrent), into)
        host, port = address.rsplit(":", 1)
        handle.connect_peer((host, int(port)))
        seeding(handle)
    arrived(into, digest)
    del ses


def made_by_libtorrent(path, piece_len, flags):
    """Returns the torrent of a file or folder, by libtorrent 2.1 or 2.0."""
    if hasattr(lt, "list_files"):
        made = lt.create_torrent(lt.list_files(path), piece_len, flags)
    else:
        files = lt.file_storage()
        lt.add_files(files, path)
        made = lt.create_torrent(files, piece_len, flags)
    lt.set_piece_hashes(made, os.path.dirname(path))
    return lt.torrent_info(lt.bdecode(lt.bencode(made.generate())))


def without_layers(torrent):
    """Returns a copy of a metainfo file whose piece layers are missing."""
    with open(torrent, "rb") as file:
        top = lt.bdecode(file.read())
    del top[b"piece layers"]
    bare = torrent + ".bare"
    with open(bare, "wb") as file:
        file.write(lt.bencode(top))
    return bare


def assert_version_2(program, info):
    """The handshake of the side that answers names the torrent by its hash of version 2."""
    hands = [line for line in program.output().splitlines() if "HANDSHAKE" in line]
    v2 = str(info.info_hashes().v2)[:40]
    assert any(v2 in line for line in hands), f"no upgrade: {hands}"


def version_2(name, flag, flags):
    """A torrent of version 2 or of both, ours the same as libtorrent's, in both directions."""
    path, _, digest = payload()
    home = folder(name)
    torrent = os.path.join(home, "payload.torrent")
    theirs = made_by_libtorrent(path, 262_144, flags)
    with ours("torrent", "make", path, flag, "--out", torrent, "--piece-len", 262_144, cwd=home) as make:
        make.done()
    mine = lt.torrent_info(torrent)
    assert mine.info_hashes().v2 == theirs.info_hashes().v2, "the same info dictionary"
    assert mine.info_hashes().v1 == theirs.info_hashes().v1
    port, into = free_port(), folder(name + "/ours")
    seeder = add(one := session(port), torrent, WORK)
    seeding(seeder)
    with download(into, torrent, "--peer", f"127.0.0.1:{port}", "--trace", cwd=into) as leech:
        leech.done()
    here(into, digest)
    link = f"magnet:?xt=urn:btmh:1220{mine.info_hashes().v2}"
    if flag == "--hybrid":
        link += f"&xt=urn:btih:{mine.info_hashes().v1}"
    bare = without_layers(torrent)
    for nth, source in enumerate([link, bare]):
        into = folder(f"{name}/ours_without_layers{nth}")
        with download(into, source, "--peer", f"127.0.0.1:{port}", "--trace", cwd=into) as leech:
            leech.done()
        assert "HASHES root=" in leech.output(), "the piece layer comes from the peer"
        assert_version_2(leech, mine)
        here(into, digest)
    program, address = seed(home, torrent, path, "--trace")
    host, port = address.rsplit(":", 1)
    links = [torrent, link]
    with program:
        for nth, link in enumerate(links):
            into = folder(f"{name}/libtorrent{nth}")
            handle = add(two := session(free_port()), link, into)
            handle.connect_peer((host, int(port)))
            seeding(handle, f"libtorrent is not complete by {link[:60]}\n{program.output()[-3000:]}")
            arrived(into, digest)
            two.remove_torrent(handle)
    assert_version_2(program, mine)
    del one, two


@case
def version_2_alone():
    version_2("version_2_alone", "--v2", lt.create_torrent.v2_only)


@case
def version_2_of_several_files():
    """A folder of version 2 alone, ours the same as libtorrent's, by file and by link, in both directions."""
    home = folder("version_2_of_several_files")
    path, torrent = os.path.join(home, "content"), os.path.join(home, "content.torrent")
    random = splitmix64(1_000_000)
    # Empty, shorter than a block, than a piece, a piece, of several pieces with and without a tail.
    lengths = {
        "a-empty": 0, "b-short": 100, "c/less": 50_000, "c/d/piece": 65_536, "c/d/whole": 262_144,
        "e-tail": 500_001, "f-last": 70_000,
    }
    for at, (name, length) in enumerate(lengths.items()):
        os.makedirs(os.path.dirname(os.path.join(path, name)), exist_ok=True)
        with open(os.path.join(path, name), "wb") as file:
            file.write(random[at:at + length])
    digests = {name: sha256(os.path.join(path, name)) for name in lengths}
    theirs = made_by_libtorrent(path, 65_536, lt.create_torrent.v2_only)
    with ours("torrent", "make", path, "--v2", "--out", torrent, "--piece-len", 65_536, cwd=home) as make:
        make.done()
    mine = lt.torrent_info(torrent)
    assert mine.info_hashes().v2 == theirs.info_hashes().v2, "the same info dictionary"

    def all_files(look, into):
        for name, digest in digests.items():
            look(os.path.join(into, "content"), digest, name)

    links = [torrent, f"magnet:?xt=urn:btmh:1220{mine.info_hashes().v2}"]
    port = free_port()
    seeder = add(one := session(port), torrent, home)
    seeding(seeder)
    for nth, link in enumerate(links):
        into = folder(f"version_2_of_several_files/ours{nth}")
        with download(into, link, "--peer", f"127.0.0.1:{port}", "--trace", cwd=into) as leech:
            leech.done()
        all_files(here, into)
        assert ("HASHES root=" in leech.output()) == (nth == 1), "the layers come from the peer"
        # What is there is found again, and only what is not right is fetched.
        with open(os.path.join(into, "content", "e-tail"), "r+b") as file:
            file.seek(400_000)
            file.write(b"wrong")
        with download(into, torrent, "--peer", f"127.0.0.1:{port}", "--trace", cwd=into) as leech:
            leech.done()
        assert "16 of 17 pieces are here" in leech.output(), leech.output()[:400]
        all_files(here, into)
    one.remove_torrent(seeder)
    program, address = seed(home, torrent, path, "--trace")
    host, port = address.rsplit(":", 1)
    with program:
        for nth, link in enumerate(links):
            into = folder(f"version_2_of_several_files/libtorrent{nth}")
            handle = add(two := session(free_port()), link, into)
            handle.connect_peer((host, int(port)))
            seeding(handle, f"libtorrent is not complete by {link[:60]}\n{program.output()[-3000:]}")
            all_files(arrived, into)
            two.remove_torrent(handle)
    del one, two


@case
def libtorrent_finds_a_bad_block_by_our_leaves():
    """One of two seeds spoils its content behind our back; libtorrent asks for the leaves of what failed."""
    path, _, digest = payload()
    home = folder("libtorrent_finds_a_bad_block_by_our_leaves")
    torrent, spoilt = os.path.join(home, "payload.torrent"), os.path.join(home, "payload.bin")
    shutil.copy(path, spoilt)
    with ours("torrent", "make", path, "--v2", "--out", torrent, "--piece-len", 262_144, cwd=home) as make:
        make.done()
    liar, first = seed(folder(home + "/liar"), torrent, spoilt, "--trace")
    honest, second = seed(folder(home + "/honest"), torrent, path, "--trace")
    liar.until("20 of 20 pieces are here")
    with open(spoilt, "r+b") as file:
        for place in range(0, 5_000_000, 65_536):
            file.seek(place)
            file.write(b"wrong")
    with liar, honest:
        into = folder(home + "/libtorrent")
        handle = add(ses := session(free_port(), whole_pieces_threshold=0, request_queue_time=1), torrent, into)
        # One after the other: of two it would blame both for pieces that both gave a part of, and ban the honest one.
        for program, address in ((liar, first), (honest, second)):
            host, port = address.rsplit(":", 1)
            handle.connect_peer((host, int(port)))
            wait(lambda: "UNCHOKE" in program.output(), "libtorrent does not come", program)
            wait(lambda: not handle.get_peer_info() or handle.status().is_seeding, "libtorrent keeps the liar", liar)
        seeding(handle, "libtorrent is not complete with one good seed of two")
        arrived(into, digest)
        lines = (liar.output() + honest.output()).splitlines()
        given = [line for line in lines if "-> " in line and "HASHES" in line and "base=0" in line]
        assert given, "libtorrent was given no leaves"
    del ses


@case
def both_versions():
    version_2("both_versions", "--hybrid", 0)


@case
def both_versions_of_several_files():
    """A hybrid folder of libtorrent, in both directions; its connections are upgraded to version 2."""
    home = folder("both_versions_of_several_files")
    path, torrent = os.path.join(home, "content"), os.path.join(home, "content.torrent")
    random = splitmix64(1_000_000)
    lengths = {"a-short": 100, "b/less": 50_000, "b/piece": 65_536, "c-tail": 500_001, "d-last": 70_000}
    for at, (name, length) in enumerate(lengths.items()):
        os.makedirs(os.path.dirname(os.path.join(path, name)), exist_ok=True)
        with open(os.path.join(path, name), "wb") as file:
            file.write(random[at:at + length])
    digests = {name: sha256(os.path.join(path, name)) for name in lengths}
    if hasattr(lt, "list_files"):
        made = lt.create_torrent(lt.list_files(path), 65_536, 0)
    else:
        files = lt.file_storage()
        lt.add_files(files, path)
        made = lt.create_torrent(files, 65_536, 0)
    lt.set_piece_hashes(made, home)
    with open(torrent, "wb") as file:
        file.write(lt.bencode(made.generate()))
    info = lt.torrent_info(torrent)
    assert info.info_hashes().has_v1() and info.info_hashes().has_v2()
    port, into = free_port(), folder("both_versions_of_several_files/ours")
    seeder = add(one := session(port), torrent, home)
    seeding(seeder)
    with download(into, torrent, "--peer", f"127.0.0.1:{port}", "--trace", cwd=into) as leech:
        leech.done()
    for name, digest in digests.items():
        here(os.path.join(into, "content"), digest, name)
    assert_version_2(leech, info)
    # By a link with both hashes, and by a metainfo file without piece layers, the layers come from the peer.
    hashes = info.info_hashes()
    link = f"magnet:?xt=urn:btih:{hashes.v1}&xt=urn:btmh:1220{hashes.v2}"
    for nth, source in enumerate([link, without_layers(torrent)]):
        into = folder(f"both_versions_of_several_files/without_layers{nth}")
        with download(into, source, "--peer", f"127.0.0.1:{port}", "--trace", cwd=into) as leech:
            leech.done()
        for name, digest in digests.items():
            here(os.path.join(into, "content"), digest, name)
        assert "HASHES root=" in leech.output(), "the layers come from the peer"
        assert_version_2(leech, info)
    one.remove_torrent(seeder)
    program, address = seed(home, torrent, path, "--trace")
    host, port = address.rsplit(":", 1)
    with program:
        for nth, source in enumerate([torrent, link]):
            into = folder(f"both_versions_of_several_files/libtorrent{nth}")
            handle = add(two := session(free_port()), source, into)
            handle.connect_peer((host, int(port)))
            seeding(handle, f"libtorrent is not complete\n{program.output()[-3000:]}")
            for name, digest in digests.items():
                arrived(os.path.join(into, "content"), digest, name)
            two.remove_torrent(handle)
    del one, two


class WithRanges(http.server.SimpleHTTPRequestHandler):
    """The web server of Python, which knows no ranges, with ranges."""

    protocol_version = "HTTP/1.1"

    def send_head(self):
        wanted = self.headers.get("Range", "")
        path = self.translate_path(self.path)
        if not wanted.startswith("bytes=") or not os.path.isfile(path):
            return super().send_head()
        size = os.path.getsize(path)
        first, last = wanted[6:].split("-")
        first, last = int(first), min(int(last or size - 1), size - 1)
        if first > last:
            self.send_error(416)
            return None
        file = open(path, "rb")
        file.seek(first)
        self.left = last - first + 1
        self.send_response(206)
        self.send_header("Content-Range", f"bytes {first}-{last}/{size}")
        self.send_header("Content-Length", str(self.left))
        self.end_headers()
        return file

    def copyfile(self, source, outputfile):
        outputfile.write(source.read(getattr(self, "left", -1)))

    def log_message(self, *_):
        pass


def web_server(root, handler=WithRanges):
    """Starts a web server for a folder; returns it and its URL."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), lambda *args: handler(*args, directory=root))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server, f"http://127.0.0.1:{server.server_address[1]}/"


@case
def web_seeds():
    """A file and a folder from a web server alone: by us, and by libtorrent from the same metainfo file."""
    path, _, digest = payload()
    home = folder("web_seeds")
    album = os.path.join(home, "an album")
    os.makedirs(album)
    names = {"1 \u00e9.bin": 100, "2.bin": 700_001, "3.bin": 1}
    for name, length in names.items():
        with open(os.path.join(album, name), "wb") as file:
            file.write(splitmix64(length))
    server, url = web_server(home)
    shutil.copy(path, os.path.join(home, "payload.bin"))
    digests = {name: sha256(os.path.join(album, name)) for name in names}
    for version in ("--v1", "--v2"):
        for content in ("payload.bin", "an album"):
            torrent = os.path.join(home, f"{content}{version}.torrent")
            words = [word for word in (version,) if word != "--v1"]
            with ours("torrent", "make", os.path.join(home, content), "--out", torrent, "--web-seed", url, *words,
                      "--piece-len", 65_536, cwd=home) as make:
                make.done()
            expected = {content: digest} if content == "payload.bin" else {f"{content}/{name}": of for name, of in digests.items()}
            into = folder(f"web_seeds/ours{version}{content[:2].strip()}")
            with download(into, torrent, cwd=into) as program:
                program.done()
            for name, of in expected.items():
                here(into, of, name)
            into = folder(f"web_seeds/libtorrent{version}{content[:2].strip()}")
            handle = add(ses := session(free_port()), torrent, into)
            seeding(handle, "libtorrent is not complete")
            for name, of in expected.items():
                arrived(into, of, name)
            ses.remove_torrent(handle)
            del ses
    server.shutdown()


ARIA2 = [
    "--no-conf", "--enable-dht=false", "--enable-dht6=false", "--bt-enable-lpd=false",
    "--enable-peer-exchange=false", "--disable-ipv6=true", "--interface=127.0.0.1",
    "--allow-overwrite=true",
]


@case
def aria2_seeds():
    path, torrent, digest = payload()
    port, home, into = free_port(), folder("aria2_seeds"), folder("aria2_seeds/into")
    shutil.copy(path, home)
    words = [*ARIA2, f"--dir={home}", f"--listen-port={port}", "--check-integrity=true", "--seed-ratio=0.0"]
    with Program("aria2c", *words, torrent, cwd=home) as aria2:
        aria2.until("listening on TCP port")
        with download(into, torrent, "--peer", f"127.0.0.1:{port}", "--trace", cwd=into) as program:
            program.done()
    here(into, digest)


class FixedTracker(http.server.BaseHTTPRequestHandler):
    """Names the same peer to everybody."""

    peer = b""

    def do_GET(self):
        found = self.path.startswith("/announce")
        self.send_response(200 if found else 404)
        self.end_headers()
        if found:
            self.wfile.write(b"d8:intervali60e5:peers6:" + self.peer + b"e")

    def log_message(self, *_):
        pass


@case
def aria2_leeches():
    path, _, digest = payload()
    home, into, tracker = folder("aria2_leeches"), folder("aria2_leeches/into"), free_port()
    torrent = os.path.join(home, "tracked.torrent")
    url = f"http://127.0.0.1:{tracker}/announce"
    with ours("torrent", "make", path, "--out", torrent, "--tracker", url, cwd=home) as make:
        make.done()
    program, address = seed(home, torrent, path, "--no-trackers", "--trace")
    FixedTracker.peer = socket.inet_aton("127.0.0.1") + int(address.rsplit(":", 1)[1]).to_bytes(2, "big")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", tracker), FixedTracker)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    words = [*ARIA2, f"--dir={into}", f"--listen-port={free_port()}", "--seed-time=0"]
    with program, Program("aria2c", *words, torrent, cwd=into) as aria2:
        aria2.done()
    server.shutdown()
    here(into, digest)


def tracker(home):
    program = ours("torrent", "tracker", "--listen", "127.0.0.1:0", "--interval", 5, "--trace", cwd=home)
    program.until("tracking on ")
    return program, program.output().split("http://")[1].split("/")[0]


def found_by_our_tracker(name, url):
    """Two clients of libtorrent find each other, then ours finds them, by our tracker alone."""
    path, torrent, digest = payload()
    home = folder(name)
    program, address = tracker(home)
    with program:
        first = add(one := session(free_port()), torrent, WORK, [url(address)])
        seeding(first)
        into = folder(name + "/libtorrent")
        second = add(two := session(free_port()), torrent, into, [url(address)])
        seeding(second)
        arrived(into, digest)
        tracked = os.path.join(home, "tracked.torrent")
        # The first tracker of the list is dead: the next tier is asked.
        dead = f"udp://127.0.0.1:{free_port()}" if url(address).startswith("http") else f"http://127.0.0.1:{free_port()}/announce"
        words = ["--tracker", dead, "--tracker", url(address)] if dead.startswith("http") else ["--tracker", url(address)]
        with ours("torrent", "make", path, "--out", tracked, "--piece-len", 262_144, *words, cwd=home) as make:
            make.done()
        into = folder(name + "/ours")
        with download(into, tracked, cwd=into) as leech:
            leech.done()
        here(into, digest)
        second.scrape_tracker()
        wait(lambda: second.status().num_complete >= 2, "libtorrent scrapes no two seeds", program)
    del one, two


@case
def our_http_tracker():
    found_by_our_tracker("our_http_tracker", lambda address: f"http://{address}/announce")


@case
def our_udp_tracker():
    found_by_our_tracker("our_udp_tracker", lambda address: f"udp://{address}/announce")


@case
def dht_items():
    """Values in the DHT (BEP 44), put by bittorrent-dht of npm and by us through our nodes, and got by both."""
    home = folder("dht_items")
    secret = os.path.join(home, "key")
    with open(secret, "w") as file:
        file.write("42" * 32)

    def npm(*words):
        with Program("node", os.path.join(NPM, "dht.mjs"), address, *words, cwd=home + "/npm") as node:
            node.done()
        return node.output().strip()

    def mine(*words):
        words = ["dht", "--listen", "127.0.0.1:0", "--node", address, *words]
        with ours("torrent", *words, cwd=home + "/mine") as program:
            program.done()
        return program.output().splitlines()[1:]

    first = ours("torrent", "dht", "--listen", "127.0.0.1:0", "--trace", cwd=home + "/first")
    with first:
        first.until("listening on ")
        address = first.output().split("listening on ")[1].split()[0]
        second = ours("torrent", "dht", "--listen", "127.0.0.1:0", "--node", address, cwd=home + "/second")
        with second:
            second.until("listening on ")
            wait(lambda: first.output().count("PING") >= 1, "the second node is not seen", first)
            theirs = npm("put", "a value of theirs").split()
            assert theirs[0] == "hash" and mine("get", theirs[1]) == ["a value of theirs"]
            own = mine("put", "a value of ours")
            assert own[0].startswith("hash ") and int(own[1].split()[0]) >= 2, own
            assert npm("get", own[0].split()[1]) == "value a value of ours seq -"
            key = npm("sign", "theirs, version 7", "salt", 7, "42" * 32).split()[1]
            assert mine("get", key, "--salt", "salt") == ["seq 7", "theirs, version 7"]
            own = mine("put", "ours", "--key", secret, "--salt", "salt")
            assert own[0] == f"key {key} seq 8", own
            assert npm("get", key, "salt") == "value ours seq 8"
            with ours("torrent", "dht", "--listen", "127.0.0.1:0", "--node", address, "put", "late", "--key", secret,
                      "--salt", "salt", "--seq", 9, "--cas", 3, cwd=home + "/late") as late:
                wait(lambda: late.child.poll() is not None, "the put goes on")
            assert late.child.returncode == 1 and "--cas" in late.output(), late.output()


@case
def our_dht_node():
    """libtorrent finds peers through our node; we find its peer through the same node."""
    path, torrent, digest = payload()
    home = folder("our_dht_node")
    node = ours("torrent", "dht", "--listen", "127.0.0.1:0", "--trace", cwd=home)
    with node:
        node.until("listening on ")
        address = node.output().split("listening on ")[1].split()[0]
        settings = {
            "enable_dht": True, "dht_bootstrap_nodes": address, "dht_restrict_routing_ips": False,
            "dht_restrict_search_ips": False, "dht_enforce_node_id": False,
        }
        one = session(free_port(), **settings)
        wait(one.is_dht_running, "libtorrent runs no DHT", node)
        first = add(one, torrent, WORK)
        seeding(first)
        wait(lambda: "ANNOUNCE PEER" in node.output() or first.force_dht_announce(), "libtorrent does not announce", node)
        # The same program as a stranger asks for the peers.
        hash = str(lt.torrent_info(torrent).info_hashes().v1)
        with ours("torrent", "dht", "--listen", "127.0.0.1:0", "--node", address, "--find", hash, cwd=folder("our_dht_node/find")) as find:
            find.done()
        assert f"peer 127.0.0.1:{one.listen_port()}" in find.output(), find.output()
        # Our client finds libtorrent by the DHT alone, and announces itself.
        into = folder("our_dht_node/ours")
        words = ["--dht", address, "--trace", "--keep"]
        with download(into, magnet(torrent), *words, cwd=into) as leech:
            leech.until("complete:")
            here(into, digest)
            own = leech.output().split("listening on ")[1].split()[0].rsplit(":", 1)[1]
            wait(lambda: f"ANNOUNCE PEER torrent={hash} port={own}" in node.output(), "we do not announce", node)
            # libtorrent finds our client through our node, after its own seed is gone.
            one.remove_torrent(first)
            into = folder("our_dht_node/libtorrent")
            second = add(two := session(free_port(), **settings), torrent, into)
            wait(lambda: second.status().is_seeding or second.force_dht_announce(), "libtorrent finds nobody", node)
            arrived(into, digest)
    del one, two


def transmission(home, downloads, port, **more):
    """A daemon that dials nobody on loopback: it is to be dialled."""
    rpc = free_port()
    settings = {
        "bind-address-ipv4": "127.0.0.1", "bind-address-ipv6": "::1", "dht-enabled": False,
        "lpd-enabled": False, "pex-enabled": False, "utp-enabled": False, "encryption": 0,
        "port-forwarding-enabled": False, "peer-port": port, "rpc-port": rpc,
        "rpc-bind-address": "127.0.0.1", "rpc-whitelist-enabled": True,
        "download-dir": downloads, "start-added-torrents": True, **more,
    }
    import json
    with open(os.path.join(home, "settings.json"), "w") as file:
        json.dump(settings, file)
    return Program("transmission-daemon", "-f", "-g", home, "--no-auth", cwd=home), rpc


def remote(rpc, *words):
    done = subprocess.run(["transmission-remote", f"127.0.0.1:{rpc}", *words], capture_output=True, text=True)
    return done.stdout if done.returncode == 0 else ""


# How we connect to transmission, what it is told, and what our trace then says.
TRANSMISSION = {
    "plain": ([], {}, None),
    "encrypted": (["--encryption", "require"], {"encryption": 2}, ": encrypted"),
    "utp": (["--utp"], {"utp-enabled": True}, "connected over uTP"),
}


def taken_by_transmission(rpc, torrent, daemon):
    wait(lambda: "success" in remote(rpc, "-a", torrent), "transmission takes no torrent", daemon)


@case
def transmission_seeds():
    path, torrent, digest = payload()
    for way, (words, settings, said) in TRANSMISSION.items():
        port, home = free_port(), folder(f"transmission_seeds/{way}")
        into = folder(f"transmission_seeds/{way}/into")
        daemon, rpc = transmission(home, WORK, port, **settings)
        with daemon:
            taken_by_transmission(rpc, torrent, daemon)
            wait(lambda: "100%" in remote(rpc, "-l"), "transmission checks its file", daemon)
            with download(into, torrent, "--peer", f"127.0.0.1:{port}", "--trace", *words, cwd=into) as program:
                program.done()
        assert said is None or said in program.output(), way
        here(into, digest)


@case
def transmission_leeches():
    path, torrent, digest = payload()
    for way, (words, settings, said) in TRANSMISSION.items():
        port, home = free_port(), folder(f"transmission_leeches/{way}")
        into = folder(f"transmission_leeches/{way}/into")
        daemon, rpc = transmission(home, into, port, **settings)
        with daemon:
            taken_by_transmission(rpc, torrent, daemon)
            program, _ = seed(home, torrent, path, "--peer", f"127.0.0.1:{port}", "--trace", *words)
            with program:
                wait(lambda: "100%" in remote(rpc, "-l"), "transmission is not complete", program)
            assert said is None or said in program.output(), way
        arrived(into, digest)


def encrypted(level):
    """Settings of libtorrent: encrypted connections alone; level 1 is plaintext behind the handshake, 2 RC4."""
    return {"in_enc_policy": 0, "out_enc_policy": 0, "allowed_enc_level": level}


@case
def libtorrent_seeds_encrypted():
    """Our default dials in plain first, so that its second attempt is the one that counts."""
    path, torrent, digest = payload()
    for level, policy in ((2, "require"), (1, "prefer"), (2, "prefer"), (2, "allow")):
        port, into = free_port(), folder(f"libtorrent_seeds_encrypted/{level}-{policy}")
        handle = add(ses := session(port, **encrypted(level)), torrent, WORK)
        seeding(handle)
        words = ["--peer", f"127.0.0.1:{port}", "--trace", "--encryption", policy]
        with download(into, torrent, *words, cwd=into) as program:
            program.done()
        assert (": encrypted" in program.output()) == (level == 2), f"{level} {policy}"
        here(into, digest)
        del ses


@case
def libtorrent_leeches_encrypted():
    for level, policy in ((2, "require"), (2, "allow"), (1, "allow"), (3, "prefer")):
        name = f"libtorrent_leeches_encrypted/{level}-{policy}"
        given_to_libtorrent(name, "--encryption", policy, **encrypted(level))


@case
def libtorrent_meets_a_plain_client():
    """What cannot encrypt is still reached by those that prefer it, and reaches them."""
    path, torrent, digest = payload()
    port, into = free_port(), folder("libtorrent_meets_a_plain_client")
    handle = add(ses := session(port, in_enc_policy=2), torrent, WORK)
    seeding(handle)
    words = ["--peer", f"127.0.0.1:{port}", "--trace", "--encryption", "prefer"]
    with download(into, torrent, *words, cwd=into) as program:
        program.done()
    here(into, digest)
    del ses
    given_to_libtorrent("libtorrent_meets_a_plain_client/leech", "--encryption", "off", out_enc_policy=1)


def webtorrent(home, port, secure, torrent, files, *peer):
    script = os.path.join(NPM, "webtorrent.mjs")
    return Program("node", script, port, secure, torrent, files, *peer, cwd=home)


@case
def webtorrent_seeds():
    """Plain, encrypted first, and RC4 alone."""
    path, torrent, digest = payload()
    for secure, policy in ((0, "allow"), (1, "prefer"), (2, "require")):
        port, home = free_port(), folder(f"webtorrent_seeds/{secure}")
        into = folder(f"webtorrent_seeds/{secure}/into")
        with webtorrent(home, port, secure, torrent, WORK) as seeder:
            seeder.until("complete")
            words = ["--peer", f"127.0.0.1:{port}", "--trace", "--encryption", policy]
            with download(into, torrent, *words, cwd=into) as program:
                program.done()
        here(into, digest)


@case
def webtorrent_leeches():
    """It dials encrypted by default; our default accepts that."""
    path, torrent, digest = payload()
    for secure in (0, 1, 2):
        home, into = folder(f"webtorrent_leeches/{secure}"), folder(f"webtorrent_leeches/{secure}/into")
        program, address = seed(home, torrent, path, "--trace")
        with program, webtorrent(home, free_port(), secure, torrent, into, address) as leech:
            leech.until("complete")
        arrived(into, digest)


@case
def tracker_of_npm():
    """Over HTTP and UDP: it hears of the start and the end of ours, and names them to each other."""
    path, _, digest = payload()
    home = folder("tracker_of_npm")
    with Program("node", os.path.join(NPM, "tracker.mjs"), cwd=home) as tracker:
        tracker.until("http ")
        words = tracker.output().split()
        for kind, port in ((words[0], words[1]), (words[2], words[3])):
            torrent, into = os.path.join(home, kind + ".torrent"), folder(f"tracker_of_npm/{kind}")
            url = f"{kind}://127.0.0.1:{port}/announce"
            with ours("torrent", "make", path, "--out", torrent, "--tracker", url, cwd=into) as make:
                make.done()
            seeder, address = seed(into, torrent, path)
            with seeder:
                tracker.until(f"start {address}")
                with download(into, torrent, cwd=folder(f"tracker_of_npm/{kind}/cwd")) as leech:
                    leech.done()
                here(into, digest)
            tracker.until(f"stop {address}")


@case
def tracker_with_an_unknown_certificate():
    """Over https:// a tracker is believed only with a certificate of a known authority."""
    path, _, _ = payload()
    home = folder("tracker_with_an_unknown_certificate")
    pem, torrent = os.path.join(home, "both.pem"), os.path.join(home, "payload.torrent")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
                    "/CN=localhost", "-keyout", pem, "-out", pem + ".crt"], check=True, capture_output=True)
    server = http.server.HTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem + ".crt", pem)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"https://localhost:{server.server_port}/announce"
    with ours("torrent", "make", path, "--out", torrent, "--tracker", url, cwd=home) as make:
        make.done()
    program, _ = seed(home, torrent, path)
    with program:
        wait(lambda: "certificate" in program.output().lower(), "nothing is said of the certificate", program)


def rtorrent(home, port, torrent, files):
    """rtorrent without a terminal, which hashes what is there and goes on from it."""
    os.makedirs(os.path.join(home, "session"), exist_ok=True)
    config = os.path.join(home, "rc")
    with open(config, "w") as out:
        out.write(f"""
directory.default.set = {files}
session.path.set = {home}/session
network.bind_address.set = 127.0.0.1
network.port_range.set = {port}-{port}
network.port_random.set = no
dht.mode.set = disable
protocol.pex.set = no
protocol.encryption.set = allow_incoming,try_outgoing,enable_retry
pieces.hash.on_completion.set = no
system.daemon.set = true
method.set_key = event.download.finished,told,"execute=touch,{home}/finished"
schedule2 = load,1,0,"load.start={torrent}"
""")
    return Program("rtorrent", "-n", "-o", f"import={config}", cwd=home)


def with_our_tracker(name):
    """Returns our tracker, and a torrent of the payload that names it."""
    path, _, _ = payload()
    home = folder(name)
    program = ours("torrent", "tracker", "--listen", "127.0.0.1:0", "--interval", 5, cwd=folder(name + "/tracker"))
    program.until("tracking on ")
    url = program.output().split("tracking on ")[1].split()[0]
    torrent = os.path.join(home, "payload.torrent")
    with ours("torrent", "make", path, "--out", torrent, "--tracker", url, cwd=home) as make:
        make.done()
    return program, torrent


@case
def rtorrent_seeds():
    path, _, digest = payload()
    tracker, torrent = with_our_tracker("rtorrent_seeds")
    port, home, into = free_port(), folder("rtorrent_seeds/home"), folder("rtorrent_seeds/into")
    shutil.copy(path, home)
    with tracker, rtorrent(home, port, torrent, home):
        with download(into, torrent, "--peer", f"127.0.0.1:{port}", "--trace", cwd=into) as program:
            program.done()
    here(into, digest)


@case
def rtorrent_leeches():
    path, _, digest = payload()
    tracker, torrent = with_our_tracker("rtorrent_leeches")
    home, into = folder("rtorrent_leeches/home"), folder("rtorrent_leeches/into")
    program, _ = seed(folder("rtorrent_leeches/seed"), torrent, path, "--trace")
    with tracker, program, rtorrent(home, free_port(), torrent, into):
        wait(lambda: os.path.exists(os.path.join(home, "finished")), "rtorrent is not complete", program)
    arrived(into, digest)


def copy(read, write):
    """Passes bytes on until one side ends."""
    while data := read():
        write(data)


def board(home, port):
    """An emulated Cortex-M4 whose serial line leads to a client; waits for its end, which must be a good one."""
    words = [
        "qemu-system-arm", "-M", "mps2-an386", "-cpu", "cortex-m4", "-display", "none", "-monitor", "none", "-serial", "none",
        "-semihosting-config", "enable=on,target=native", "-kernel", BOARD,
    ]
    with socket.create_connection(("127.0.0.1", port)) as peer:
        child = subprocess.Popen(words, cwd=home, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        for read, write in [
            (lambda: child.stdout.read(4096), peer.sendall), (lambda: peer.recv(4096), child.stdin.write),
        ]:
            threading.Thread(target=copy, args=(read, write), daemon=True).start()
        try:
            assert child.wait(PATIENCE) == 0, "the board gives up"
        finally:
            child.kill()


def image():
    """Returns a firmware image of 1 MiB in 16 pieces, its torrent, its hash, and what a board stores of the torrent."""
    home = folder("image")
    path, torrent = os.path.join(home, "image.bin"), os.path.join(home, "image.torrent")
    data = splitmix64(1 << 20)
    with open(path, "wb") as file:
        file.write(data)
    with ours("torrent", "make", path, "--out", torrent, "--piece-len", 65_536, cwd=home) as make:
        make.done()
    hashes = [hashlib.sha1(data[at:at + 65_536]).digest() for at in range(0, len(data), 65_536)]
    return home, torrent, sha256(path), lt.torrent_info(torrent).info_hash().to_bytes() + b"".join(hashes)


def fetched_by_board(name, port, digest, stored):
    into = folder(name)
    with open(os.path.join(into, "image.hashes"), "wb") as file:
        file.write(stored)
    board(into, port)
    here(into, digest, "image")


@case
def board_leeches_from_libtorrent():
    home, torrent, digest, stored = image()
    port = free_port()
    seeding(add(ses := session(port), torrent, home))
    fetched_by_board("board_leeches_from_libtorrent", port, digest, stored)
    del ses


@case
def board_leeches_from_ours():
    home, torrent, digest, stored = image()
    program, address = seed(home, torrent, os.path.join(home, "image.bin"), "--trace")
    with program:
        fetched_by_board("board_leeches_from_ours", int(address.rsplit(":", 1)[1]), digest, stored)


def rqbit(home, torrent, into, *words, utp=False):
    """rqbit with our trackers alone: no DHT, no local discovery, over TCP or over uTP."""
    port = free_port()  # without --announce-port it announces another
    only_utp = ["--experimental-enable-utp-listen", "--disable-tcp-listen", "--disable-tcp-connect"]
    options = [
        "--disable-dht", "--disable-lsd", "--disable-upnp-port-forward", "--ipv4-only", "--listen-ip", "127.0.0.1",
        "--listen-port", port, "--announce-port", port, "--tracker-refresh-interval", "2s", *(only_utp if utp else []),
    ]
    words = ["download", "--disable-http-api", "--overwrite", "--output-folder", into, *words, torrent]
    return Program(RQBIT, *options, *words, cwd=home)


def tracked(name, *words):
    """Returns our tracker, a torrent of the payload that names it, and its magnet link."""
    path, _, _ = payload()
    home = folder(name)
    program, address = tracker(folder(name + "/tracker"))
    torrent = os.path.join(home, "payload.torrent")
    url = f"http://{address}/announce"
    words = ["make", path, "--out", torrent, "--piece-len", 262_144, "--tracker", url, *words]
    with ours("torrent", *words, cwd=home) as make:
        make.done()
    link = make.output().split("magnet     ")[1].split()[0]
    return program, torrent, f"{link}&tr={urllib.parse.quote(url, safe='')}"


def rqbit_seeds_ours_leeches(name, *make, get=(), utp=False):
    path, _, digest = payload()
    program, torrent, link = tracked(name, *make)
    theirs = folder(name + "/theirs")
    shutil.copy(path, theirs)
    with program, rqbit(folder(name + "/rqbit"), torrent, theirs, utp=utp):
        program.until("ANNOUNCE")
        for nth, source in enumerate([torrent, link]):
            into = folder(f"{name}/ours{nth}")
            with download(into, source, "--trace", *get, cwd=folder(f"{name}/cwd{nth}")) as leech:
                leech.done()
            here(into, digest)
            assert ("connected over uTP" in leech.output()) == utp
            assert ("METADATA" in leech.output().upper()) or nth == 0, "the info dictionary comes from rqbit"


def ours_seeds_rqbit_leeches(name, *make, words=(), utp=False):
    path, _, digest = payload()
    program, torrent, link = tracked(name, *make)
    seeder, _ = seed(folder(name + "/seed"), torrent, path, "--trace", *words)
    with program, seeder:
        for nth, source in enumerate([torrent, link]):
            into = folder(f"{name}/rqbit{nth}")
            with rqbit(folder(f"{name}/cwd{nth}"), source, into, "--exit-on-finish", utp=utp) as leech:
                leech.done()
            arrived(into, digest)
        assert ("connected over uTP" in seeder.output()) == utp


@case
def rqbit_seeds():
    rqbit_seeds_ours_leeches("rqbit_seeds")


@case
def rqbit_seeds_hybrid():
    rqbit_seeds_ours_leeches("rqbit_seeds_hybrid", "--hybrid")


@case
def rqbit_seeds_over_utp():
    rqbit_seeds_ours_leeches("rqbit_seeds_over_utp", get=["--utp"], utp=True)


@case
def rqbit_leeches():
    ours_seeds_rqbit_leeches("rqbit_leeches")


@case
def rqbit_leeches_hybrid():
    ours_seeds_rqbit_leeches("rqbit_leeches_hybrid", "--hybrid")


@case
def rqbit_leeches_over_utp():
    ours_seeds_rqbit_leeches("rqbit_leeches_over_utp", words=["--utp"], utp=True)


def main():
    os.makedirs(WORK, exist_ok=True)
    chosen = [name for name in CASES if name.startswith(tuple(sys.argv[3:] or [""]))]
    chosen = [name for name in chosen if RQBIT or not name.startswith("rqbit")]
    chosen = [name for name in chosen if BOARD or not name.startswith("board")]
    assert chosen, "no case begins like this"
    print("libtorrent", lt.__version__)
    for name in chosen:
        began = time.monotonic()
        CASES[name]()
        print(f"{name}: the same SHA-256 after {time.monotonic() - began:.1f} s", flush=True)


main()
