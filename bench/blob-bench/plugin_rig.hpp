#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "bench/blob-bench/measure.hpp"
#include "bench/blob-bench/workload.hpp"
#include "client/detail/http_transport.hpp"
#include "cmd/blob-devnet/chain_node.hpp"
#include "cmd/blob-devnet/http_server.hpp"
#include "cmd/blob-devnet/network.hpp"
#include "vm/thread_pool.hpp"

namespace blobvm::bench {

/// One chain in a plugin process, run by the node's side of the protocol in this one: the plugin
/// beside this program, with the calls that a node makes, and an HTTP port in front.
class PluginRig {
  public:
    struct Options {
        Shape shape = {};
        std::size_t per_block = 1;
        std::size_t mempool_size = 100'000;
        std::uint64_t mempool_bytes = 64 * 1024 * 1024;
    };
    PluginRig(const Options& options, const Accounts& accounts);
    ~PluginRig();

    int pid() const;

    /// Transactions that name the last accepted block.
    Load load(std::size_t count) { return load(count, shape_); }
    Load load(std::size_t count, const Shape& shape);

    /// One JSON-RPC request through the plugin's gRPC, without HTTP in front; its answer's body.
    std::string call(std::string body);
    /// The same through HTTP. Safe from several threads, as call() is.
    std::string post(std::string body);

    /// What a node does for one block; the time of each call in seconds.
    struct Made {
        Bytes bytes;
        double build_s, verify_s, accept_s;
    };
    Made make_block();

    /// A block of one transfer, so that there is a recent one to name.
    void start_window();

  private:
    const Accounts& accounts_;
    const Shape shape_;
    chain::Genesis genesis_;
    Folder folder_;
    vm::ThreadPoolExecutor signers_;
    std::uint64_t next_number_ = 1;
    devnet::ChainDescription description_;
    std::unique_ptr<devnet::Network> network_;
    std::unique_ptr<devnet::ChainNode> node_;
    std::shared_ptr<::http::HTTP::Stub> handler_;
    std::unique_ptr<devnet::HttpServer> server_;
    std::unique_ptr<client::detail::HttpTransport> transport_;
};

/// A JSON-RPC batch (or a lone request, of one) that issues transactions begin to end.
std::string issue_body(const Load& load, std::size_t begin, std::size_t end);

/// Ends the program if any of the requests was refused.
void check_issued(const std::string& answer);

}  // namespace blobvm::bench
