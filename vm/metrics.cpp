#include "vm/metrics.hpp"

#include <algorithm>

namespace blobvm::vm {

void Histogram::observe(std::chrono::nanoseconds duration) {
    const double seconds = std::chrono::duration<double>(duration).count();
    const auto bound = std::lower_bound(kBoundsS.begin(), kBoundsS.end(), seconds);
    const auto bucket = static_cast<std::size_t>(bound - kBoundsS.begin());
    buckets_[bucket].fetch_add(1, std::memory_order_relaxed);
    const auto ns = std::max<std::chrono::nanoseconds::rep>(duration.count(), 0);
    sum_ns_.fetch_add(static_cast<std::uint64_t>(ns), std::memory_order_relaxed);
}

Histogram::Snapshot Histogram::snapshot() const {
    Snapshot result{};
    // Count and buckets come from the same reads, so that they fit each other whatever is observed
    // meanwhile.
    for (std::size_t i = 0; i < buckets_.size(); ++i) {
        result.count += buckets_[i].load(std::memory_order_relaxed);
        if (i < result.cumulative.size()) result.cumulative[i] = result.count;
    }
    result.sum_s = static_cast<double>(sum_ns_.load(std::memory_order_relaxed)) * 1e-9;
    return result;
}

std::vector<Sample> collect(const Metrics& metrics) {
    std::vector<Sample> samples;
    const auto histogram = [&](const char* name, const char* help, const Histogram& value) {
        samples.push_back({.name = name,
                           .help = help,
                           .kind = Sample::Kind::kHistogram,
                           .histogram = value.snapshot()});
    };
    const auto counter = [&](const char* name, const char* help, const Counter& value) {
        samples.push_back({.name = name,
                           .help = help,
                           .kind = Sample::Kind::kCounter,
                           .value = static_cast<double>(value.value()),
                           .histogram = {}});
    };
    histogram("vm_parse_seconds", "Time to parse a block", metrics.parse);
    histogram("vm_recover_seconds", "Time to recover the senders of a block or batch",
              metrics.recover);
    histogram("vm_execute_seconds", "Time to execute the transactions of a block", metrics.execute);
    histogram("vm_build_seconds", "Time to build a block", metrics.build);
    histogram("vm_verify_seconds", "Time to verify a block", metrics.verify);
    histogram("vm_accept_seconds", "Time to accept a block, its writing included", metrics.accept);
    histogram("vm_rpc_seconds", "Time to answer a JSON-RPC request", metrics.rpc);

    counter("vm_transactions_submitted_total", "Transactions handed in, refused ones included",
            metrics.transactions_submitted);
    counter("vm_transactions_refused_total", "Transactions refused at submission",
            metrics.transactions_refused);
    counter("vm_transactions_accepted_total", "Transactions in accepted blocks",
            metrics.transactions_accepted);
    counter("vm_signatures_recovered_total", "Signatures whose sender was recovered",
            metrics.signatures_recovered);
    counter("vm_known_transactions_total", "Transactions found without recovering their sender",
            metrics.known_transactions);
    counter("vm_blocks_built_total", "Blocks built", metrics.blocks_built);
    counter("vm_builds_failed_total", "Builds that gave no block", metrics.builds_failed);
    counter("vm_blocks_verified_total", "Blocks verified", metrics.blocks_verified);
    counter("vm_blocks_refused_total", "Blocks that failed verification", metrics.blocks_refused);
    counter("vm_blocks_accepted_total", "Blocks accepted", metrics.blocks_accepted);
    counter("vm_blocks_rejected_total", "Blocks rejected", metrics.blocks_rejected);
    counter("vm_accepted_bytes_total", "Bytes of accepted blocks", metrics.bytes_accepted);
    counter("vm_gossip_sent_total", "Transactions sent to peers", metrics.gossip_sent);
    counter("vm_gossip_received_total", "Transactions received from peers",
            metrics.gossip_received);
    counter("vm_gossip_refused_total", "Messages and transactions of peers that were refused",
            metrics.gossip_refused);
    counter("vm_rpc_errors_total", "JSON-RPC requests answered with an error", metrics.rpc_errors);
    counter("vm_log_lines_dropped_total", "Log lines dropped by rate limit or a stalled reader",
            metrics.log_lines_dropped);
    return samples;
}

}  // namespace blobvm::vm
