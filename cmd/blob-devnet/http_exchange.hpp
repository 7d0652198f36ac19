#pragma once

#include <chrono>
#include <string>

#include "proto/plugin/http.grpc.pb.h"

namespace blobvm::devnet {

/// Runs one http.HTTP/Handle call as a node does (spec/rpcchainvm.md 5.4): for its time there is a
/// gRPC server from which the plugin reads the body and to which it writes the answer. The answer
/// is held until the call returns. Connections cannot be taken over (Hijack fails). Blocks, at most
/// `limit`; `request.response_writer.header` is what has been set already.
/// Any failure of the call is an answer with code 500 and its text.
::http::HandleSimpleHTTPResponse handle(::http::HTTP::Stub& handler, ::http::HTTPRequest request,
                                        const std::string& body, std::chrono::milliseconds limit);

}  // namespace blobvm::devnet
