#include "tests/vm/store_support.hpp"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>

#include "chain/base/check.hpp"
#include "chain/presets.hpp"
#include "vm/store/rocks_store.hpp"

namespace blobvm::test {
namespace {

namespace fs = std::filesystem;
using Random = std::mt19937_64;

Bytes random_bytes(Random& random, std::size_t size) {
    Bytes bytes(size);
    for (std::byte& b : bytes) b = std::byte(random());
    return bytes;
}

template <class Id>
Id random_id(Random& random) {
    return Id::from(random_bytes(random, Id::kSize));
}

Address random_account(Random& random) {
    Address account;
    account.bytes[0] = std::byte(random() % 50);
    return account;
}

/// Well-formed bytes; nobody here looks at the signature.
chain::TransactionPtr transaction(Random& random, const chain::TxFields& fields) {
    const Bytes signature = random_bytes(random, Signature::kSize);
    auto bytes = chain::encode_transaction(fields, signature);
    CHECK(bytes.has_value());
    auto raw = chain::decode_transaction(SharedBytes{std::move(*bytes)});
    CHECK(raw.has_value());
    const chain::TxHashes hashes = chain::hash_transactions({&*raw, 1}).front();
    return std::make_shared<const chain::Transaction>(
        chain::Transaction{std::move(*raw), hashes.id, hashes.key, random_account(random)});
}

}  // namespace

TempFolder::TempFolder(const fs::path& under) {
    std::string pattern = (under / "store-test-XXXXXX").string();
    CHECK(::mkdtemp(pattern.data()) != nullptr);
    path_ = pattern;
}

TempFolder::~TempFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
}

ChainMaker::ChainMaker(std::uint64_t seed, const BlockShape& shape)
    : seed_{seed}, shape_{shape}, genesis_{chain::fast_genesis(seed)} {
    genesis_.custom_allocation = allocations();
}

std::vector<chain::Allocation> ChainMaker::allocations() const {
    std::vector<chain::Allocation> result;
    for (std::uint8_t i = 0; i < 20; ++i) {
        Address account;
        account.bytes[0] = std::byte{i};
        result.push_back({account, Amount{1'000'000ULL + i}});
    }
    return result;
}

Commit ChainMaker::after(const vm::Tip& parent) const {
    const std::uint64_t height = parent.height + 1;
    Random random{seed_ * 1'000'003 + height};
    std::vector<chain::TransactionPtr> transactions;
    for (std::size_t i = 0; i < shape_.sets; ++i) {
        const std::size_t size = i % 3 == 1 ? shape_.value_bytes / 4 + 1 : shape_.value_bytes;
        const Bytes value = random_bytes(random, size);
        transactions.push_back(transaction(random, {.block_id = parent.id,
                                                    .magic = seed_,
                                                    .price = Price{1},
                                                    .body = chain::SetFields{value}}));
    }
    for (std::size_t i = 0; i < shape_.transfers; ++i) {
        transactions.push_back(transaction(
            random, {.block_id = parent.id,
                     .magic = seed_,
                     .price = Price{2},
                     .body = chain::TransferFields{random_account(random), Amount{random() % 9}}}));
    }
    const chain::BlockHeader header{.parent = parent.id,
                                    .timestamp_s = 1'600'000'000 + static_cast<int>(height),
                                    .height = height,
                                    .price = Price{1},
                                    .cost = {},
                                    .access_proof = random_id<Hash256>(random)};
    Commit result;
    auto block = chain::make_block(header, std::move(transactions));
    CHECK(block.has_value());
    result.block = std::move(*block);
    result.summary = {.id = result.block->id,
                      .parent = parent.id,
                      .height = height,
                      .timestamp_s = header.timestamp_s,
                      .price = header.price,
                      .cost = header.cost,
                      .units = FeeUnits{7 * height},
                      .transactions = {}};
    std::map<Address, Amount> balances;
    for (const chain::TransactionPtr& tx : result.block->transactions) {
        result.summary.transactions.push_back(tx->id);
        balances[tx->sender] = Amount{random() % 1'000};
        if (const auto* transfer = tx->fields().transfer()) {
            balances[transfer->to] = Amount{random()};
        } else {
            result.changes.blobs.push_back({tx->key,
                                            {.size_bytes = tx->fields().set()->value.size(),
                                             .tx = tx->id,
                                             .created_s = height}});
        }
    }
    result.changes.balances.assign(balances.begin(), balances.end());
    return result;
}

Result<void> ChainMaker::extend(vm::ChainStore& store, std::uint64_t height,
                                vm::Durability durability) const {
    if (!store.has_chain()) {
        BLOBVM_TRY(store.create(genesis_, *genesis_block(), allocations()));
    }
    while (store.tip().height < height) {
        const Commit next = after(store.tip());
        BLOBVM_TRY(store.commit(*next.block, next.summary, next.changes, durability));
    }
    return {};
}

ChainId chain_id(std::uint8_t number) {
    ChainId id;
    id.bytes.fill(std::byte{number});
    return id;
}

std::string read_file(const fs::path& path) {
    std::ifstream file{path, std::ios::binary};
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

void write_file(const fs::path& path, std::string_view text) {
    std::ofstream file{path, std::ios::binary | std::ios::trunc};
    file.write(text.data(), static_cast<std::streamsize>(text.size()));
    CHECK(file.flush().good());
}

std::vector<std::pair<std::string, std::string>> contents_of(const fs::path& folder) {
    std::vector<std::pair<std::string, std::string>> files;
    for (const auto& entry : fs::recursive_directory_iterator{folder}) {
        files.emplace_back(entry.path().string(),
                           entry.is_regular_file() ? read_file(entry.path()) : "");
    }
    std::sort(files.begin(), files.end());
    return files;
}

}  // namespace blobvm::test
