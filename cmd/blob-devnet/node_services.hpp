#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "chain/base/bytes.hpp"
#include "chain/base/result.hpp"
#include "cmd/blob-devnet/ledger.hpp"

namespace blobvm::devnet {

/// Where what a plugin sends goes. Calls come from any thread and must not wait for a plugin.
class AppRouter {
  public:
    virtual ~AppRouter() = default;

    /// To whom a gossip goes: the named nodes, and so many of each group, chosen at random.
    struct Audience {
        std::vector<NodeId> nodes;
        std::uint64_t validators = 0;
        std::uint64_t non_validators = 0;
        std::uint64_t peers = 0;
    };

    virtual void gossip(const NodeId& from, Audience to, std::string message) = 0;
    virtual void request(const NodeId& from, const NodeId& to, std::uint32_t id,
                         std::string message) = 0;
    virtual void response(const NodeId& from, const NodeId& to, std::uint32_t id,
                          std::string message) = 0;
    virtual void error(const NodeId& from, const NodeId& to, std::uint32_t id, std::int32_t code,
                       std::string message) = 0;
};

/// What a node offers to one plugin (spec/rpcchainvm.md 2.7 to 2.10), on one gRPC server: rpcdb
/// over the ledger, the app sender, validator state, aliases, shared memory (no other chain is
/// there), the warp signer (refuses: there is no BLS key) and health. IDs of a wrong length are
/// refused.
class NodeServices {
  public:
    struct Options {
        std::uint32_t network_id = 0;
        ChainId chain;
        SubnetId subnet;
        NodeId node;
        std::string alias;               ///< the chain's, besides its ID
        std::vector<NodeId> validators;  ///< all nodes, of equal weight
    };

    /// `ledger` and `router` must outlive the result. kIo.
    static Result<std::unique_ptr<NodeServices>> start(Options options, Ledger& ledger,
                                                       AppRouter& router);
    /// Ends calls in progress.
    ~NodeServices();

    const std::string& address() const { return address_; }  ///< 127.0.0.1:PORT

  private:
    struct Impl;
    explicit NodeServices(std::unique_ptr<Impl> impl);

    std::unique_ptr<Impl> impl_;
    std::string address_;
};

}  // namespace blobvm::devnet
