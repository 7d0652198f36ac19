#include "chain/base/check.hpp"
#include "proto/jsonrpc/json.hpp"
#include "tests/fuzz/fuzz_input.hpp"
#include "tests/vm/rpc_chain.hpp"

using namespace blobvm;

/// Any body is answered with nothing or with one line of JSON, by a real node.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static test::RpcChain chain;
    const vm::service::HttpResponse response =
        chain.rpc.handle({"POST",
                          "/public",
                          {{"Content-Type", "application/json"}},
                          as_chars(test::fuzz_input(data, size))});
    CHECK(response.status == 200);
    if (response.body.empty()) return 0;
    CHECK(response.body.find('\n') == response.body.size() - 1);
    CHECK(json::Document::parse(response.body).has_value());
    return 0;
}
