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

/// The twelve methods of spec/blobvm.md 7, byte for byte, and JSON-RPC batches. Safe from any
/// thread; reads come from a snapshot of one height, never under the consensus lock.
class JsonRpc {
  public:
    explicit JsonRpc(Node& node) : node_{node} {}

    HttpResponse handle(const HttpRequest& request);

  private:
    Node& node_;
};

}  // namespace blobvm::vm::service
