#pragma once

#include "proto/jsonrpc/messages.hpp"
#include "vm/node.hpp"

/// What each method does: arguments in, reply or refusal out. No JSON, no HTTP.
namespace blobvm::vm::service {

Result<jsonrpc::PingReply> ping(Node& node, const jsonrpc::NoArgs& args);
Result<jsonrpc::NetworkReply> network(Node& node, const jsonrpc::NoArgs& args);
Result<jsonrpc::LastAcceptedReply> last_accepted(Node& node, const jsonrpc::NoArgs& args);
Result<jsonrpc::BalanceReply> balance(Node& node, const jsonrpc::BalanceArgs& args);
Result<jsonrpc::ResolveReply> resolve(Node& node, const jsonrpc::ResolveArgs& args);
Result<jsonrpc::HasTxReply> has_tx(Node& node, const jsonrpc::TxIdArgs& args);
Result<jsonrpc::HasBlobReply> has_blob(Node& node, const jsonrpc::ResolveArgs& args);
Result<jsonrpc::TxStatusReply> tx_status(Node& node, const jsonrpc::TxIdArgs& args);
Result<jsonrpc::SuggestedRawFeeReply> suggested_raw_fee(Node& node, const jsonrpc::NoArgs& args);
Result<jsonrpc::SuggestedFeeReply> suggested_fee(Node& node, const jsonrpc::SuggestedFeeArgs& args);
Result<jsonrpc::TxIdReply> issue_raw_tx(Node& node, const jsonrpc::IssueRawTxArgs& args);
Result<jsonrpc::TxIdReply> issue_tx(Node& node, const jsonrpc::IssueTxArgs& args);
Result<jsonrpc::RecentActivityReply> recent_activity(Node& node, const jsonrpc::NoArgs& args);

}  // namespace blobvm::vm::service
