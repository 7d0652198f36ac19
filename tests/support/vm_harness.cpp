#include "tests/support/vm_harness.hpp"

#include "chain/base/check.hpp"

namespace blobvm::test {

chain::Genesis test_genesis() {
    chain::Genesis genesis;
    genesis.magic = 5;
    genesis.block_cost_enabled = false;
    genesis.custom_allocation.emplace();
    for (std::uint64_t owner = 1; owner <= 8; ++owner) {
        genesis.custom_allocation->push_back({account(owner), Amount{1'000'000'000'000'000}});
    }
    return genesis;
}

VmHarness::VmHarness(const chain::Genesis& rules, vm::Config config) : genesis{rules} {
    CHECK(store.create(genesis, *chain::genesis_block(genesis),
                       chain::initial_balances(genesis, std::nullopt).value()));
    vm = vm::VirtualMachine::open({.clock = clock,
                                   .executor = executor,
                                   .node = node,
                                   .metrics = metrics,
                                   .store = store,
                                   .genesis = genesis,
                                   .config = std::move(config)})
             .value();
    CHECK(vm->set_state(vm::EngineState::kBootstrapping));
    vm->set_preference(vm->last_accepted().id);
    CHECK(vm->set_state(vm::EngineState::kNormalOp));
}

chain::TransactionPtr VmHarness::set(std::string_view value, Price price, std::uint64_t signer) {
    return chain::sign_transaction({.block_id = vm->status().preferred,
                                    .magic = genesis.magic,
                                    .price = price,
                                    .body = chain::SetFields{as_bytes(value)}},
                                   key(signer))
        .value();
}

chain::TransactionPtr VmHarness::transfer(const Address& to, std::uint64_t units, Price price,
                                          std::uint64_t signer) {
    return chain::sign_transaction({.block_id = vm->status().preferred,
                                    .magic = genesis.magic,
                                    .price = price,
                                    .body = chain::TransferFields{to, Amount{units}}},
                                   key(signer))
        .value();
}

Result<TxId> VmHarness::submit(const chain::TransactionPtr& tx) {
    return vm->submit(SharedBytes{chain::standalone_bytes(tx->raw)});
}

chain::BlockPtr VmHarness::make_accepted_block() {
    const chain::BlockPtr block = vm->build_block().value();
    CHECK(vm->verify_block(block->bytes));
    vm->set_preference(block->id);
    CHECK(vm->accept(block->id));
    return block;
}

Result<chain::BlockPtr> VmHarness::verify(const chain::BlockPtr& block) {
    return vm->verify_block(SharedBytes::copy_of(block->bytes.view()));
}

}  // namespace blobvm::test
