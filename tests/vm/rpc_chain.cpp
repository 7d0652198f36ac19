#include "tests/vm/rpc_chain.hpp"

#include <cstdlib>
#include <stdexcept>

#include "proto/jsonrpc/genesis.hpp"

namespace blobvm::test {
namespace {

std::filesystem::path make_directory() {
    std::string pattern = std::filesystem::temp_directory_path() / "blobvm-rpc-XXXXXX";
    if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error{"no temporary folder"};
    return pattern;
}

template <class T>
T or_throw(Result<T> result) {
    if (!result) throw std::runtime_error{result.error().message()};
    return std::move(result).value();
}
void or_throw(const Result<void>& result) {
    if (!result) throw std::runtime_error{result.error().message()};
}

}  // namespace

std::string test_genesis_json() { return jsonrpc::write_genesis(test_genesis()); }

RpcChain::RpcChain(const RpcChainOptions& options)
    : directory_{make_directory()},
      clock{options.start_s},
      node{or_throw(vm::Node::open({.network_id = options.network_id,
                                    .subnet_id = options.subnet_id,
                                    .chain_id = options.chain_id,
                                    .node_id = {},
                                    .chain_data_dir = directory_,
                                    .genesis_json = options.genesis_json,
                                    .config_json = options.config_json},
                                   clock, executor, services))},
      rpc{*node} {
    or_throw(node->vm().set_state(vm::EngineState::kBootstrapping));
    or_throw(node->vm().set_state(vm::EngineState::kNormalOp));
}

RpcChain::~RpcChain() {
    node->shutdown();
    node.reset();
    std::error_code ignored;  // a folder that stays behind is no failure of the test
    std::filesystem::remove_all(directory_, ignored);
}

void RpcChain::accept(Bytes block) {
    const chain::BlockPtr verified =
        or_throw(node->vm().verify_block(SharedBytes{std::move(block)}));
    node->vm().set_preference(verified->id);
    or_throw(node->vm().accept(verified->id));
}

void RpcChain::accept_next() { accept(to_bytes(or_throw(node->build_block())->bytes.view())); }

std::string RpcChain::post(std::string_view body) {
    return rpc.handle({"POST", "/public", {{"Content-Type", "application/json"}}, body}).body;
}

std::string RpcChain::call(std::string_view method, std::string_view params) {
    std::string body{R"({"jsonrpc":"2.0","method":"blobvm.)"};
    body += method;
    body += R"(","params":)";
    body += params;
    body += R"(,"id":1})";
    return post(body);
}

}  // namespace blobvm::test
