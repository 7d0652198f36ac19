#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>

#include "proto/plugin/http.grpc.pb.h"
#include "vm/executor.hpp"
#include "vm/plugin/chain_host.hpp"

namespace blobvm::vm::plugin {

/// HTTP requests as the node forwards them, answered by JsonRpc on the executor. What cannot be
/// served now is answered 503, a body above the config's limit 413, a request to upgrade the
/// connection 501; the calls themselves always succeed.
class HttpService final : public ::http::HTTP::CallbackService {
  public:
    static constexpr std::uint64_t kMaxBytesUnderWay = 256 * 1024 * 1024;  ///< bodies, all together

    HttpService(ChainHost& host, Executor& executor) : host_{host}, executor_{executor} {}

    grpc::ServerUnaryReactor* HandleSimple(grpc::CallbackServerContext* context,
                                           const ::http::HandleSimpleHTTPRequest* request,
                                           ::http::HandleSimpleHTTPResponse* response) override;

    grpc::ServerUnaryReactor* Handle(grpc::CallbackServerContext* context,
                                     const ::http::HTTPRequest* request,
                                     ::http::HTTPResponse* response) override;

  private:
    class BodyShare;
    class Streamed;

    /// The answer without asking JsonRpc, if that is already clear.
    std::optional<service::HttpResponse> refusal(std::uint64_t body_bytes);

    service::HttpResponse serve(const service::HttpRequest& request);

    ChainHost& host_;
    Executor& executor_;
    std::atomic<std::uint64_t> bytes_under_way_{0};
};

}  // namespace blobvm::vm::plugin
