#include <gtest/gtest.h>

#include <map>
#include <set>

#include "chain/base/hex.hpp"
#include "tests/support/chain_replay.hpp"
#include "tests/support/corpus.hpp"
#include "tests/support/genesis_text.hpp"

// The rules against what the original did: spec/corpus and vectors.json.

namespace blobvm::chain {
namespace {

using test::ChainReplay;
using test::fixed;
using test::Json;
using test::number;
using test::signed_number;

std::string name_of(const Error& error) { return std::string{name(error.code)}; }

/// The code with which the hardened rule of a reference-only tag refuses.
ErrorCode refusal_of(const Json& test_case) {
    static const std::map<std::string, ErrorCode> kCodes{
        {"reference-only:height", ErrorCode::kInvalidHeight},
        {"reference-only:in-block-duplicate", ErrorCode::kDuplicateTransaction},
        {"reference-only:fee-overflow", ErrorCode::kFeeOverflow},
        {"reference-only:malleability", ErrorCode::kSignatureNotCanonical},
        {"reference-only:malleability-v", ErrorCode::kSignatureNotCanonical}};
    return kCodes.at(test_case.at("tags").at(0).get<std::string>());
}

/// Which hardened rule refuses these values, if one does.
std::optional<ErrorCode> genesis_refusal(const Genesis& genesis) {
    if (genesis.magic == 0) return ErrorCode::kInvalidMagic;
    if (genesis.target_block_rate_s < 1) return ErrorCode::kInvalidBlockRate;
    if (genesis.base_tx_units < 1) return ErrorCode::kGenesisBaseTxUnits;
    if (genesis.value_unit_size < 1) return ErrorCode::kGenesisValueUnitSize;
    if (genesis.max_value_size < 1 || genesis.max_value_size > 262'144) {
        return ErrorCode::kGenesisMaxValueSize;
    }
    if (genesis.lookback_window_s < 0) return ErrorCode::kGenesisLookbackWindow;
    const std::uint64_t biggest =
        genesis.base_tx_units + genesis.max_value_size / genesis.value_unit_size + 1;
    if (biggest > genesis.max_block_size) return ErrorCode::kGenesisMaxBlockSize;
    return std::nullopt;
}

// ---- windows and fees ----

Genesis fee_rules(const Json& json) {
    Genesis rules;
    rules.base_tx_units = number(json.at("baseTxUnits"));
    rules.value_unit_size = number(json.at("valueUnitSize"));
    rules.min_price = {number(json.at("minPrice"))};
    rules.lookback_window_s = signed_number(json.at("lookbackWindow"));
    rules.target_block_rate_s = signed_number(json.at("targetBlockRate"));
    rules.target_block_size = number(json.at("targetBlockSize"));
    rules.block_cost_enabled = json.at("blockCostEnabled").get<bool>();
    return rules;
}

BlockId numbered_block(std::size_t n) {
    return retag<BlockId>(keccak256(as_bytes("block " + std::to_string(n))));
}

std::vector<BlockSummary> fee_blocks(const Json& test_case, const Genesis& rules) {
    std::vector<BlockSummary> blocks;
    const Bytes value(1 << 20);
    for (const Json& block : test_case.at("blocks")) {
        BlockSummary summary;
        summary.id = numbered_block(blocks.size() + 1);
        summary.parent = numbered_block(blocks.size());
        summary.height = number(block.at("h"));
        summary.timestamp_s = signed_number(block.at("t"));
        summary.price = {number(block.at("price"))};
        summary.cost = {number(block.at("cost"))};
        for (const Json& tx : block.at("txs")) {
            TxFields fields{{}, 0, {}, TransferFields{}};
            if (tx.at(0) == "s") {
                fields.body = SetFields{ByteView{value}.first(number(tx.at(1)))};
            }
            summary.units.value += fee_units(rules, fields).value;
            summary.transactions.push_back(retag<TxId>(keccak256(as_bytes(tx.dump()))));
        }
        blocks.push_back(std::move(summary));
    }
    return blocks;
}

template <class Quantities>
std::vector<std::string> texts(const Quantities& quantities) {
    std::vector<std::string> all;
    for (const auto& each : quantities) all.push_back(std::to_string(each.value));
    return all;
}

TEST(RulesCorpus, WindowsPricesCostsAndSuggestedFees) {
    for (const Json& test_case : test::corpus_cases("fees")) {
        SCOPED_TRACE(test_case.at("i").dump());
        const Genesis rules = fee_rules(test_case.at("genesis"));
        EXPECT_EQ(rules.target_range_units(), number(test_case.at("targetRangeUnits")));

        std::vector<BlockSummary> blocks = fee_blocks(test_case, rules);
        const BlockId parent = blocks.back().id;
        History history{rules};
        history.reset(std::move(blocks));
        const Window window = history.window(parent, signed_number(test_case.at("childTime")));

        EXPECT_EQ(window.block_count(), number(test_case.at("windowBlocks")));
        EXPECT_EQ(window.transaction_count(), number(test_case.at("windowTxs")));
        EXPECT_EQ(window.recent_units(), number(test_case.at("recentUnits")));
        EXPECT_EQ(window.next_price().value, number(test_case.at("nextPrice")));
        EXPECT_EQ(window.next_cost().value, number(test_case.at("nextCost")));
        if (test_case.contains("prices")) {
            EXPECT_EQ(Json(texts(window.prices())), test_case.at("prices"));
            EXPECT_EQ(Json(texts(window.costs())), test_case.at("costs"));
        }
        const SuggestedFee suggested = suggested_fee(window, rules);
        EXPECT_EQ(suggested.price.value, number(test_case.at("suggestedPrice")));
        EXPECT_EQ(suggested.cost.value, number(test_case.at("suggestedCost")));
        if (HasFailure()) return;
    }
}

// ---- whole chains ----

/// One chain of the corpus, op by op. What the original's builder and pool chose is not looked at.
class CorpusChain {
  public:
    explicit CorpusChain(const Json& test_case)
        : case_{test_case}, chain_{test::genesis_of(Json::parse(genesis_text(test_case)))} {
        preferred_ = chain_.last_accepted().id;
    }

    ChainReplay& chain() { return chain_; }
    std::size_t submits() const { return submits_; }

    /// The op before which a hardened node leaves the original's chain.
    std::size_t end() const {
        return case_.contains("hardenedRejectsAtOp") ? number(case_.at("hardenedRejectsAtOp"))
                                                     : case_.at("ops").size();
    }

    void apply(std::size_t index) {
        const Json& op = case_.at("ops").at(index);
        SCOPED_TRACE("op " + std::to_string(index) + " " + op.at("op").dump());
        const std::string kind = op.at("op");
        if (op.contains("bytes")) blocks_[op.at("id")] = test::hex(op.at("bytes"));
        if (kind == "submit") submit(op);
        if (kind == "verify") verify(op);
        if (kind == "prefer") preferred_ = fixed<BlockId>(op.at("id"));
        if (kind == "accept") accept(op);
        if (kind == "reject") chain_.reject(fixed<BlockId>(op.at("id")));
    }

    /// What a hardened node says to the block of op end().
    Error refusal() {
        const Json& op = case_.at("ops").at(end());
        if (op.contains("bytes")) blocks_[op.at("id")] = test::hex(op.at("bytes"));
        const auto block = ChainReplay::parse(blocks_.at(op.at("id")));
        if (!block) return block.error();
        const auto outcome = chain_.judge(**block, signed_number(op.at("now")));
        return outcome ? Error{} : outcome.error();
    }

    void check_end() {
        const Json& end = case_.at("end");
        EXPECT_EQ(chain_.last_accepted().id, fixed<BlockId>(end.at("lastAccepted")));
        EXPECT_EQ(chain_.last_accepted().header.height, number(end.at("height")));
        std::map<Address, Amount> balances;
        for (const Json& entry : end.at("balances")) {
            balances[fixed<Address>(entry.at(0))] = Amount{number(entry.at(1))};
        }
        EXPECT_EQ(chain_.store().balances(), balances);
        std::vector<BlobKey> keys;
        for (const Json& key : end.at("valueKeys")) keys.push_back(fixed<BlobKey>(key));
        EXPECT_EQ(chain_.store().blob_keys(), keys);
    }

  private:
    static const std::string& genesis_text(const Json& test_case) {
        return test_case.at("genesis").get_ref<const std::string&>();
    }

    /// The original executes on accepted state, in the preferred block's window.
    void submit(const Json& op) {
        if (!chain_.is_idle() || op.contains("tags")) return;
        submits_ += 1;
        const auto tx = load_transaction(SharedBytes{test::hex(op.at("tx"))});
        ASSERT_TRUE(tx) << tx.error().message();
        EXPECT_EQ((*tx)->id, fixed<TxId>(op.at("id")));
        const std::int64_t now_s = signed_number(op.at("now"));
        const Window window = chain_.window(preferred_, now_s);
        Overlay overlay{State{chain_.store()}};
        const auto done = execute(
            **tx, {.rules = chain_.rules(), .window = window, .block_time_s = now_s}, overlay);
        EXPECT_EQ(done ? "" : done.error().message(), test::text_or_empty(op, "err"));
        EXPECT_EQ(overlay.changes().balances.empty(), !done) << "a refusal left a trace";
    }

    void verify(const Json& op) {
        const auto block = ChainReplay::parse(blocks_.at(op.at("id")));
        ASSERT_TRUE(block) << block.error().message();
        ASSERT_EQ((*block)->id, fixed<BlockId>(op.at("id")));
        const auto verified = chain_.verify(*block, signed_number(op.at("now")));
        EXPECT_EQ(verified ? "" : verified.error().message(), test::text_or_empty(op, "err"));
    }

    void accept(const Json& op) {
        chain_.accept(fixed<BlockId>(op.at("id")));
        EXPECT_EQ(chain_.store().state_digest(), fixed<Hash256>(op.at("stateDigest")));
        EXPECT_EQ(chain_.store().consensus_digest(), fixed<Hash256>(op.at("consensusDigest")));
        for (const Json& entry : op.at("balances")) {
            EXPECT_EQ(chain_.store().balance(fixed<Address>(entry.at(0)))->value,
                      number(entry.at(1)));
        }
        std::vector<BlobKey> keys;
        for (const TransactionPtr& tx : chain_.last_accepted().transactions) {
            if (tx->fields().is_set()) keys.push_back(tx->key);
        }
        std::vector<BlobKey> expected;
        for (const Json& key : op.at("newValueKeys")) expected.push_back(fixed<BlobKey>(key));
        EXPECT_EQ(keys, expected);
    }

    const Json& case_;
    ChainReplay chain_;
    BlockId preferred_;
    std::map<std::string, Bytes> blocks_;
    std::size_t submits_ = 0;
};

TEST(RulesCorpus, WholeChainsWithTheirStateDigests) {
    std::size_t submits = 0;
    std::size_t index = 0;
    for (const Json& test_case : test::corpus_cases("chains")) {
        SCOPED_TRACE("chain " + std::to_string(index++));
        CorpusChain replay{test_case};
        const auto refusal = genesis_refusal(replay.chain().rules());
        const auto valid = validate(replay.chain().rules());
        EXPECT_EQ(valid ? "ok" : name_of(valid.error()), refusal ? name(*refusal) : "ok");
        EXPECT_EQ(replay.chain().last_accepted().id,
                  fixed<BlockId>(test_case.at("genesisBlockID")));
        EXPECT_EQ(replay.chain().store().state_digest(),
                  fixed<Hash256>(test_case.at("genesisStateDigest")));
        EXPECT_EQ(replay.chain().store().consensus_digest(),
                  fixed<Hash256>(test_case.at("genesisConsensusDigest")));

        for (std::size_t op = 0; op < replay.end(); ++op) {
            replay.apply(op);
            if (HasFailure()) return;
        }
        if (test::has_tag(test_case, "reference-only")) {
            EXPECT_EQ(name_of(replay.refusal()), name(refusal_of(test_case)));
        } else {
            replay.check_end();
        }
        submits += replay.submits();
        if (HasFailure()) return;
    }
    EXPECT_GT(submits, 0u);
}

/// Where a hardened rule stops a block before the original's own error: no tag says so, the
/// block's transactions do.
std::optional<ErrorCode> earlier_refusal(ByteView bytes, const Genesis& rules) {
    const auto raw = decode_block(SharedBytes::copy_of(bytes));
    if (!raw) return std::nullopt;
    for (const RawTransaction& tx : raw->transactions) {
        const TxHashes hashes = hash_transactions({&tx, 1}).front();
        const auto loaded = recover_transaction(tx, hashes);
        if (!loaded && loaded.error().code == ErrorCode::kSignatureNotCanonical) {
            return ErrorCode::kSignatureNotCanonical;
        }
        if (!fee(tx.fields.price, fee_units(rules, tx.fields))) return ErrorCode::kFeeOverflow;
    }
    return std::nullopt;
}

struct Verdict {
    std::string stage;  ///< where it ended: parse, verify or ok
    Error error;
};
Verdict judge(const ChainReplay& chain, ByteView bytes, std::int64_t now_s) {
    const auto block = ChainReplay::parse(bytes);
    if (!block) return {"parse", block.error()};
    const auto outcome = chain.judge(**block, now_s);
    if (!outcome) return {"verify", outcome.error()};
    return {"ok", {}};
}

void check_bad_block(const Json& bad, const ChainReplay& chain) {
    SCOPED_TRACE(bad.at("name").dump() + " after op " + bad.at("afterOp").dump());
    const Bytes bytes = test::hex(bad.at("bytes"));
    const Verdict verdict = judge(chain, bytes, signed_number(bad.at("now")));
    if (test::has_tag(bad, "reference-only")) {
        EXPECT_NE(verdict.stage, "ok");
        EXPECT_EQ(name_of(verdict.error), name(refusal_of(bad)));
    } else if (const auto earlier = earlier_refusal(bytes, chain.rules())) {
        EXPECT_NE(verdict.stage, "ok");
        EXPECT_EQ(name_of(verdict.error), name(*earlier));
    } else {
        EXPECT_EQ(verdict.stage, bad.at("stage"));
        EXPECT_EQ(verdict.stage == "ok" ? "" : verdict.error.message(),
                  test::text_or_empty(bad, "err"));
    }
}

TEST(RulesCorpus, MutatedBlocksAreRefusedForTheRightReason) {
    std::map<std::size_t, std::multimap<std::size_t, Json>> by_chain;
    for (Json& bad : test::corpus_cases("bad-blocks")) {
        const std::size_t chain = number(bad.at("chain"));
        const std::size_t after_op = number(bad.at("afterOp"));
        by_chain[chain].emplace(after_op, std::move(bad));
    }
    const std::vector<Json> chains = test::corpus_cases("chains");
    for (const auto& [index, bads] : by_chain) {
        SCOPED_TRACE("chain " + std::to_string(index));
        CorpusChain replay{chains.at(index)};
        std::size_t applied = 0;
        for (const auto& [after_op, bad] : bads) {
            ASSERT_LE(after_op, replay.end());
            while (applied < after_op) replay.apply(applied++);
            check_bad_block(bad, replay.chain());
        }
    }
}

// ---- genesis ----

/// The original of the corpus was built with an empty airdrop file.
void check_airdrop_refusal(const Json& test_case, const std::string& error) {
    const Genesis genesis =
        test::genesis_of(Json::parse(test_case.at("in").get_ref<const std::string&>()));
    const auto refused =
        initial_balances(genesis, Airdrop{.file_hash = keccak256({}), .addresses = {}});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().message(), error);
}

TEST(RulesCorpus, GenesisValues) {
    std::map<std::string, int> verdicts;
    for (const Json& test_case : test::corpus_cases("genesis-json")) {
        const std::string error = test::text_or_empty(test_case, "err");
        SCOPED_TRACE(test_case.at("in").dump());
        if (error == "invalid magic" || error == "invalid block rate") {
            const auto refused = validate(
                test::genesis_of(Json::parse(test_case.at("in").get_ref<const std::string&>())));
            ASSERT_FALSE(refused);
            EXPECT_EQ(refused.error().message(), error);
            continue;
        }
        if (error.starts_with("expected standard allocation")) {
            check_airdrop_refusal(test_case, error);
            continue;
        }
        if (!error.empty()) continue;  // of the JSON

        const Genesis genesis =
            test::genesis_of(Json::parse(test_case.at("out").get_ref<const std::string&>()));
        const auto valid = validate(genesis);
        const auto refusal = genesis_refusal(genesis);
        EXPECT_EQ(valid ? "ok" : name_of(valid.error()), refusal ? name(*refusal) : "ok");
        verdicts[valid ? "ok" : name_of(valid.error())] += 1;

        EXPECT_EQ(genesis.target_range_units(), number(test_case.at("targetRangeUnits")));
        test::MemoryStore store;
        store.start(*genesis_block(genesis), initial_balances(genesis, std::nullopt).value());
        EXPECT_EQ(genesis_block(genesis)->id, fixed<BlockId>(test_case.at("genesisBlockID")));
        EXPECT_EQ(store.state_digest(), fixed<Hash256>(test_case.at("stateDigest")));
        EXPECT_EQ(store.consensus_digest(), fixed<Hash256>(test_case.at("consensusDigest")));
    }
    EXPECT_GT(verdicts["ok"], 0);
    for (const auto& [verdict, count] : verdicts) RecordProperty(verdict, count);
}

TEST(RulesCorpus, GenesisBlocksAndCodecForms) {
    std::size_t blocks = 0;
    std::size_t codecs = 0;
    std::size_t metas = 0;
    for (const Json& test_case : test::corpus_cases("codec-blocks")) {
        const std::string kind = test_case.at("kind");
        if (kind == "genesisBlock") {
            blocks += 1;
            Genesis genesis;
            genesis.min_price = {number(test_case.at("minPrice"))};
            const BlockPtr block = genesis_block(genesis);
            EXPECT_EQ(to_hex(block->bytes.view()), test_case.at("bytes"));
            EXPECT_EQ(block->id, fixed<BlockId>(test_case.at("id")));
        } else if (kind == "genesis") {
            codecs += 1;
            const Genesis genesis =
                test::genesis_of(Json::parse(test_case.at("json").get_ref<const std::string&>()));
            EXPECT_EQ(to_hex(encode_genesis(genesis)), test_case.at("bytes"));
        } else if (kind == "valueMeta") {
            metas += 1;
            const BlobMeta meta{.size_bytes = number(test_case.at("sizeField")),
                                .tx = fixed<TxId>(test_case.at("txID")),
                                .created_s = number(test_case.at("created"))};
            EXPECT_EQ(to_hex(encode_blob_meta(meta)), test_case.at("bytes"));
            EXPECT_EQ(decode_blob_meta(test::hex(test_case.at("bytes"))).value(), meta);
        }
    }
    EXPECT_GT(blocks, 0u);
    EXPECT_GT(codecs, 0u);
    EXPECT_GT(metas, 0u);
}

// ---- vectors.json ----

TEST(RulesVectors, AccessProofs) {
    const Json vector = test::vectors().at("accessProof");
    test::MemoryStore store;
    for (const Json& record : vector.at("records")) {
        store.put_blob(fixed<BlobKey>(record.at("key")),
                       decode_blob_meta(test::hex(record.at("value"))).value());
    }
    const auto parent = fixed<BlockId>(vector.at("parentID"));
    for (const Json& test_case : vector.at("cases")) {
        const auto proof = access_proof(State{store}, parent, number(test_case.at("height")));
        EXPECT_EQ(proof.value(), fixed<Hash256>(test_case.at("proof"))) << test_case;
    }
}

TEST(RulesVectors, GenesisBlock) {
    for (const Json& vector : test::vectors().at("genesisBlock")) {
        Genesis genesis;
        genesis.min_price = {number(vector.at("minPrice"))};
        EXPECT_EQ(to_hex(genesis_block(genesis)->bytes.view()), vector.at("bytes"));
        EXPECT_EQ(genesis_block(genesis)->id, fixed<BlockId>(vector.at("idHex")));
    }
}

TEST(RulesVectors, GenesisCodec) {
    const Json vectors = test::vectors();
    const Json& json = vectors.at("genesisJSON");
    const Genesis genesis =
        test::genesis_of(json.is_string() ? Json::parse(json.get<std::string>()) : json);
    EXPECT_EQ(to_hex(encode_genesis(genesis)), vectors.at("genesisCodec").at("bytes"));
}

TEST(RulesVectors, ValueMeta) {
    const Json vector = test::vectors().at("valueMeta");
    const Json& fields = vector.at("fields");
    const BlobMeta meta{.size_bytes = number(fields.at("size")),
                        .tx = fixed<TxId>(fields.at("txIDHex")),
                        .created_s = number(fields.at("created"))};
    EXPECT_EQ(to_hex(encode_blob_meta(meta)), vector.at("bytes"));
    EXPECT_EQ(decode_blob_meta(test::hex(vector.at("bytes"))).value(), meta);
}

}  // namespace
}  // namespace blobvm::chain
