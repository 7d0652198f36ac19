#pragma once

#include <memory>

#include "bench/blob-bench/child.hpp"
#include "proto/plugin/http.grpc.pb.h"

namespace blobvm::bench {

/// Another process behind gRPC that answers each HandleSimple at once with as many bytes as the
/// request's url says: what any call through the plugin costs at least. Its settings are a
/// plugin's.
class Echo {
  public:
    Echo();
    int pid() const { return child_.pid(); }

    void call(std::size_t request_bytes, std::size_t answer_bytes);
    /// Calls per second with so many outstanding, each of them from a thread of its own.
    double rate(std::size_t outstanding, std::size_t request_bytes, std::size_t answer_bytes,
                double seconds);

  private:
    Child child_;
    std::unique_ptr<::http::HTTP::Stub> stub_;
};

/// What that process does. Ends when its stdin does.
int run_echo();

}  // namespace blobvm::bench
