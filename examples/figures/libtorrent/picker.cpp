// libtorrent's picker under the workloads of `bittorrent-pieces/benches/picker`: the same random numbers, bitfields, calls and
// lines of output. What each workload is stands at the top of `main.rs` there.
//
// A peer is asked as libtorrent's `request_a_block` asks it: rarest first, no contiguous blocks, no suggested pieces. A block that
// another peer was asked for is taken when there is no other. A block that came is marked as being written and as finished.
//
// picker PIECES PEERS RUNS

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <limits>
#include <malloc.h>
#include <memory>
#include <string>
#include <time.h>
#include <utility>
#include <vector>

#include "libtorrent/bitfield.hpp"
#include "libtorrent/performance_counters.hpp"
#include "libtorrent/piece_picker.hpp"

using lt::piece_block;
using lt::piece_index_t;
using lt::piece_picker;
using Bits = lt::typed_bitfield<piece_index_t>;

namespace {

constexpr std::uint64_t seed = 0xB17;
constexpr int batch = 16;
constexpr int piece_length = 1 << 18;
/// How many bitfields are counted at least, so that reading the clock does not matter.
constexpr unsigned joins = 2'000;

/// Name and unit of each figure.
constexpr std::array<std::pair<char const*, char const*>, 10> rows{{
    {"W1 join a bitfield", "us"},
    {"W2 churn", "us"},
    {"W3 have", "ns"},
    {"W3 taken back", "ns"},
    {"W4 pick of 16, fresh", "ns"},
    {"W5 pick of 16, 0.1 % of the pieces", "ns"},
    {"W6 whole download, per block", "ns"},
    {"W7 pick, exactly one piece", "ns"},
    {"W8 eight haves and a pick", "ns"},
    {"W9 download with haves, per block", "ns"},
}};

struct Download {
    double nanos_per_block;
    std::uint64_t twice;
    unsigned most_open;
};

double cpu_nanos() {
    timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

/// Returns the nanoseconds of this thread that `run` takes.
template <typename Run>
double nanos(Run run) {
    double const start = cpu_nanos();
    run();
    return cpu_nanos() - start;
}

/// splitmix64
std::uint64_t next_random(std::uint64_t& state) {
    state += 0x9E37'79B9'7F4A'7C15;
    std::uint64_t z = state;
    z = (z ^ (z >> 30)) * 0xBF58'476D'1CE4'E5B9;
    z = (z ^ (z >> 27)) * 0x94D0'49BB'1331'11EB;
    return z ^ (z >> 31);
}

Bits bitfield(unsigned pieces, unsigned peer, std::uint64_t density) {
    std::uint64_t state = seed ^ (std::uint64_t(peer) + 1) * 0xD1B5'4A32'D192'ED03;
    Bits bits(static_cast<int>(pieces), false);
    for (unsigned piece = 0; piece < pieces; ++piece) {
        if (next_random(state) % 1000 < density) bits.set_bit(piece_index_t(static_cast<int>(piece)));
    }
    return bits;
}

Bits only(unsigned pieces, unsigned piece) {
    Bits bits(static_cast<int>(pieces), false);
    bits.set_bit(piece_index_t(static_cast<int>(piece)));
    return bits;
}

std::size_t allocated_bytes() {
    auto const info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

class Swarm {
public:
    Swarm(unsigned pieces, unsigned peers) : m_pieces(pieces), m_identities(peers) {
        for (unsigned peer = 0; peer < peers; ++peer) m_bitfields.push_back(bitfield(pieces, peer, 500));
        for (unsigned at = 0; at < pieces; ++at) {
            piece_index_t const piece(static_cast<int>(at));
            auto const has = [&](Bits const& bits) { return bits[piece]; };
            if (std::none_of(m_bitfields.begin(), m_bitfields.end(), has)) {
                m_bitfields[0].set_bit(piece); // so that the download can end
            }
        }
    }

    std::unique_ptr<piece_picker> join(double& took) {
        unsigned const times = is_large() ? 1 : (joins + peers() - 1) / peers();
        std::vector<std::unique_ptr<piece_picker>> pickers;
        for (unsigned nth = 0; nth < times; ++nth) pickers.push_back(new_picker());
        took = nanos([&] {
            for (auto& picker : pickers) join_all(*picker);
        });
        took /= times * peers();
        return std::move(pickers.back());
    }

    double churn(piece_picker& picker) {
        unsigned const rounds = is_large() ? 40 : 200;
        double const took = nanos([&] {
            for (unsigned round = 0; round < rounds; ++round) {
                picker.dec_refcount(holds(round), identity(round));
                propose(picker, holds(round + 1), 1);
                picker.inc_refcount(holds(round), identity(round));
                propose(picker, holds(round), 1);
            }
        });
        return took / rounds;
    }

    std::pair<double, double> have(piece_picker& picker) {
        auto const pieces = random_pieces(seed + 3, 100'000);
        double const more = nanos([&] {
            for (piece_index_t piece : pieces) picker.inc_refcount(piece, nullptr);
        });
        double const back = nanos([&] {
            for (piece_index_t piece : pieces) picker.dec_refcount(piece, nullptr);
        });
        return {more / 100'000, back / 100'000};
    }

    double fresh(piece_picker& picker) {
        double const took = nanos([&] {
            for (unsigned turn = 0; turn < 2'000; ++turn) propose(picker, holds(turn), batch);
        });
        return took / 2'000;
    }

    double sparse(piece_picker& picker) {
        std::vector<Bits> sparse_peers;
        for (unsigned peer = 100'000; peer < 100'200; ++peer) sparse_peers.push_back(bitfield(m_pieces, peer, 1));
        double const took = nanos([&] {
            for (unsigned turn = 0; turn < 1'000; ++turn) propose(picker, sparse_peers[turn % 200], batch);
        });
        return took / 1'000;
    }

    double one(piece_picker& picker) {
        std::vector<Bits> poor_peers;
        for (unsigned nth = 0; nth < 100; ++nth) poor_peers.push_back(only(m_pieces, nth * 7919 % m_pieces));
        double const took = nanos([&] {
            for (Bits const& bits : poor_peers) {
                if (propose(picker, bits, batch) == 0) std::abort();
            }
        });
        return took / 100;
    }

    double haves(piece_picker& picker) {
        auto const pieces = random_pieces(seed + 8, 16'000);
        double const took = nanos([&] {
            for (unsigned turn = 0; turn < 2'000; ++turn) {
                for (unsigned nth = 0; nth < 8; ++nth) picker.inc_refcount(pieces[turn * 8 + nth], nullptr);
                propose(picker, holds(turn), batch);
            }
        });
        return took / 2'000;
    }

    Download download(unsigned haves_each_turn) {
        auto const picker = joined_picker();
        auto const news = random_pieces(seed + 9, 10'000);
        std::size_t at_news = 0;
        std::vector<std::vector<piece_block>> queues(peers());
        for (auto& queue : queues) queue.reserve(batch);
        Download result{0, 0, 0};
        unsigned open = 0;
        unsigned have_count = 0;
        double const took = nanos([&] {
            for (unsigned turn = 0;; ++turn) {
                auto& queue = queues[turn % peers()];
                for (piece_block const block : queue) {
                    if (!receive(*picker, block, identity(turn))) {
                        result.twice += 1;
                    } else if (picker->is_piece_finished(block.piece_index)) {
                        picker->piece_passed(block.piece_index);
                        have_count += 1;
                        open -= open > 0;
                    }
                }
                queue.clear();
                if (have_count == m_pieces) break;
                for (unsigned nth = 0; nth < haves_each_turn; ++nth) {
                    picker->inc_refcount(news[at_news], nullptr);
                    at_news = at_news + 1 == news.size() ? 0 : at_news + 1;
                }
                fill(*picker, turn, queue);
                for (piece_block const block : queue) open += block.block_index == 0;
                result.most_open = std::max(result.most_open, open);
            }
        });
        result.nanos_per_block = took / (m_pieces * 16.0);
        return result;
    }

    /// Returns the bytes of a picker that knows all peers and has no piece open, for each piece.
    double bytes() {
        std::size_t const before = allocated_bytes();
        auto const picker = joined_picker();
        return static_cast<double>(allocated_bytes() - before) / m_pieces;
    }

private:
    std::unique_ptr<piece_picker> new_picker() const {
        return std::make_unique<piece_picker>(std::int64_t(m_pieces) * piece_length, piece_length);
    }

    std::unique_ptr<piece_picker> joined_picker() {
        auto picker = new_picker();
        join_all(*picker);
        return picker;
    }

    /// Counts all bitfields and picks a block, for which the picker sorts its pieces.
    void join_all(piece_picker& picker) {
        for (unsigned peer = 0; peer < peers(); ++peer) picker.inc_refcount(holds(peer), identity(peer));
        propose(picker, holds(0), 1);
    }

    /// Chooses and marks nothing.
    std::size_t propose(piece_picker const& picker, Bits const& holds, int blocks) {
        m_blocks.clear();
        pick(picker, holds, blocks, nullptr);
        return m_blocks.size();
    }

    void pick(piece_picker const& picker, Bits const& holds, int blocks, lt::torrent_peer* peer) {
        picker.pick_pieces(
            holds, m_blocks, blocks, 0, peer, piece_picker::rarest_first, m_suggested, static_cast<int>(peers()), m_counters);
    }

    /// Returns whether the block was missing.
    static bool receive(piece_picker& picker, piece_block block, lt::torrent_peer* peer) {
        if (picker.is_downloaded(block)) return false;
        picker.mark_as_writing(block, peer);
        picker.mark_as_finished(block, peer);
        return true;
    }

    /// Asks a peer for as many blocks as it can give; at the end for one that another was asked for.
    void fill(piece_picker& picker, unsigned turn, std::vector<piece_block>& queue) {
        m_blocks.clear();
        pick(picker, holds(turn), batch, identity(turn));
        // Such a block comes last, when there are no 16 others.
        bool const is_short = m_blocks.size() < batch && m_blocks.size() > 1;
        if (is_short && picker.num_peers(m_blocks.back()) > 0) m_blocks.pop_back();
        for (piece_block const block : m_blocks) {
            if (picker.mark_as_downloading(block, identity(turn), piece_picker::rarest_first)) queue.push_back(block);
        }
    }

    std::vector<piece_index_t> random_pieces(std::uint64_t state, unsigned count) const {
        std::vector<piece_index_t> drawn;
        for (unsigned nth = 0; nth < count; ++nth) {
            drawn.emplace_back(static_cast<int>(next_random(state) % m_pieces));
            next_random(state); // whose HAVE it was
        }
        return drawn;
    }

    unsigned peers() const { return static_cast<unsigned>(m_bitfields.size()); }

    bool is_large() const { return m_pieces >= 100'000; }

    Bits const& holds(unsigned peer) const { return m_bitfields[peer % peers()]; }

    /// The picker compares the addresses of peers, and looks at nothing behind them.
    lt::torrent_peer* identity(unsigned peer) {
        return reinterpret_cast<lt::torrent_peer*>(&m_identities[peer % peers()]);
    }

    unsigned m_pieces;
    std::vector<std::uint64_t> m_identities;
    std::vector<Bits> m_bitfields;
    std::vector<piece_block> m_blocks;
    std::vector<piece_index_t> m_suggested;
    lt::counters m_counters;
};

} // namespace

int main(int argc, char** argv) {
    if (argc != 4) {
        std::fputs("usage: picker PIECES PEERS RUNS\n", stderr);
        return 2;
    }
    auto const pieces = static_cast<unsigned>(std::stoul(argv[1]));
    auto const peers = static_cast<unsigned>(std::stoul(argv[2]));
    auto const runs = std::stoul(argv[3]);
    Swarm swarm(pieces, peers);
    std::array<double, rows.size()> least;
    least.fill(std::numeric_limits<double>::infinity());
    Download download{};
    for (unsigned long run = 0; run < runs; ++run) {
        double join = 0;
        auto const picker = swarm.join(join);
        double const churn = swarm.churn(*picker);
        auto const [have, back] = swarm.have(*picker);
        double const fresh = swarm.fresh(*picker);
        double const sparse = swarm.sparse(*picker);
        double const one = swarm.one(*picker);
        double const haves = swarm.haves(*picker);
        download = swarm.download(0);
        double const with_haves = swarm.download(4).nanos_per_block;
        std::array const all{join, churn, have, back, fresh, sparse, download.nanos_per_block, one, haves, with_haves};
        for (std::size_t row = 0; row < all.size(); ++row) least[row] = std::min(least[row], all[row]);
    }
    std::printf("\n%u pieces, %u peers\n", pieces, peers);
    for (std::size_t row = 0; row < rows.size(); ++row) {
        auto const [name, unit] = rows[row];
        double const time = std::string(unit) == "us" ? least[row] / 1000 : least[row];
        std::printf("  %-36s %11.3f %s\n", name, time, unit);
    }
    auto const twice = static_cast<unsigned long long>(download.twice);
    std::printf("  blocks that came twice %llu, most open pieces %u\n", twice, download.most_open);
    std::printf("  %.2f bytes for each piece beside the bitfields\n", swarm.bytes());
}
