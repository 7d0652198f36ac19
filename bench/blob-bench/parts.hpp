#pragma once

#include "bench/blob-bench/findings.hpp"

namespace blobvm::bench {

/// The figures that are not throughput, measured in this process; each adds its lines to
/// `findings`. With `quick` they take less of everything.
void measure_verify(Findings& findings, bool quick);
void measure_build(Findings& findings, bool quick);
void measure_processing(Findings& findings, bool quick);
void measure_tree(Findings& findings, bool quick);
void measure_mempool(Findings& findings, bool quick);
void measure_window(Findings& findings, bool quick);
void measure_accept(Findings& findings, bool quick);
void measure_read(Findings& findings, bool quick);
void measure_state(Findings& findings, bool quick);

/// A chain of `chain_bytes` of values is filled by a child process, which is then killed.
void measure_start(Findings& findings, std::size_t chain_bytes);

/// What that child does: fills a chain in `folder`, tells so on stdout, and waits to be killed.
int fill_chain(const std::filesystem::path& folder, std::size_t chain_bytes);

}  // namespace blobvm::bench
