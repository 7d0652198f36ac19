#include "proto/jsonrpc/messages.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "chain/base/cb58.hpp"
#include "chain/base/hex.hpp"
#include "proto/jsonrpc/genesis.hpp"

namespace blobvm::jsonrpc {
namespace {

template <class Fixed>
Fixed filled(int byte) {
    Fixed result;
    result.bytes.fill(static_cast<std::byte>(byte));
    return result;
}

template <class T>
std::string written(const T& message) {
    std::string out;
    message.append_json(out);
    return out;
}

template <class T>
Result<T> read_text(const std::string& text) {
    BLOBVM_TRY(const json::Document document, json::Document::parse(text));
    return T::read(document.root());
}

/// What is read from what was written writes the same again: nothing is lost on the way.
template <class T>
void expect_round_trip(const T& message, const std::string& text) {
    EXPECT_EQ(written(message), text);
    const Result<T> read = read_text<T>(text);
    ASSERT_TRUE(read) << read.error().message();
    EXPECT_EQ(written(*read), text);
}

const std::string kId = to_cb58(filled<TxId>(7).view());
const std::string kKey = "0x" + std::string(64, 'a');
const std::string kAddress = "0xf9370fa73846393798c2d23aa2a4aba7489d9810";
const std::string kChecksummed = "0xF9370fa73846393798C2d23aa2a4aBA7489d9810";

Address address() { return Address::from(*from_hex(std::string_view{kAddress}.substr(2))); }

TEST(MessagesTest, WhatOneSideWritesTheOtherReads) {
    expect_round_trip(NoArgs{}, "null");
    expect_round_trip(PingReply{true}, R"({"success":true})");
    expect_round_trip(
        NetworkReply{4294967295, filled<SubnetId>(7), filled<ChainId>(7)},
        R"({"networkId":4294967295,"subnetId":")" + kId + R"(","chainId":")" + kId + "\"}");
    expect_round_trip(LastAcceptedReply{18446744073709551615ULL, filled<BlockId>(7)},
                      R"({"height":18446744073709551615,"blockId":")" + kId + "\"}");
    expect_round_trip(BalanceArgs{address()}, R"({"address":")" + kAddress + "\"}");
    expect_round_trip(BalanceReply{Amount{12}}, R"({"balance":12})");
    expect_round_trip(ResolveArgs{filled<BlobKey>(0xaa)}, R"({"key":")" + kKey + "\"}");
    expect_round_trip(ResolveReply{}, R"({"exists":false,"value":null,"valueMeta":null})");
    expect_round_trip(ResolveReply{true, SharedBytes::copy_of(as_bytes("hello")),
                                   chain::BlobMeta{5, filled<TxId>(7), 1660460315}},
                      R"({"exists":true,"value":"aGVsbG8=","valueMeta":{"size":5,"txId":")" + kId +
                          R"(","created":1660460315}})");
    expect_round_trip(HasBlobReply{true}, R"({"exists":true})");
    expect_round_trip(TxIdArgs{filled<TxId>(7)}, R"({"txId":")" + kId + "\"}");
    expect_round_trip(HasTxReply{true}, R"({"accepted":true})");
    expect_round_trip(TxStatusReply{"refused", "invalid \"price\""},
                      R"({"status":"refused","reason":"invalid \"price\""})");
    expect_round_trip(SuggestedRawFeeReply{Price{7}, BlockCost{3}}, R"({"price":7,"cost":3})");
    expect_round_trip(SuggestedFeeArgs{}, R"({"input":null})");
    expect_round_trip(SuggestedFeeArgs{FeeInput{"transfer", "", {}, address(), Amount{9}}},
                      R"({"input":{"type":"transfer","key":"","value":"","to":")" + kAddress +
                          R"(","units":9}})");
    expect_round_trip(IssueRawTxArgs{SharedBytes::copy_of(as_bytes("abc"))}, R"({"tx":"YWJj"})");
    expect_round_trip(TxIdReply{filled<TxId>(7)}, R"({"txId":")" + kId + "\"}");
    expect_round_trip(RecentActivityReply{}, R"({"activity":null})");
    expect_round_trip(RecentActivityReply{std::vector<ActivityItem>{}}, R"({"activity":[]})");
    expect_round_trip(RecentActivityReply{std::vector<ActivityItem>{
                          {1, filled<TxId>(7), "set", address(), filled<BlobKey>(0xaa), {}, {}},
                          {2, filled<TxId>(7), "transfer", address(), {}, address(), Amount{5}}}},
                      R"({"activity":[{"timestamp":1,"txId":")" + kId +
                          R"(","type":"set","sender":")" + kChecksummed + R"(","key":")" + kKey +
                          R"("},{"timestamp":2,"txId":")" + kId +
                          R"(","type":"transfer","sender":")" + kChecksummed + R"(","to":")" +
                          kChecksummed + R"(","units":5}]})");
}

TEST(MessagesTest, GenesisGoesThroughWhole) {
    chain::Genesis genesis;
    genesis.magic = 5;
    genesis.custom_allocation = {{address(), Amount{18446744073709551615ULL}}};
    const std::string text = write_genesis(genesis);
    EXPECT_EQ(text,
              R"({"magic":5,"baseTxUnits":1,"valueUnitSize":1024,"maxValueSize":204800,)"
              R"("minPrice":1,"lookbackWindow":60,"targetBlockRate":1,"targetBlockSize":225,)"
              R"("maxBlockSize":246,"blockCostEnabled":true,"customAllocation":[{"address":")" +
                  kAddress +
                  R"(","balance":18446744073709551615}],"airdropHash":"",)"
                  R"("airdropUnits":0})");
    expect_round_trip(GenesisReply{genesis}, R"({"genesis":)" + text + "}");
}

// --- typed data: spec/blobvm.md 3.4 and 3.5 ---

BlockId counting_block() {
    BlockId id;
    for (std::size_t i = 0; i < 32; ++i) id.bytes[i] = static_cast<std::byte>(i + 1);
    return id;
}

TEST(TypedDataTest, IsWrittenAsTheOriginalDoes) {
    chain::TxFields fields{counting_block(), 5, Price{7}, chain::SetFields{as_bytes("hello")}};
    EXPECT_EQ(
        written(TypedData::of(fields)),
        R"({"types":{"EIP712Domain":[{"name":"name","type":"string"},{"name":"magic","type":"uint64"}],)"
        R"("set":[{"name":"value","type":"bytes"},{"name":"price","type":"uint64"},)"
        R"({"name":"blockID","type":"string"}]},"primaryType":"set",)"
        R"("domain":{"name":"Blob","magic":"5"},)"
        R"("message":{"blockID":"SkB92YpWm4Q2ijQHH34cqbKkCZWszsiQgHVjtNeFF2HdvDQU","price":"7",)"
        R"("value":"0x68656c6c6f"}})");
    fields.body = chain::TransferFields{address(), Amount{1000}};
    const std::string transfer = written(TypedData::of(fields));
    EXPECT_NE(transfer.find(R"("price":"7","to":")" + kChecksummed + R"(","units":"1000"}})"),
              std::string::npos)
        << transfer;
}

TEST(TypedDataTest, BecomesTheTransactionItCameFrom) {
    const chain::TxFields fields{counting_block(), 5, Price{7},
                                 chain::SetFields{as_bytes("hello")}};
    expect_round_trip(SuggestedFeeReply{TypedData::of(fields), Amount{14}},
                      R"({"typedData":)" + written(TypedData::of(fields)) + R"(,"totalCost":14})");
    expect_round_trip(
        IssueTxArgs{TypedData::of(fields), to_bytes(as_bytes("ab"))},
        R"({"typedData":)" + written(TypedData::of(fields)) + R"(,"signature":"0x6162"})");

    const Result<TypedTransaction> typed = parse_typed_data(TypedData::of(fields));
    ASSERT_TRUE(typed);
    EXPECT_EQ(typed->fields.block_id, fields.block_id);
    EXPECT_EQ(typed->fields.magic, 5U);
    EXPECT_EQ(typed->fields.price, Price{7});
    ASSERT_NE(typed->fields.set(), nullptr);
    EXPECT_EQ(as_chars(typed->fields.set()->value), "hello");
}

struct Refusal {
    std::string text;
    std::string error;
};

TEST(TypedDataTest, IsCheckedInTheOriginalsOrder) {
    const std::string id = to_cb58(counting_block().view());
    const std::string good = R"("domain":{"magic":"5"},"message":{"blockID":")" + id + "\"";
    const std::vector<Refusal> refusals{
        {R"({})", "typed data key missing: blockID"},
        {R"({"message":{"blockid":"x"}})", "typed data key missing: blockID"},
        {R"({"message":{"blockID":5}})", "typed data key missing: blockID"},
        {R"({"message":{"blockID":"a"},"message":null})", "typed data key missing: blockID"},
        {R"({"message":{"blockID":""}})", "zero length string"},
        {R"({"message":{"blockID":")" + id + R"("}})",
         R"(strconv.ParseUint: parsing "": invalid syntax)"},
        {R"({"domain":{"magic":"99999999999999999999x"},"message":{"blockID":")" + id + R"("}})",
         R"(strconv.ParseUint: parsing "99999999999999999999x": value out of range)"},
        {"{" + good + "}}", "typed data key missing: price"},
        {"{" + good + R"(,"price":7}})", "typed data key missing: price"},
        {"{" + good + R"(,"price":"+7"}})", R"(strconv.ParseUint: parsing "+7": invalid syntax)"},
        {"{" + good + R"(,"price":"0x7"}})", R"(strconv.ParseUint: parsing "0x7": invalid syntax)"},
        {"{" + good + R"(,"price":"7"}})", "invalid tx type"},
        {R"({"primaryType":"Set",)" + good + R"(,"price":"7"}})", "invalid tx type"},
        {R"({"primaryType":"set",)" + good + R"(,"price":"7"}})", "typed data key missing: value"},
        {R"({"primaryType":"set",)" + good + R"(,"price":"7","value":""}})", "empty hex string"},
        {R"({"primaryType":"set",)" + good + R"(,"price":"7","value":"68"}})",
         "hex string without 0x prefix"},
        {R"({"primaryType":"set",)" + good + R"(,"price":"7","value":"0x6"}})",
         "hex string of odd length"},
        {R"({"primaryType":"set",)" + good + R"(,"price":"7","value":"0x6g8"}})",
         "invalid hex string"},
        {R"({"primaryType":"set",)" + good + R"(,"price":"7","value":"0x"}})", ""},
        {R"({"primaryType":"transfer",)" + good + R"(,"price":"7"}})",
         "typed data key missing: to"},
        {R"({"primaryType":"transfer",)" + good + R"(,"price":"7","to":"1"}})",
         "typed data key missing: units"},
        {R"({"primaryType":"transfer",)" + good + R"(,"price":"7","to":"1","units":"-1"}})",
         R"(strconv.ParseUint: parsing "-1": invalid syntax)"},
    };
    for (const Refusal& refusal : refusals) {
        const Result<TypedData> data = read_text<TypedData>(refusal.text);
        ASSERT_TRUE(data) << refusal.text;
        const Result<TypedTransaction> typed = parse_typed_data(*data);
        EXPECT_EQ(typed ? "" : typed.error().message(), refusal.error) << refusal.text;
    }
}

TEST(TypedDataTest, ATransfersRecipientIsTakenLeniently) {
    const auto to = [](const std::string& text) {
        TypedData data = TypedData::of(
            {counting_block(), 5, Price{7}, chain::TransferFields{Address{}, Amount{1}}});
        data.to = text;
        return to_hex_0x(parse_typed_data(data)->fields.transfer()->to.view());
    };
    const std::string zeros(38, '0');
    EXPECT_EQ(to(""), "0x00" + zeros);
    EXPECT_EQ(to("0x1"), "0x" + zeros + "01");
    EXPECT_EQ(to("0X12"), "0x" + zeros + "12");
    EXPECT_EQ(to("12zz34"), "0x" + zeros + "12");
    EXPECT_EQ(to("1z2"), "0x" + zeros + "01");
    EXPECT_EQ(to("ff" + kAddress.substr(2)), kAddress);
}

TEST(TypedDataTest, TheShapeOfTypesMustBeRight) {
    EXPECT_TRUE(read_text<TypedData>(R"({"types":null})"));
    EXPECT_TRUE(read_text<TypedData>(R"({"types":{"a":null,"b":[null,{"name":null}]}})"));
    for (const std::string types : {"[]", "5", R"({"a":{}})", R"({"a":[5]})",
                                    R"({"a":[{"name":5}]})", R"({"a":[{"type":[]}]})"}) {
        EXPECT_FALSE(read_text<TypedData>("{\"types\":" + types + "}")) << types;
    }
    EXPECT_FALSE(read_text<TypedData>(R"({"message":[]})"));
    EXPECT_FALSE(read_text<TypedData>(R"({"domain":{"magic":5}})"));
    EXPECT_FALSE(read_text<TypedData>(R"({"primaryType":5})"));
}

// --- arguments ---

TEST(ArgumentsTest, ComeAsNothingAnObjectOrAnArray) {
    const auto balance_of = [](const std::string& params) -> std::string {
        const Result<json::Document> document = json::Document::parse(params);
        const Result<BalanceArgs> args = read_args<BalanceArgs>(document->root());
        return args ? to_hex_0x(args->address.view()) : "refused";
    };
    const std::string zero = "0x" + std::string(40, '0');
    const std::string object = "{\"address\":\"" + kAddress + "\"}";
    EXPECT_EQ(to_hex_0x(read_args<BalanceArgs>(std::nullopt)->address.view()), zero);
    EXPECT_EQ(balance_of("null"), zero);
    EXPECT_EQ(balance_of("[]"), zero);
    EXPECT_EQ(balance_of("[null,5]"), zero);
    EXPECT_EQ(balance_of("{}"), zero);
    EXPECT_EQ(balance_of(object), kAddress);
    EXPECT_EQ(balance_of("[" + object + ",\"rest\"]"), kAddress);
    EXPECT_EQ(balance_of("[[]]"), "refused");
    EXPECT_EQ(balance_of("\"x\""), "refused");
    EXPECT_EQ(balance_of("{\"address\":null}"), "refused");
    EXPECT_EQ(balance_of("{\"address\":\"\"}"), "refused");
}

TEST(ArgumentsTest, BytesComeAsBase64OrNumbers) {
    const auto tx = [](const std::string& value) -> std::string {
        const auto args = read_text<IssueRawTxArgs>("{\"tx\":" + value + "}");
        return args ? std::string{as_chars(args->tx.view())} : "refused";
    };
    EXPECT_EQ(tx("\"YWJj\""), "abc");
    EXPECT_EQ(tx(R"("YW\nJj\r\n")"), "abc");
    EXPECT_EQ(tx(R"("YW\u004aj")"), "abc");
    EXPECT_EQ(tx("[97, 98, 99]"), "abc");
    EXPECT_EQ(tx("null"), "");
    EXPECT_EQ(tx("[256]"), "refused");
    EXPECT_EQ(tx("[-1]"), "refused");
    EXPECT_EQ(tx("\"YWJ\""), "refused");
    EXPECT_EQ(tx("{}"), "refused");
}

TEST(ArgumentsTest, AnIdOfAbsurdLengthIsRefusedAtOnce) {
    EXPECT_FALSE(read_text<TxIdArgs>("{\"txId\":\"" + std::string(1'000'000, '2') + "\"}"));
    TypedData data;
    data.block_id = std::string(1'000'000, '2');
    EXPECT_FALSE(parse_typed_data(data));
}

// --- the envelope, as a client sees it ---

TEST(EnvelopeTest, ARequestIsOneLine) {
    std::string out;
    append_request(out, kBalance, 7, BalanceArgs{address()});
    EXPECT_EQ(out, R"({"jsonrpc":"2.0","method":"blobvm.balance","params":{"address":")" +
                       kAddress + R"("},"id":7})");
}

TEST(EnvelopeTest, AnErrorIsTheNodesMessage) {
    const auto result = [](const std::string& text) -> std::string {
        const Result<json::Document> document = json::Document::parse(text);
        const Result<json::Value> value = read_result(document->root());
        return value ? std::string{value->raw()} : value.error().message();
    };
    EXPECT_EQ(result(R"({"jsonrpc":"2.0","result":{"a":1},"id":1})"), R"({"a":1})");
    EXPECT_EQ(result(R"({"error":{"code":1,"message":"key already exists","data":null}})"),
              "key already exists");
    EXPECT_EQ(result(R"({"error":5})"), "5");
    EXPECT_EQ(result(R"({"result":null,"error":null})"), "a response without a result");
    EXPECT_EQ(result("[]"), "not a JSON-RPC response");
}

// --- files ---

TEST(AirdropTest, ReadsAddressesAndHashesTheFile) {
    const std::string file =
        "[{\"address\":\"" + kAddress + "\"},{\"address\":\"" + kAddress + "\",\"x\":1}]\n";
    const Result<chain::Airdrop> airdrop = parse_airdrop(file);
    ASSERT_TRUE(airdrop);
    EXPECT_EQ(airdrop->addresses.size(), 2U);
    EXPECT_EQ(airdrop->addresses[0], address());
    EXPECT_EQ(parse_airdrop("[]")->addresses.size(), 0U);
}

TEST(AirdropTest, RefusesWhatIsNoListOfAddresses) {
    for (const std::string file : {"", "{}", "[5]", "[{}]", "[null]", R"([{"address":"0x1"}])",
                                   R"([{"address":null}])", "[] x"}) {
        const Result<chain::Airdrop> airdrop = parse_airdrop(file);
        ASSERT_FALSE(airdrop) << file;
        EXPECT_EQ(airdrop.error().code, ErrorCode::kAirdropInvalid) << file;
    }
}

}  // namespace
}  // namespace blobvm::jsonrpc
