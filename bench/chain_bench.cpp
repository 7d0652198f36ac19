// What a node pays for the bytes that strangers send: hashing, recovering, decoding, text forms.
// Sizes are those of the default genesis: values up to 200 KiB, blocks of about 246 units.

#include <benchmark/benchmark.h>

#include <random>

#include "chain/base/base64.hpp"
#include "chain/base/cb58.hpp"
#include "chain/base/detail/keccak.hpp"
#include "chain/base/hashing.hpp"
#include "chain/block.hpp"
#include "chain/signing.hpp"

namespace blobvm::chain {
namespace {

using detail::KeccakPath;

Bytes some_bytes(std::size_t size, std::uint64_t seed = 1) {
    std::mt19937_64 random{seed};
    Bytes bytes(size);
    for (std::byte& b : bytes) b = static_cast<std::byte>(random() & 0xff);
    return bytes;
}

PrivateKey some_key() { return PrivateKey::from(some_bytes(32, 7)).value(); }

TransactionPtr some_set(ByteView value) {
    const TxFields fields{BlockId{}, 5, Price{1}, SetFields{value}};
    return sign_transaction(fields, some_key()).value();
}

TransactionPtr some_transfer(std::uint64_t units) {
    const TxFields fields{BlockId{}, 5, Price{1}, TransferFields{Address{}, Amount{units}}};
    return sign_transaction(fields, some_key()).value();
}

void set_bytes(benchmark::State& state, std::size_t bytes_each) {
    state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(bytes_each));
}
void set_items(benchmark::State& state, std::size_t items_each) {
    state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(items_each));
}

/// Runs with the path that the second argument names; what this CPU lacks is left out.
bool choose_path(benchmark::State& state) {
    const auto path = static_cast<KeccakPath>(state.range(1));
    if (!detail::is_supported(path)) {
        state.SkipWithError("this CPU cannot do it");
        return false;
    }
    detail::use_keccak_path(path);
    state.SetLabel(detail::name(path));
    return true;
}

/// One message of `range(0)` bytes: a block's id is such a single stream.
void BM_Keccak(benchmark::State& state) {
    if (!choose_path(state)) return;
    const Bytes message = some_bytes(static_cast<std::size_t>(state.range(0)));
    for (auto _ : state) benchmark::DoNotOptimize(keccak256(message));
    set_bytes(state, message.size());
    detail::use_keccak_path(detail::best_keccak_path());
}
BENCHMARK(BM_Keccak)->ArgsProduct({{64, 1024, 200 * 1024}, {0, 1, 2}});

/// 240 messages of `range(0)` bytes at once: the ids of a block of small transactions, or the
/// keys of large values.
void BM_KeccakMany(benchmark::State& state) {
    if (!choose_path(state)) return;
    constexpr std::size_t kMessages = 240;
    const Bytes message = some_bytes(static_cast<std::size_t>(state.range(0)));
    const std::vector<TwoPartMessage> messages(kMessages, TwoPartMessage{{}, message});
    std::vector<Hash256> digests(kMessages);
    for (auto _ : state) {
        keccak256_many(messages, digests);
        benchmark::DoNotOptimize(digests.data());
    }
    set_bytes(state, kMessages * message.size());
    set_items(state, kMessages);
    detail::use_keccak_path(detail::best_keccak_path());
}
BENCHMARK(BM_KeccakMany)->ArgsProduct({{149, 1024, 200 * 1024}, {0, 1, 2}});

/// 240 messages of 100 to 5,000 bytes, in no order: lanes that end at different times.
void BM_KeccakManyMixed(benchmark::State& state) {
    if (!choose_path(state)) return;
    std::mt19937_64 random{3};
    const Bytes source = some_bytes(5000);
    std::vector<TwoPartMessage> messages;
    std::size_t total = 0;
    for (int i = 0; i < 240; ++i) {
        messages.push_back({{}, ByteView{source}.first(100 + random() % 4900)});
        total += messages.back().tail.size();
    }
    std::vector<Hash256> digests(messages.size());
    for (auto _ : state) {
        keccak256_many(messages, digests);
        benchmark::DoNotOptimize(digests.data());
    }
    set_bytes(state, total);
    detail::use_keccak_path(detail::best_keccak_path());
}
BENCHMARK(BM_KeccakManyMixed)->ArgsProduct({{0}, {0, 1, 2}});

/// Digest and sender of a transfer that is hashed already: the floor of what any transaction
/// costs, once in its life.
void BM_RecoverTransaction(benchmark::State& state) {
    const TransactionPtr tx = some_transfer(1);
    const TxHashes hashes{tx->id, tx->key};
    for (auto _ : state) benchmark::DoNotOptimize(recover_transaction(tx->raw, hashes));
    set_items(state, 1);
}
BENCHMARK(BM_RecoverTransaction);

/// The typed-data digest alone, with the chain's and the block id's parts remembered.
void BM_SigningDigest(benchmark::State& state) {
    const TransactionPtr tx = some_transfer(1);
    for (auto _ : state) benchmark::DoNotOptimize(signing_digest(tx->fields(), tx->key));
}
BENCHMARK(BM_SigningDigest);

/// What a client pays for one signature.
void BM_Sign(benchmark::State& state) {
    const PrivateKey key = some_key();
    const Hash256 digest = keccak256({});
    for (auto _ : state) benchmark::DoNotOptimize(key.sign(digest));
    set_items(state, 1);
}
BENCHMARK(BM_Sign);

/// Decoding a block of `range(0)` transfers; the bytes are there, nothing is hashed.
void BM_DecodeBlock(benchmark::State& state) {
    const auto count = static_cast<std::size_t>(state.range(0));
    const BlockPtr block =
        make_block(BlockHeader{}, std::vector<TransactionPtr>(count, some_transfer(1))).value();
    for (auto _ : state) benchmark::DoNotOptimize(decode_block(block->bytes));
    set_items(state, count);
    set_bytes(state, block->bytes.size());
}
BENCHMARK(BM_DecodeBlock)->Arg(1)->Arg(246)->Arg(10'000);

/// Ids and keys of a block of 240 sets of `range(0)` bytes, decoded beforehand.
void BM_HashTransactions(benchmark::State& state) {
    const Bytes value = some_bytes(static_cast<std::size_t>(state.range(0)));
    const std::vector<RawTransaction> raws(240, some_set(value)->raw);
    for (auto _ : state) benchmark::DoNotOptimize(hash_transactions(raws));
    set_items(state, raws.size());
    set_bytes(state, raws.size() * value.size());
}
BENCHMARK(BM_HashTransactions)->Arg(1)->Arg(1024)->Arg(8 * 1024);

void BM_ToCb58(benchmark::State& state) {
    const Bytes id = some_bytes(32);
    for (auto _ : state) benchmark::DoNotOptimize(to_cb58(id));
}
BENCHMARK(BM_ToCb58);

void BM_FromCb58(benchmark::State& state) {
    const std::string text = to_cb58(some_bytes(32));
    for (auto _ : state) benchmark::DoNotOptimize(from_cb58(text, 32));
}
BENCHMARK(BM_FromCb58);

/// A whole value in a JSON-RPC answer; bytes are counted before encoding.
void BM_ToBase64(benchmark::State& state) {
    const Bytes value = some_bytes(200 * 1024);
    std::string text;
    for (auto _ : state) {
        text.clear();
        append_base64(text, value);
        benchmark::DoNotOptimize(text.data());
    }
    set_bytes(state, value.size());
}
BENCHMARK(BM_ToBase64);

/// A whole value in a JSON-RPC request; bytes are counted after decoding.
void BM_FromBase64(benchmark::State& state) {
    const std::string text = to_base64(some_bytes(200 * 1024));
    for (auto _ : state) benchmark::DoNotOptimize(from_base64(text));
    set_bytes(state, 200 * 1024);
}
BENCHMARK(BM_FromBase64);

}  // namespace
}  // namespace blobvm::chain
