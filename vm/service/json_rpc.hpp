#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "vm/node.hpp"

namespace blobvm::vm::service {

/// One HTTP request as the handler sees it; header names in canonical case.
struct HttpRequest {
    std::string method;
    std::string target;  ///< as sent, with query
    std::vector<std::pair<std::string, std::string>> headers;
    std::string_view body;
};

struct HttpResponse {
    int status = 200;
    std::vector<std::pair<std::string, std::string>> headers;
    std::string body;
};

/// The twelve methods of spec/blobvm.md 7, byte for byte, those of our own, and JSON-RPC batches
/// (proto/jsonrpc/README.md). Safe from any thread; reads come from a snapshot of one height, never
/// under the consensus lock. The node must outlive it.
class JsonRpc {
  public:
    explicit JsonRpc(Node& node);

    /// Never throws: what is wrong with a request is told in the response.
    HttpResponse handle(const HttpRequest& request);

  private:
    Node& node_;
    const std::string genesis_;  ///< genesis JSON: the same for every caller
};

/// The JSON-RPC error code of everything that a method can refuse.
int json_rpc_code(ErrorCode code);

}  // namespace blobvm::vm::service
