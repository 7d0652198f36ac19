#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "bench/blob-bench/measure.hpp"
#include "bench/blob-bench/workload.hpp"

namespace blobvm::bench {

/// What this machine can do right now, piece by piece. Everything is per core, measured with all
/// cores at it at the same time, unless it says otherwise; MB are 10^6 bytes.
struct Calibration {
    double recover_alone = 0;  ///< recoveries/s of one core while the others rest
    double recover = 0;        ///< recoveries/s
    double keccak_stream = 0;  ///< MB/s of one message of 1.6 MiB, as a block's id is made
    double keccak_lanes = 0;   ///< MB/s of many messages of 200 KiB in the vector lanes
    /// MB/s of each code that this CPU can run: its name, lanes, one stream, all lanes.
    struct Path {
        std::string name;
        std::size_t lanes;
        double stream;
        double many;
    };
    std::vector<Path> paths;

    double wal = 0;            ///< MB/s of appending 1.6 MiB to a file, one thread
    double wal_synced = 0;     ///< the same, each on disk before the next
    double small_sync_ms = 0;  ///< median time until 100 appended bytes are on disk
    double grpc_one = 0;       ///< bare calls/s, one at a time, small, to another process
    double grpc_many = 0;      ///< with 16 outstanding

    Json json() const;
};

/// Without the gRPC figures, for which see echo.hpp.
Calibration calibrate(double seconds_each, const std::filesystem::path& folder);

double measure_recover(std::size_t threads, double seconds);

/// What one transaction of a shape cannot do without, in seconds of one core. Measured with all
/// cores at it, on messages of exactly these sizes.
struct Floor {
    double recover_s = 0;
    double keys_and_ids_s = 0;  ///< the value and the transaction, through the vector lanes
    double block_id_s = 0;      ///< its share of the block's single stream
    std::size_t cores = 1;

    double hashing_s() const { return keys_and_ids_s + block_id_s; }
    /// Transactions per second when all cores do nothing else: recovery and hashing.
    double bound() const;
    /// Hashing alone; a block's id is one stream, which one core makes.
    double hashing_bound() const;
    Json json() const;
};
Floor measure_floor(const Shape& shape, std::size_t per_block, double seconds_each);

/// The mean of what was measured before and after something.
Floor mean_of(const Floor& a, const Floor& b);

/// The times of appending `bytes` to a file in `folder`, synced or not, again and again.
Samples append_times(const std::filesystem::path& folder, ByteView bytes, bool synced,
                     double seconds, std::size_t least);

}  // namespace blobvm::bench
