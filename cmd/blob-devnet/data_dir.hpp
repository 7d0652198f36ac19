#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "chain/base/bytes.hpp"
#include "chain/base/quantity.hpp"
#include "chain/base/result.hpp"
#include "cmd/blob-devnet/chain_node.hpp"

namespace blobvm::devnet {

struct Funding {
    Address address;
    Amount amount;
};

/// ADDRESS=AMOUNT: an EIP-55 address as parse_address_strict takes it, an amount above zero.
Result<Funding> parse_funding(std::string_view text);

/// The folder in which a local chain lives, locked against a second process:
///   chain.json          the chain's ID, made when the chain is created
///   genesis.json        as given to the plugins
///   chain-config.json   the plugins' configuration, in use until another is given
///   lock, logs/, node-I/
class DataDir {
  public:
    struct Choices {
        std::filesystem::path path = {};
        std::optional<std::filesystem::path> genesis = {};       ///< file; for a new chain
        std::optional<std::filesystem::path> chain_config = {};  ///< file
        std::vector<Funding> funds = {};                         ///< for a new chain
    };

    /// Opens the chain that is there, or creates one: the fast preset (or the file) with a magic of
    /// its own and the funds added. Checks everything before anything is written. A genesis or
    /// funds other than those of an existing chain: kStoreForeign. kStoreLocked: another process is
    /// in it.
    static Result<std::unique_ptr<DataDir>> open(const Choices& choices);
    ~DataDir();

    const std::filesystem::path& path() const { return path_; }
    const ChainDescription& chain() const { return chain_; }
    const std::string& chain_config() const { return chain_config_; }
    bool created() const { return created_; }  ///< just now

    /// The ID of a node of this chain: the same at every start.
    NodeId node_id(std::size_t index) const;

  private:
    DataDir(std::filesystem::path path, int lock) : path_{std::move(path)}, lock_{lock} {}
    Result<void> load(const Choices& choices);
    Result<void> create(const Choices& choices);
    Result<void> choose_config(const Choices& choices);

    const std::filesystem::path path_;
    const int lock_;
    ChainDescription chain_;
    std::string chain_config_;
    bool created_ = false;
};

/// "NodeID-" and CB58, as nodes write it.
std::string node_id_text(const NodeId& id);

}  // namespace blobvm::devnet
