#include "vm/plugin/chain_host.hpp"

#include <utility>

namespace blobvm::vm::plugin {

Result<void> ChainHost::open(const ChainSetup& setup, const std::string& database_address,
                             const std::string& services_address) {
    if (closed()) return fail(ErrorCode::kClosed, "the chain has been shut down");
    if (running() != nullptr) return fail(ErrorCode::kInvalidState, "already initialized");

    BLOBVM_TRY(auto client, NodeClient::create(setup.chain_id, database_address, services_address));
    NodeClient& services = *client;
    {
        const Lock lock{mutex_};
        clients_.push_back(std::move(client));
    }
    auto chain = std::make_unique<Chain>();
    BLOBVM_TRY(chain->node, Node::open(setup, clock_, executor_, services));
    chain->rpc = std::make_unique<service::JsonRpc>(*chain->node);

    owned_ = std::move(chain);
    chain_.store(owned_.get(), std::memory_order_release);
    return {};
}

void ChainHost::close() {
    if (closed_.exchange(true)) return;
    if (owned_ != nullptr) owned_->node->shutdown();
}

void ChainHost::abandon_node() {
    const Lock lock{mutex_};
    for (const auto& client : clients_) client->abandon();
}

}  // namespace blobvm::vm::plugin
