#include "bench/blob-bench/calibration.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "chain/base/check.hpp"
#include "chain/base/detail/keccak.hpp"
#include "chain/base/hashing.hpp"

namespace blobvm::bench {
namespace {

using detail::KeccakPath;

constexpr std::size_t kBlockBytes = 1638 * 1024;
constexpr std::size_t kValueBytes = 200 * 1024;
constexpr double kMega = 1e6;

/// Signed digests, as many as make no two recoveries in a row alike.
struct Signed {
    std::vector<Hash256> digests;
    std::vector<Signature> signatures;

    explicit Signed(std::size_t count) {
        const Accounts accounts{1};
        for (std::size_t i = 0; i < count; ++i) {
            digests.push_back(keccak256(random_bytes(32, i)));
            signatures.push_back(accounts.key(0).sign(digests.back()));
        }
    }
};

double stream_rate(std::size_t threads, double seconds) {
    const Bytes message = random_bytes(kBlockBytes, 2);
    return rate_per_thread(threads, seconds,
                           [&](std::size_t) {
                               static_cast<void>(keccak256(message));
                               return static_cast<double>(message.size());
                           }) /
           kMega;
}

/// MB/s of messages of `size` bytes in the lanes; each thread has its own copy of one value for
/// each lane, as blocks do not hold one value again and again.
double lanes_rate(std::size_t threads, std::size_t size, double seconds) {
    constexpr std::size_t kMessages = detail::kMaxKeccakLanes;
    std::vector<Bytes> values;
    for (std::size_t i = 0; i < threads * kMessages; ++i) values.push_back(random_bytes(size, i));
    return rate_per_thread(threads, seconds,
                           [&](std::size_t thread) {
                               std::vector<TwoPartMessage> messages;
                               for (std::size_t i = 0; i < kMessages; ++i) {
                                   messages.push_back({{}, values[thread * kMessages + i]});
                               }
                               std::vector<Hash256> digests(messages.size());
                               keccak256_many(messages, digests);
                               return static_cast<double>(kMessages * size);
                           }) /
           kMega;
}

}  // namespace

double measure_recover(std::size_t threads, double seconds) {
    constexpr std::size_t kDigests = 64;
    const Signed known{kDigests};
    return rate_per_thread(threads, seconds, [&](std::size_t) {
        for (std::size_t i = 0; i < kDigests; ++i) {
            CHECK(chain::recover_sender(known.digests[i], known.signatures[i].view()).has_value());
        }
        return static_cast<double>(kDigests);
    });
}

Samples append_times(const std::filesystem::path& folder, ByteView bytes, bool synced,
                     double seconds, std::size_t least) {
    const std::filesystem::path path = folder / "raw-log";
    const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (file < 0) give_up("cannot write " + path.string());
    Samples times = time_each(seconds, least, [&] {
        CHECK(::write(file, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
        if (synced) CHECK(::fdatasync(file) == 0);
    });
    ::close(file);
    ::unlink(path.c_str());
    return times;
}

Calibration calibrate(double seconds_each, const std::filesystem::path& folder) {
    Calibration found;
    found.recover_alone = measure_recover(1, seconds_each);
    found.recover = measure_recover(cores(), seconds_each);
    found.keccak_stream = stream_rate(cores(), seconds_each);
    found.keccak_lanes = lanes_rate(cores(), kValueBytes, seconds_each);
    for (const KeccakPath path : detail::kAllKeccakPaths) {
        if (!detail::is_supported(path)) continue;
        detail::use_keccak_path(path);
        found.paths.push_back({.name = detail::name(path),
                               .lanes = detail::keccak_code().lanes,
                               .stream = stream_rate(1, seconds_each / 2),
                               .many = lanes_rate(1, kValueBytes, seconds_each / 2)});
    }
    detail::use_keccak_path(detail::best_keccak_path());

    const Bytes block = random_bytes(kBlockBytes, 3);
    const auto megabytes = static_cast<double>(block.size()) / kMega;
    // The mean: a log that is written for long cannot wait for the quick moments.
    found.wal = megabytes / append_times(folder, block, false, seconds_each, 5).mean();
    found.wal_synced = megabytes / append_times(folder, block, true, seconds_each, 5).mean();
    const ByteView few = ByteView{block}.first(100);
    found.small_sync_ms = append_times(folder, few, true, seconds_each, 5).median() * 1e3;
    return found;
}

Json Calibration::json() const {
    Json codes = Json::array();
    for (const Path& path : paths) {
        codes.push_back({{"code", path.name},
                         {"lanes", path.lanes},
                         {"streamMBps", path.stream},
                         {"lanesMBps", path.many}});
    }
    return {{"cores", cores()},
            {"recoverPerSecondAlone", recover_alone},
            {"recoverPerSecondPerCore", recover},
            {"keccakStreamMBpsPerCore", keccak_stream},
            {"keccakLanesMBpsPerCore", keccak_lanes},
            {"keccakCodes", codes},
            {"walMBps", wal},
            {"walSyncedMBps", wal_synced},
            {"smallSyncMs", small_sync_ms},
            {"grpcCallsPerSecondOneByOne", grpc_one},
            {"grpcCallsPerSecond16Outstanding", grpc_many}};
}

double Floor::bound() const {
    const double all_cores = static_cast<double>(cores) / (recover_s + hashing_s());
    return block_id_s > 0 ? std::min(all_cores, 1 / block_id_s) : all_cores;
}

double Floor::hashing_bound() const {
    const double all_cores = static_cast<double>(cores) / hashing_s();
    return block_id_s > 0 ? std::min(all_cores, 1 / block_id_s) : all_cores;
}

Json Floor::json() const {
    return {{"recoverUs", recover_s * 1e6},
            {"keysAndIdsUs", keys_and_ids_s * 1e6},
            {"blockIdUs", block_id_s * 1e6},
            {"cores", cores},
            {"boundPerSecond", bound()}};
}

Floor measure_floor(const Shape& shape, std::size_t per_block, double seconds_each) {
    const auto nested = static_cast<double>(shape.nested_bytes());
    const std::size_t block_bytes = per_block * shape.nested_bytes();
    Floor floor{.cores = cores()};
    floor.recover_s = 1 / measure_recover(cores(), seconds_each);

    const std::size_t standalone = shape.nested_bytes() + chain::kVersionBytes;
    const auto seconds_of = [&](std::size_t size) {
        return static_cast<double>(size) / (lanes_rate(cores(), size, seconds_each) * kMega);
    };
    floor.keys_and_ids_s = seconds_of(standalone);
    if (shape.is_set()) floor.keys_and_ids_s += seconds_of(shape.value_bytes);

    const Bytes block = random_bytes(block_bytes, 4);
    const double blocks_per_s = rate_per_thread(cores(), seconds_each, [&](std::size_t) {
        static_cast<void>(keccak256(block));
        return 1.0;
    });
    floor.block_id_s = nested / (blocks_per_s * static_cast<double>(block_bytes));
    return floor;
}

Floor mean_of(const Floor& a, const Floor& b) {
    return {.recover_s = (a.recover_s + b.recover_s) / 2,
            .keys_and_ids_s = (a.keys_and_ids_s + b.keys_and_ids_s) / 2,
            .block_id_s = (a.block_id_s + b.block_id_s) / 2,
            .cores = a.cores};
}

}  // namespace blobvm::bench
