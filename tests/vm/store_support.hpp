#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "chain/block.hpp"
#include "chain/genesis.hpp"
#include "chain/state.hpp"
#include "chain/window.hpp"
#include "vm/chain_store.hpp"

namespace blobvm::test {

/// A fresh folder that goes with its object.
class TempFolder {
  public:
    explicit TempFolder(
        const std::filesystem::path& under = std::filesystem::temp_directory_path());
    ~TempFolder();
    TempFolder(const TempFolder&) = delete;
    TempFolder& operator=(const TempFolder&) = delete;

    const std::filesystem::path& path() const { return path_; }
    std::string string() const { return path_.string(); }

  private:
    std::filesystem::path path_;
};

/// What ChainStore::commit is given.
struct Commit {
    chain::BlockPtr block;
    chain::BlockSummary summary;
    chain::Changes changes;
};

struct BlockShape {
    std::size_t sets = 3;
    std::size_t value_bytes = 6000;  ///< some vary, so that both sides of a limit are met
    std::size_t transfers = 3;
};

/// A chain of well-formed blocks with made-up effects. The block of a height follows from seed,
/// shape and parent alone, so that another process can make the same chain.
class ChainMaker {
  public:
    explicit ChainMaker(std::uint64_t seed, const BlockShape& shape = {});

    const chain::Genesis& genesis() const { return genesis_; }
    chain::BlockPtr genesis_block() const { return chain::genesis_block(genesis_); }
    std::vector<chain::Allocation> allocations() const;

    Commit after(const vm::Tip& parent) const;

    /// Creates the chain in `store` if there is none, and commits up to `height`.
    Result<void> extend(vm::ChainStore& store, std::uint64_t height,
                        vm::Durability durability = vm::Durability::kBuffered) const;

  private:
    std::uint64_t seed_;
    BlockShape shape_;
    chain::Genesis genesis_;
};

ChainId chain_id(std::uint8_t number);

/// Every file under `folder` with its content: to show that nothing was touched.
std::vector<std::pair<std::string, std::string>> contents_of(const std::filesystem::path& folder);

std::string read_file(const std::filesystem::path& path);
void write_file(const std::filesystem::path& path, std::string_view text);

}  // namespace blobvm::test
