#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "chain/base/result.hpp"
#include "proto/plugin/http.grpc.pb.h"

namespace blobvm::devnet {

/// An answer of the node's own.
struct Page {
    unsigned status = 200;
    std::string content_type;
    std::string body;
};

/// Where a request goes: to a plugin's handler, or to nobody.
struct Route {
    enum class Kind { kUnknown, kNotReady, kHandler };
    Kind kind = Kind::kUnknown;
    std::shared_ptr<::http::HTTP::Stub> handler = {};
};

/// What one node answers with. Called from several threads; pages may block.
struct HttpSite {
    std::function<std::string()> node_id;  ///< for the Node-Id header, "NodeID-..."
    /// By exact path, or by the value of Avalanche-Api-Route where that is not empty.
    std::function<Route(std::string_view path, std::string_view api_route)> route;
    std::function<Page()> health;                     ///< /ext/health
    std::function<Page()> metrics;                    ///< /ext/metrics
    std::function<Page(std::string_view body)> info;  ///< /ext/info
};

/// The HTTP side of a node on 127.0.0.1 (spec/rpcchainvm.md 5): forwards to the plugin with
/// HandleSimple, or Handle for requests to upgrade; answers CORS preflights, foreign host names
/// (403) and its own pages itself. Bodies up to 64 MiB (413), 30 s to send a request or to take an
/// answer, keep-alive of 120 s, 1024 connections. A caller that goes away cancels its call.
class HttpServer {
  public:
    static constexpr std::uint64_t kMaxBodyBytes = 64 * 1024 * 1024;
    static constexpr std::size_t kMaxConnections = 1'024;

    /// `port` 0: a free one. kIo, with the port in the text, when it is in use.
    static Result<std::unique_ptr<HttpServer>> start(std::uint16_t port, HttpSite site);
    /// Cancels what is going on, and waits for it.
    ~HttpServer();

    std::uint16_t port() const;

  private:
    struct Impl;
    explicit HttpServer(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

/// Go's form of a header's name, as the plugin expects it: content-type -> Content-Type.
std::string canonical_header(std::string_view name);

}  // namespace blobvm::devnet
