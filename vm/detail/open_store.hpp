#pragma once

#include <memory>

#include "vm/chain_store.hpp"
#include "vm/clock.hpp"
#include "vm/config.hpp"
#include "vm/executor.hpp"
#include "vm/node.hpp"
#include "vm/node_services.hpp"

namespace blobvm::vm::detail {

/// Opens the chain's store, or creates it from `genesis`, and brings it in line with the node: its
/// height is never above the witness (spec/rpcchainvm.md 3.13), whatever either database lost.
///
///   witness at or above our height  nothing to do
///   witness below, same block       rolled back by undo records; beyond their reach rebuilt from
///                                   the stored blocks, which is right but slow
///   no witness, or another block    starts over from genesis; the old database is kept aside
///
/// `config.roll_back_to` lowers the height further. kStoreForeign for another chain's database or
/// genesis.
Result<std::unique_ptr<ChainStore>> open_store(const ChainSetup& setup,
                                               const chain::Genesis& genesis, const Config& config,
                                               const Clock& clock, Executor& executor,
                                               NodeServices& services);

}  // namespace blobvm::vm::detail
