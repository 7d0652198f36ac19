#pragma once

#include "bench/blob-bench/engine_run.hpp"
#include "bench/blob-bench/findings.hpp"

namespace blobvm::bench {

enum class Way {
    kPlugin,  ///< JSON-RPC straight through the plugin's gRPC, as a node forwards it
    kRpc,     ///< JSON-RPC through a node's HTTP port, as a dApp sends it
};

/// A sustained run through the real plugin process: handed in as JSON-RPC, blocks made by the
/// calls that a node makes.
RunResult run_plugin(const RunOptions& options, Way way);

/// What the boundary between node and plugin costs, against bare gRPC calls to another process.
/// Fills in the calibration's gRPC figures. `engine_small` is the engine's rate for sets of 1 KiB,
/// `engine_large` that for sets of 200 KiB, in transactions per second.
void measure_boundary(Findings& findings, bool quick, double engine_small);
void measure_memory(Findings& findings);

/// Load for so many seconds, and whether the plugin's memory grows meanwhile.
void measure_soak(Findings& findings, double seconds);
void measure_upload(Findings& findings, bool quick, double engine_large);

}  // namespace blobvm::bench
