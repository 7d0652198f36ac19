#pragma once

#include <vector>

#include "proto/plugin/vm.pb.h"
#include "vm/metrics.hpp"

namespace blobvm::vm::plugin {

/// How many files this process has open, as a Prometheus client library names it.
Sample open_files();

/// Puts `samples` into what Gather answers with. One bad family would turn the metrics of the whole
/// node into an error (spec/rpcchainvm.md 3.14), so a sample that breaks a rule is left out: a name
/// that Prometheus does not allow, that was there before, or that collides with a histogram's
/// series. Returns how many were left out.
std::size_t fill(const std::vector<Sample>& samples, ::vm::GatherResponse& response);

}  // namespace blobvm::vm::plugin
