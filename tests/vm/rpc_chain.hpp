#pragma once

#include <filesystem>
#include <string>

#include "tests/support/vm_harness.hpp"
#include "vm/node.hpp"
#include "vm/service/json_rpc.hpp"

namespace blobvm::test {

/// test_genesis(), as JSON.
std::string test_genesis_json();

struct RpcChainOptions {
    std::string genesis_json = test_genesis_json();
    std::string config_json{};
    std::uint32_t network_id = 1337;
    SubnetId subnet_id{};
    ChainId chain_id{};
    std::int64_t start_s = VmHarness::kStart;
};

/// A node with a real store in a folder of its own, a clock that the test sets, and its JSON-RPC.
/// Whatever fails while it is set up throws, and so fails the test.
class RpcChain {
  public:
    explicit RpcChain(const RpcChainOptions& options = {});
    ~RpcChain();
    RpcChain(const RpcChain&) = delete;
    RpcChain& operator=(const RpcChain&) = delete;

    /// Verifies, prefers and accepts.
    void accept(Bytes block);
    /// Builds a block of what waits, and accepts it.
    void accept_next();

    /// The body that answers a POST of `body`.
    std::string post(std::string_view body);
    /// The body that answers a call with id 1.
    std::string call(std::string_view method, std::string_view params);

  private:
    std::filesystem::path directory_;

  public:
    ManualClock clock;
    vm::InlineExecutor executor;
    RecordingNode services;
    std::unique_ptr<vm::Node> node;
    vm::service::JsonRpc rpc;
};

}  // namespace blobvm::test
