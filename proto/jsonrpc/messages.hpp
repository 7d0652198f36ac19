#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "chain/base/bytes.hpp"
#include "chain/base/quantity.hpp"
#include "chain/base/result.hpp"
#include "chain/genesis.hpp"
#include "chain/state.hpp"
#include "chain/transaction.hpp"
#include "proto/jsonrpc/json.hpp"

/// The twelve methods (spec/blobvm.md 7.4): one source for server and client. Each struct knows how
/// to write itself (append_json) and how to be read (read); all members and their order are Go's.
namespace blobvm::jsonrpc {

inline constexpr std::string_view kService = "blobvm";
inline constexpr std::string_view kPing = "blobvm.ping";
inline constexpr std::string_view kNetwork = "blobvm.network";
inline constexpr std::string_view kGenesis = "blobvm.genesis";
inline constexpr std::string_view kLastAccepted = "blobvm.lastAccepted";
inline constexpr std::string_view kBalance = "blobvm.balance";
inline constexpr std::string_view kResolve = "blobvm.resolve";
inline constexpr std::string_view kHasTx = "blobvm.hasTx";
inline constexpr std::string_view kSuggestedRawFee = "blobvm.suggestedRawFee";
inline constexpr std::string_view kSuggestedFee = "blobvm.suggestedFee";
inline constexpr std::string_view kIssueRawTx = "blobvm.issueRawTx";
inline constexpr std::string_view kIssueTx = "blobvm.issueTx";
inline constexpr std::string_view kRecentActivity = "blobvm.recentActivity";

// The owner of proto/jsonrpc fills in argument and reply structs here; see README.md.

}  // namespace blobvm::jsonrpc
