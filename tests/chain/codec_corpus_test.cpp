// Bytes, ids, senders, digests and error texts against what the original made of the same input
// (tests/corpus/README.md).

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "chain/base/cb58.hpp"
#include "chain/base/hashing.hpp"
#include "chain/base/hex.hpp"
#include "chain/block.hpp"
#include "chain/detail/wire.hpp"
#include "chain/genesis.hpp"
#include "chain/signing.hpp"
#include "chain/state.hpp"
#include "chain/transaction.hpp"
#include "tests/support/corpus.hpp"
#include "tests/support/stored_form.hpp"

namespace blobvm::chain {
namespace {

using test::corpus_cases;
using test::fixed;
using test::has_tag;
using test::hex;
using test::Json;
using test::number;
using test::signed_number;
using test::text_or_empty;

SharedBytes shared(Bytes bytes) { return SharedBytes{std::move(bytes)}; }

Bytes joined(const Bytes& a, const Bytes& b, const Bytes& c) {
    Bytes all = a;
    all.insert(all.end(), b.begin(), b.end());
    all.insert(all.end(), c.begin(), c.end());
    return all;
}

/// The whole encoding of a codec-tx case: long ones are stored as a prefix, a pattern, a suffix.
Bytes encoding_of(const Json& tx) {
    if (tx.contains("bytes")) return hex(tx.at("bytes"));
    return joined(hex(tx.at("bytesPrefix")), test::set_value(tx), hex(tx.at("bytesSuffix")));
}

/// Fields as a case states them; a set's value points into `value`.
TxFields fields_of(const Json& tx, const Bytes& value) {
    TxFields fields;
    fields.block_id = fixed<BlockId>(tx.at("blockID"));
    fields.magic = number(tx.at("magic"));
    fields.price = Price{number(tx.at("price"))};
    if (tx.at("type") == "set") {
        fields.body = SetFields{value};
    } else {
        fields.body = TransferFields{fixed<Address>(tx.at("to")), Amount{number(tx.at("units"))}};
    }
    return fields;
}

Bytes value_of(const Json& tx) { return tx.at("type") == "set" ? test::set_value(tx) : Bytes{}; }

/// Half of the group's order, from the curve's parameters: n >> 1.
const Bytes kHalfOrder = hex("7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0");

bool is_canonical(const Bytes& signature) {
    const auto v = std::to_integer<int>(signature.at(64));
    const bool low_s =
        std::memcmp(signature.data() + 32, kHalfOrder.data(), kHalfOrder.size()) <= 0;
    return (v == 27 || v == 28) && low_s;
}

/// What we must say where the original said `error`, or found `sender`: the same, but that we
/// refuse what it accepts in a form that is not the canonical one.
void expect_same_sender(const Result<Address>& ours, const Bytes& signature, const Json& sender,
                        const std::string& error) {
    if (!error.empty()) {
        ASSERT_FALSE(ours.has_value());
        EXPECT_EQ(ours.error().message(), error);
        return;
    }
    if (!is_canonical(signature)) {
        ASSERT_FALSE(ours.has_value());
        EXPECT_EQ(ours.error().code, ErrorCode::kSignatureNotCanonical);
        return;
    }
    ASSERT_TRUE(ours.has_value()) << ours.error().message();
    EXPECT_EQ(*ours, fixed<Address>(sender));
}

Result<Address> sender_of(const RawTransaction& raw) {
    BLOBVM_TRY(const TransactionPtr tx,
               recover_transaction(raw, hash_transactions({&raw, 1}).front()));
    return tx->sender;
}

/// The first failing transaction's reason in words, and whether only our own rule is to blame.
struct FirstFailure {
    std::string text;
    bool hardened = false;
};
FirstFailure first_failure(std::span<const RawTransaction> raws) {
    PlainTransactionLoader loader;
    const Result<std::vector<TransactionPtr>> loaded = loader.load(raws);
    if (loaded) return {};
    return {loaded.error().message(), loaded.error().code == ErrorCode::kSignatureNotCanonical};
}

TEST(CodecCorpusTest, TransactionsHaveTheOriginalsBytesIdsAndSenders) {
    const std::vector<Json> cases = corpus_cases("codec-tx");
    std::vector<RawTransaction> raws;
    for (const Json& tx : cases) {
        SCOPED_TRACE(tx.at("i").dump());
        const Bytes encoding = encoding_of(tx);
        const Bytes value = value_of(tx);
        const Bytes signature = hex(tx.at("signature"));

        const Result<Bytes> encoded = encode_transaction(fields_of(tx, value), signature);
        ASSERT_TRUE(encoded.has_value()) << encoded.error().message();
        EXPECT_TRUE(same_bytes(*encoded, encoding));

        const Result<RawTransaction> raw = decode_transaction(shared(encoding));
        ASSERT_TRUE(raw.has_value()) << raw.error().message();
        EXPECT_EQ(raw->size_bytes(), number(tx.at("size")));
        EXPECT_EQ(raw->fields.block_id, fixed<BlockId>(tx.at("blockID")));
        EXPECT_EQ(raw->fields.magic, number(tx.at("magic")));
        EXPECT_EQ(raw->fields.price.value, number(tx.at("price")));
        EXPECT_TRUE(same_bytes(raw->signature, signature));
        if (const SetFields* set = raw->fields.set()) {
            EXPECT_EQ(tx.at("type"), "set");
            EXPECT_TRUE(same_bytes(set->value, value));
        } else {
            EXPECT_EQ(tx.at("type"), "transfer");
            EXPECT_EQ(raw->fields.transfer()->to, fixed<Address>(tx.at("to")));
            EXPECT_EQ(raw->fields.transfer()->units.value, number(tx.at("units")));
        }
        EXPECT_TRUE(same_bytes(standalone_bytes(*raw), encoding));

        expect_same_sender(sender_of(*raw), signature, tx.value("sender", Json{}),
                           text_or_empty(tx, "senderErr"));
        raws.push_back(*raw);
    }

    const std::vector<TxHashes> hashes = hash_transactions(raws);
    ASSERT_EQ(hashes.size(), cases.size());
    for (std::size_t i = 0; i < cases.size(); ++i) {
        SCOPED_TRACE(i);
        EXPECT_EQ(hashes[i].id, fixed<TxId>(cases[i].at("id")));
        if (cases[i].contains("idCB58")) {
            EXPECT_EQ(to_cb58(hashes[i].id.view()), cases[i].at("idCB58"));
        }
        const SetFields* set = raws[i].fields.set();
        EXPECT_EQ(hashes[i].key,
                  set != nullptr ? retag<BlobKey>(keccak256(set->value)) : BlobKey{});
    }
}

/// The transactions of codec-tx, by index.
std::vector<RawTransaction> all_transactions() {
    std::vector<RawTransaction> raws;
    for (const Json& tx : corpus_cases("codec-tx")) {
        raws.push_back(decode_transaction(shared(encoding_of(tx))).value());
    }
    return raws;
}

std::vector<RawTransaction> chosen(const Json& indexes, const std::vector<RawTransaction>& from) {
    std::vector<RawTransaction> raws;
    for (const Json& index : indexes) raws.push_back(from.at(index.get<std::size_t>()));
    return raws;
}

BlockHeader header_of(const Json& block) {
    return {.parent = fixed<BlockId>(block.at("parent")),
            .timestamp_s = signed_number(block.at("timestamp")),
            .height = number(block.at("height")),
            .price = Price{number(block.at("price"))},
            .cost = BlockCost{number(block.at("cost"))},
            .access_proof = fixed<Hash256>(block.at("accessProof"))};
}

void expect_same_header(const BlockHeader& a, const BlockHeader& b) {
    EXPECT_EQ(a.parent, b.parent);
    EXPECT_EQ(a.timestamp_s, b.timestamp_s);
    EXPECT_EQ(a.height, b.height);
    EXPECT_EQ(a.price, b.price);
    EXPECT_EQ(a.cost, b.cost);
    EXPECT_EQ(a.access_proof, b.access_proof);
}

void expect_same_transactions(std::span<const RawTransaction> a,
                              std::span<const RawTransaction> b) {
    ASSERT_EQ(a.size(), b.size());
    for (std::size_t i = 0; i < a.size(); ++i) {
        EXPECT_TRUE(same_bytes(a[i].nested.view(), b[i].nested.view())) << i;
    }
}

/// That what a block or gossip list says of its senders is what the original said.
void expect_same_first_failure(std::span<const RawTransaction> raws, const Json& test_case) {
    const FirstFailure ours = first_failure(raws);
    if (ours.hardened) return;  // each sender by itself is checked in the case of codec-tx
    EXPECT_EQ(ours.text, text_or_empty(test_case, "initErr"));
}

void check_block(const Json& test_case, const std::vector<RawTransaction>& transactions) {
    const Bytes encoding = hex(test_case.at("bytes"));
    const std::vector<RawTransaction> expected = chosen(test_case.at("txs"), transactions);
    EXPECT_TRUE(same_bytes(encode_block(header_of(test_case), expected).value(), encoding));

    const Result<RawBlock> raw = decode_block(shared(encoding));
    ASSERT_TRUE(raw.has_value()) << raw.error().message();
    expect_same_header(raw->header, header_of(test_case));
    expect_same_transactions(raw->transactions, expected);
    EXPECT_EQ(retag<BlockId>(keccak256(encoding)), fixed<BlockId>(test_case.at("id")));
    expect_same_first_failure(raw->transactions, test_case);

    PlainTransactionLoader loader;
    const Result<BlockPtr> loaded = load_block(*raw, loader);
    if (!loaded) return;
    const BlockPtr& block = *loaded;
    EXPECT_EQ(block->id, fixed<BlockId>(test_case.at("id")));
    const BlockPtr made = make_block(block->header, block->transactions).value();
    EXPECT_EQ(made->id, block->id);
}

void check_gossip(const Json& test_case, const std::vector<RawTransaction>& transactions) {
    const Bytes encoding = hex(test_case.at("bytes"));
    const std::vector<RawTransaction> expected = chosen(test_case.at("txs"), transactions);
    EXPECT_TRUE(same_bytes(encode_gossip(expected).value(), encoding));
    const Result<std::vector<RawTransaction>> decoded = decode_gossip(shared(encoding));
    ASSERT_TRUE(decoded.has_value()) << decoded.error().message();
    expect_same_transactions(*decoded, expected);
}

void check_blob_meta(const Json& test_case) {
    const BlobMeta meta{.size_bytes = number(test_case.at("sizeField")),
                        .tx = fixed<TxId>(test_case.at("txID")),
                        .created_s = number(test_case.at("created"))};
    const Bytes encoding = hex(test_case.at("bytes"));
    EXPECT_TRUE(same_bytes(encode_blob_meta(meta), encoding));
    const Result<BlobMeta> decoded = decode_blob_meta(encoding);
    ASSERT_TRUE(decoded.has_value()) << decoded.error().message();
    EXPECT_EQ(*decoded, meta);
}

void check_genesis_block(const Json& test_case) {
    Genesis genesis;
    genesis.min_price = Price{number(test_case.at("minPrice"))};
    const BlockPtr block = genesis_block(genesis);
    EXPECT_TRUE(same_bytes(block->bytes.view(), hex(test_case.at("bytes"))));
    EXPECT_EQ(block->id, fixed<BlockId>(test_case.at("id")));
}

/// The original's JSON of a genesis, read by the test's own means.
Genesis genesis_of(const Json& json) {
    Genesis genesis;
    genesis.magic = json.at("magic").get<std::uint64_t>();
    genesis.base_tx_units = json.at("baseTxUnits").get<std::uint64_t>();
    genesis.value_unit_size = json.at("valueUnitSize").get<std::uint64_t>();
    genesis.max_value_size = json.at("maxValueSize").get<std::uint64_t>();
    genesis.min_price = Price{json.at("minPrice").get<std::uint64_t>()};
    genesis.lookback_window_s = json.at("lookbackWindow").get<std::int64_t>();
    genesis.target_block_rate_s = json.at("targetBlockRate").get<std::int64_t>();
    genesis.target_block_size = json.at("targetBlockSize").get<std::uint64_t>();
    genesis.max_block_size = json.at("maxBlockSize").get<std::uint64_t>();
    genesis.block_cost_enabled = json.at("blockCostEnabled").get<bool>();
    if (!json.at("customAllocation").is_null()) {
        genesis.custom_allocation.emplace();
        for (const Json& entry : json.at("customAllocation")) {
            genesis.custom_allocation->push_back(
                {fixed<Address>(entry.at("address")),
                 Amount{entry.at("balance").get<std::uint64_t>()}});
        }
    }
    genesis.airdrop_hash = json.at("airdropHash").get<std::string>();
    genesis.airdrop_units = Amount{json.at("airdropUnits").get<std::uint64_t>()};
    return genesis;
}

void check_genesis(const Json& test_case) {
    const Json& given = test_case.at("json");
    const Genesis genesis =
        genesis_of(given.is_string() ? Json::parse(given.get<std::string>()) : given);
    EXPECT_TRUE(same_bytes(encode_genesis(genesis), hex(test_case.at("bytes"))));
}

TEST(CodecCorpusTest, BlocksGossipMetasAndGenesisHaveTheOriginalsBytes) {
    const std::vector<RawTransaction> transactions = all_transactions();
    std::size_t index = 0;
    for (const Json& test_case : corpus_cases("codec-blocks")) {
        SCOPED_TRACE(index++);
        const std::string kind = test_case.at("kind");
        if (kind == "block") {
            check_block(test_case, transactions);
        } else if (kind == "gossip") {
            check_gossip(test_case, transactions);
        } else if (kind == "valueMeta") {
            check_blob_meta(test_case);
        } else if (kind == "genesisBlock") {
            check_genesis_block(test_case);
        } else if (kind == "genesis") {
            check_genesis(test_case);
        } else {
            ADD_FAILURE() << "unknown kind " << kind;
        }
    }
}

/// Whether `error` is what the original said; if it should have decoded, that it did.
/// True if the case goes on with what was decoded.
template <class T>
bool decoded_like_original(const Result<T>& ours, const Json& test_case) {
    const std::string error = text_or_empty(test_case, "err");
    if (error.empty()) {
        EXPECT_TRUE(ours.has_value()) << ours.error().message();
        return ours.has_value();
    }
    EXPECT_EQ(ours.has_value() ? "decoded" : ours.error().message(), error);
    return false;
}

void check_damaged_transaction(const Json& test_case) {
    const Bytes bytes = hex(test_case.at("bytes"));
    const Result<RawTransaction> raw = decode_transaction(shared(bytes));
    if (!decoded_like_original(raw, test_case)) return;
    EXPECT_TRUE(same_bytes(encode_transaction(raw->fields, raw->signature).value(), bytes));
    expect_same_sender(sender_of(*raw), to_bytes(raw->signature), test_case.value("sender", Json{}),
                       text_or_empty(test_case, "initErr"));
}

void check_damaged_block(const Json& test_case) {
    const Bytes bytes = hex(test_case.at("bytes"));
    const Result<RawBlock> raw = decode_block(shared(bytes));
    if (!decoded_like_original(raw, test_case)) return;
    EXPECT_TRUE(same_bytes(encode_block(raw->header, raw->transactions).value(), bytes));
    EXPECT_EQ(retag<BlockId>(keccak256(bytes)), fixed<BlockId>(test_case.at("id")));
    expect_same_first_failure(raw->transactions, test_case);
}

void check_damaged_gossip(const Json& test_case) {
    const Bytes bytes = hex(test_case.at("bytes"));
    const Result<std::vector<RawTransaction>> raws = decode_gossip(shared(bytes));
    if (!decoded_like_original(raws, test_case)) return;
    EXPECT_TRUE(same_bytes(encode_gossip(*raws).value(), bytes));
    expect_same_first_failure(*raws, test_case);
}

void check_damaged_blob_meta(const Json& test_case) {
    const Bytes bytes = hex(test_case.at("bytes"));
    const Result<BlobMeta> meta = decode_blob_meta(bytes);
    if (!decoded_like_original(meta, test_case)) return;
    EXPECT_TRUE(same_bytes(encode_blob_meta(*meta), bytes));
}

/// Nobody reads a genesis in this form, so the layout stands here; what it judges is Reader.
Result<Genesis> decode_genesis(ByteView bytes) {
    BLOBVM_TRY(detail::Reader reader, detail::Reader::open(bytes));
    Genesis genesis;
    genesis.magic = reader.u64();
    genesis.base_tx_units = reader.u64();
    genesis.value_unit_size = reader.u64();
    genesis.max_value_size = reader.u64();
    genesis.min_price.value = reader.u64();
    genesis.lookback_window_s = reader.i64();
    genesis.target_block_rate_s = reader.i64();
    genesis.target_block_size = reader.u64();
    genesis.max_block_size = reader.u64();
    genesis.block_cost_enabled = reader.boolean();
    const std::size_t allocations = reader.count();
    genesis.custom_allocation.emplace();
    reader.enter(
        "couldn't unmarshal slice element: couldn't unmarshal pointer: "
        "couldn't unmarshal struct: ");
    for (std::size_t i = 0; i < allocations && !reader.failed(); ++i) {
        const Address address = reader.fixed<Address>();
        genesis.custom_allocation->push_back({address, Amount{reader.u64()}});
    }
    reader.enter("");
    genesis.airdrop_hash = reader.string();
    genesis.airdrop_units.value = reader.u64();
    BLOBVM_TRY(std::move(reader).finish());
    return genesis;
}

void check_damaged_genesis(const Json& test_case) {
    const Bytes bytes = hex(test_case.at("bytes"));
    const Result<Genesis> genesis = decode_genesis(bytes);
    if (!decoded_like_original(genesis, test_case)) return;
    EXPECT_TRUE(same_bytes(encode_genesis(*genesis), bytes));
}

TEST(CodecCorpusTest, DamagedEncodingsAreRefusedInTheOriginalsWords) {
    std::size_t index = 0;
    for (const Json& test_case : corpus_cases("codec-damaged")) {
        SCOPED_TRACE(index++);
        const std::string as = test_case.at("as");
        if (as == "tx") {
            check_damaged_transaction(test_case);
        } else if (as == "block") {
            check_damaged_block(test_case);
        } else if (as == "gossip") {
            check_damaged_gossip(test_case);
        } else if (as == "valueMeta") {
            check_damaged_blob_meta(test_case);
        } else if (as == "genesis") {
            check_damaged_genesis(test_case);
        } else {
            ADD_FAILURE() << "unknown kind " << as;
        }
    }
}

void check_form(const Json& form, const TxFields& fields, const Hash256& digest) {
    SCOPED_TRACE(form.at("name").get<std::string>());
    const Bytes signature = hex(form.at("signature"));
    const Result<Address> sender = recover_sender(digest, signature);
    if (has_tag(form, "reference-only:malleability")) {
        ASSERT_FALSE(sender.has_value());
        EXPECT_EQ(sender.error().code, ErrorCode::kSignatureNotCanonical);
    } else {
        expect_same_sender(sender, signature, form.value("sender", Json{}),
                           text_or_empty(form, "err"));
    }
    const Bytes bytes = encode_transaction(fields, signature).value();
    EXPECT_EQ(retag<TxId>(keccak256(bytes)), fixed<TxId>(form.at("txID")));
}

TEST(SigningCorpusTest, DigestsSignaturesAndSendersAreTheOriginals) {
    for (const Json& test_case : corpus_cases("signing")) {
        SCOPED_TRACE(test_case.at("i").dump());
        const Bytes value = value_of(test_case);
        const TxFields fields = fields_of(test_case, value);
        const BlobKey key = fields.is_set() ? retag<BlobKey>(keccak256(value)) : BlobKey{};
        const PrivateKey signer = PrivateKey::from(hex(test_case.at("privateKey"))).value();

        EXPECT_EQ(to_cb58(fields.block_id.view()), test_case.at("blockIDCB58"));
        EXPECT_EQ(id_from_cb58<BlockId>(test_case.at("blockIDCB58").get<std::string>()).value(),
                  fields.block_id);
        EXPECT_EQ(domain_separator(fields.magic), fixed<Hash256>(test_case.at("domainSeparator")));
        EXPECT_EQ(struct_hash(fields, key), fixed<Hash256>(test_case.at("structHash")));
        const Hash256 digest = signing_digest(fields, key);
        EXPECT_EQ(digest, fixed<Hash256>(test_case.at("digest")));
        EXPECT_EQ(signer.sign(digest), fixed<Signature>(test_case.at("signature")));
        EXPECT_EQ(signer.address(), fixed<Address>(test_case.at("sender")));
        EXPECT_EQ(to_checksummed(signer.address()), test_case.at("senderEIP55"));

        const TransactionPtr tx = sign_transaction(fields, signer).value();
        EXPECT_EQ(tx->id, fixed<TxId>(test_case.at("txID")));
        EXPECT_EQ(tx->sender, signer.address());
        EXPECT_EQ(tx->key, key);

        for (const Json& form : test_case.value("forms", Json::array())) {
            check_form(form, fields, digest);
        }
    }
}

/// What a wallet may send for one message: each form that the original takes for its signer is
/// normalised to the one that transactions carry.
TEST(SigningCorpusTest, EveryAcceptedFormNormalisesToTheSignatureAsMade) {
    std::size_t forms = 0;
    for (const Json& test_case : corpus_cases("signing")) {
        for (const Json& form : test_case.value("forms", Json::array())) {
            if (!has_tag(form, "reference-only:malleability")) continue;
            SCOPED_TRACE(form.at("name").get<std::string>());
            ++forms;
            EXPECT_EQ(normalise_signature(hex(form.at("signature"))).value(),
                      fixed<Signature>(test_case.at("signature")));
        }
    }
    EXPECT_GT(forms, 500);
}

TransactionPtr vector_tx(const Json& vectors, const std::string& name) {
    return load_transaction(shared(hex(vectors.at("tx").at(name).at("bytes")))).value();
}

TEST(VectorsTest, TransactionsAreAsPublished) {
    const Json all = test::vectors();
    const PrivateKey signer = PrivateKey::from(hex(all.at("privateKey"))).value();
    EXPECT_EQ(to_checksummed(signer.address()), all.at("sender"));
    for (const auto& [name, entry] : all.at("tx").items()) {
        SCOPED_TRACE(name);
        const Json& given = entry.at("fields");
        const Bytes value = given.at("type") == "set" ? hex(given.at("value")) : Bytes{};
        const TransactionPtr tx = sign_transaction(fields_of(given, value), signer).value();
        EXPECT_TRUE(same_bytes(standalone_bytes(tx->raw), hex(entry.at("bytes"))));
        EXPECT_EQ(struct_hash(tx->fields(), tx->key), fixed<Hash256>(entry.at("structHash")));
        EXPECT_EQ(signing_digest(tx->fields(), tx->key), fixed<Hash256>(entry.at("digest")));
    }
}

TEST(VectorsTest, DomainIsAsPublished) {
    const Json domain = test::vectors().at("domain");
    EXPECT_EQ(domain_separator(5), fixed<Hash256>(domain.at("separatorForMagic5")));
    EXPECT_EQ(domain_separator(1), fixed<Hash256>(domain.at("separatorForMagic1")));
}

TEST(VectorsTest, GossipBlockAndStoredBlockAreAsPublished) {
    const Json all = test::vectors();
    const TransactionPtr set = vector_tx(all, "set");
    const TransactionPtr transfer = vector_tx(all, "transfer");
    EXPECT_TRUE(same_bytes(encode_gossip(std::vector{set->raw, transfer->raw}).value(),
                           hex(all.at("gossip").at("bytes"))));

    const BlockPtr block =
        make_block(header_of(all.at("block").at("fields")), {set, transfer}).value();
    EXPECT_TRUE(same_bytes(block->bytes.view(), hex(all.at("block").at("bytes"))));
    EXPECT_TRUE(same_bytes(test::stored_form(*block), hex(all.at("storedBlock").at("bytes"))));
}

TEST(VectorsTest, OnlyTheCanonicalFormOfASignatureIsAccepted) {
    const Json all = test::vectors();
    const TransactionPtr transfer = vector_tx(all, "transfer");
    const Hash256 digest = signing_digest(transfer->fields(), transfer->key);
    // n - s of the transfer's signature, computed by hand from the curve's order.
    const Signature low = Signature::from(transfer->raw.signature);
    Signature high = low;
    const Bytes order = hex("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141");
    int borrow = 0;
    for (std::size_t i = 32; i-- > 0;) {
        int difference =
            std::to_integer<int>(order[i]) - std::to_integer<int>(low.bytes[32 + i]) - borrow;
        borrow = difference < 0 ? 1 : 0;
        high.bytes[32 + i] = static_cast<std::byte>(difference & 0xff);
    }
    for (const Json& form : all.at("malleability").at("cases")) {
        SCOPED_TRACE(form.dump());
        Signature signature = form.at("highS").get<bool>() ? high : low;
        signature.bytes[64] = static_cast<std::byte>(form.at("v").get<int>());
        expect_same_sender(recover_sender(digest, signature.view()), to_bytes(signature.view()),
                           form.value("sender", Json{}), text_or_empty(form, "err"));
    }
}

/// The bytes of a decode error; the one that is too long to be written down is all zeros.
Bytes damaged_bytes(const Json& test_case) {
    if (test_case.at("name") == "4MiB+1") return Bytes(kMaxMessageBytes + 1);
    return hex(test_case.at("bytes"));
}

TEST(VectorsTest, DecodeErrorsAreAsPublished) {
    for (const Json& test_case : test::vectors().at("decodeErrors")) {
        SCOPED_TRACE(test_case.at("name").get<std::string>());
        const Result<RawTransaction> raw = decode_transaction(shared(damaged_bytes(test_case)));
        std::string error;
        if (!raw) {
            error = raw.error().message();
        } else if (const Result<Address> sender = sender_of(*raw); !sender) {
            error = "init: " + sender.error().message();
        }
        EXPECT_EQ(error, test_case.at("err"));
    }
}

}  // namespace
}  // namespace blobvm::chain
