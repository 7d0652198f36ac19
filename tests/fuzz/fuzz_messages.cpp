#include "chain/base/check.hpp"
#include "proto/jsonrpc/messages.hpp"
#include "tests/fuzz/fuzz_input.hpp"

using namespace blobvm;

namespace {

/// What is read writes itself so that it is read the same.
template <class T>
void check(const json::Value& value) {
    const Result<T> message = T::read(value);
    if (!message) return;
    std::string written;
    message->append_json(written);
    const auto document = json::Document::parse(written);
    CHECK(document.has_value());
    const Result<T> again = T::read(document->root());
    CHECK(again.has_value());
    std::string rewritten;
    again->append_json(rewritten);
    CHECK(rewritten == written);
}

}  // namespace

/// Arguments from clients, replies from nodes, and the typed data of wallets.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto document = json::Document::parse(as_chars(test::fuzz_input(data, size)));
    if (!document) return 0;
    const json::Value root = document->root();
    check<jsonrpc::BalanceArgs>(root);
    check<jsonrpc::TxIdArgs>(root);
    check<jsonrpc::ResolveReply>(root);
    check<jsonrpc::IssueRawTxArgs>(root);
    check<jsonrpc::IssueTxArgs>(root);
    check<jsonrpc::SuggestedFeeArgs>(root);
    check<jsonrpc::RecentActivityReply>(root);
    (void)jsonrpc::read_result(root);
    const auto args = jsonrpc::IssueTxArgs::read(root);
    if (!args || !args->typed_data) return 0;
    if (const auto typed = jsonrpc::parse_typed_data(*args->typed_data)) {
        const auto again = jsonrpc::parse_typed_data(jsonrpc::TypedData::of(typed->fields)).value();
        CHECK(again.fields.block_id == typed->fields.block_id && again.value == typed->value);
    }
    return 0;
}
