#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "bench/blob-bench/calibration.hpp"
#include "bench/blob-bench/measure.hpp"
#include "bench/blob-bench/workload.hpp"

namespace blobvm::bench {

/// How a sustained run goes, in whatever mode.
struct RunOptions {
    Shape shape = {};
    double seconds = 30;
    std::size_t count = 0;  ///< most transactions; 0: as many as the seconds allow
    std::size_t senders = 64;
    std::size_t recipients = 10'000;
    std::size_t block_bytes = 1638 * 1024;
    std::size_t batch = 100;     ///< transactions handed in at once
    std::size_t submitters = 0;  ///< threads that hand in; 0: one for each core
};

/// What a sustained run came to.
struct RunResult {
    std::string mode;
    Shape shape;
    std::size_t per_block = 0;
    double seconds = 0;
    std::size_t blocks = 0;
    std::size_t transactions = 0;  ///< accepted
    std::size_t value_bytes = 0;
    std::size_t block_bytes = 0;

    // In ms, of each call or block.
    Samples submit, build, verify, accept;
    Samples latency;     ///< from before its submission to after its acceptance; one of each batch
    Samples per_second;  ///< transactions accepted in each whole second

    /// Processor seconds by what they went to; "other" is what no thread of ours can be blamed
    /// for, mostly the store's background work.
    std::map<std::string, double> cpu_s;
    double foreign_s = 0;        ///< processor seconds that other programs took meanwhile
    double generator_alone = 0;  ///< transactions/s that the load generator makes with nothing else
    std::uint64_t disk_bytes = 0;  ///< handed to the disk in the run, flushes included
    Samples resident;              ///< bytes in memory at the end of each whole second
    std::string synced;            ///< what was on disk when
    std::string left_out;          ///< what a node has and this has not

    Floor floor;  ///< measured right before and right after

    double rate() const { return static_cast<double>(transactions) / seconds; }
    /// The share of all cores that other programs had.
    double foreign_share() const;
    /// rate() in the processor time that was left to this program: what it would be on a machine
    /// that does nothing else. Equal to rate() on a quiet one, and never more than all cores could
    /// do with the processor time that each transaction took.
    double undisturbed_rate() const;
    double megabytes_per_s() const { return static_cast<double>(value_bytes) / seconds / 1e6; }
    Json json() const;
};

/// The VM core in this process: submit -> build -> verify -> accept -> on disk, for as long as
/// asked. Several threads hand in, one makes blocks, as in a plugin under load.
RunResult run_engine(const RunOptions& options);

/// Transactions per second that all submitters together put together, with nothing else to do.
double generator_rate(const Load& load, std::size_t threads, double seconds);

}  // namespace blobvm::bench
