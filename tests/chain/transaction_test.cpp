#include "chain/transaction.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "chain/base/hashing.hpp"
#include "chain/detail/wire.hpp"
#include "chain/signing.hpp"
#include "tests/support/transactions.hpp"

namespace blobvm::chain {
namespace {

using test::account;
using test::set_tx;
using test::transfer_tx;

TxFields fields_with(std::variant<SetFields, TransferFields> body) {
    return {test::block_id(1), 5, Price{7}, std::move(body)};
}

Bytes encoded_set(std::size_t value_size, std::size_t signature_size = 65) {
    const Bytes value(value_size, std::byte{0xab});
    const Bytes signature(signature_size, std::byte{0x01});
    return encode_transaction(fields_with(SetFields{value}), signature).value();
}

template <class T>
ErrorCode code_of(const Result<T>& result) {
    return result.error().code;
}

TEST(TransactionTest, DecodedPartsPointIntoTheMessage) {
    const SharedBytes message{encoded_set(100)};
    const RawTransaction raw = decode_transaction(message).value();
    const std::byte* const start = message.view().data();
    EXPECT_EQ(raw.nested.view().data(), start + 2);
    EXPECT_EQ(raw.fields.set()->value.data(), start + 58);
    EXPECT_EQ(raw.signature.data(), start + 58 + 100 + 4);
    EXPECT_EQ(raw.size_bytes(), message.size());
}

TEST(TransactionTest, DecodedPartsOutliveTheCallersMessage) {
    RawTransaction raw;
    {
        SharedBytes message{encoded_set(100)};
        raw = decode_transaction(std::move(message)).value();
    }
    EXPECT_EQ(raw.fields.set()->value.back(), std::byte{0xab});
}

TEST(TransactionTest, SizesAreThoseOfTheLayout) {
    EXPECT_EQ(encoded_set(0).size(), 127);
    EXPECT_EQ(encoded_set(1000).size(), 1127);
    EXPECT_EQ(transfer_tx(account(2), Amount{1})->size_bytes(), 151);
    EXPECT_EQ(encoded_set(0, 0).size(), kVersionBytes + detail::kMinNestedBytes);
}

TEST(TransactionTest, LongestValueIsAcceptedAndOneByteMoreIsNot) {
    EXPECT_TRUE(decode_transaction(SharedBytes{encoded_set(kMaxSliceLength)}).has_value());
    const Bytes value(kMaxSliceLength + 1);
    EXPECT_EQ(code_of(encode_transaction(fields_with(SetFields{value}), {})),
              ErrorCode::kCodecSliceTooLong);
    EXPECT_EQ(code_of(encode_transaction(fields_with(TransferFields{}), value)),
              ErrorCode::kCodecSliceTooLong);
}

TEST(TransactionTest, EachCodecErrorHasItsOwnCode) {
    const Bytes good = encoded_set(3);
    const auto decode = [](Bytes bytes) {
        return decode_transaction(SharedBytes{std::move(bytes)});
    };
    EXPECT_EQ(code_of(decode({})), ErrorCode::kCodecNoVersion);
    EXPECT_EQ(code_of(decode(Bytes(1))), ErrorCode::kCodecNoVersion);

    Bytes other_version = good;
    other_version[1] = std::byte{1};
    EXPECT_EQ(code_of(decode(other_version)), ErrorCode::kCodecUnknownVersion);

    Bytes longer = good;
    longer.push_back(std::byte{0});
    EXPECT_EQ(code_of(decode(longer)), ErrorCode::kCodecTrailingBytes);

    for (std::size_t size = 2; size < good.size(); ++size) {
        const Bytes cut(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size));
        EXPECT_EQ(code_of(decode(cut)), ErrorCode::kCodecMalformed) << size;
    }

    Bytes long_value = good;
    long_value[54] = std::byte{0xff};
    EXPECT_EQ(code_of(decode(long_value)), ErrorCode::kCodecSliceTooLong);

    // At the limit the length is no error: what is wrong then is the content.
    EXPECT_EQ(code_of(decode(Bytes(kMaxMessageBytes))), ErrorCode::kCodecMalformed);
    EXPECT_EQ(code_of(decode(Bytes(kMaxMessageBytes + 1))), ErrorCode::kCodecTooLong);
}

TEST(TransactionTest, IdCoversTheVersionPrefixAndTheSignature) {
    const TransactionPtr tx = set_tx("hello");
    EXPECT_EQ(tx->id, retag<TxId>(keccak256(standalone_bytes(tx->raw))));
    EXPECT_EQ(tx->key, retag<BlobKey>(keccak256(as_bytes("hello"))));
    EXPECT_TRUE(transfer_tx(account(2), Amount{1})->key.is_zero());
}

TEST(TransactionTest, HashesOfManyBelongToTheirTransactions) {
    std::vector<RawTransaction> raws;
    for (std::size_t i = 0; i < 40; ++i) {
        raws.push_back(i % 3 == 0 ? transfer_tx(account(2), Amount{i})->raw
                                  : set_tx(std::string(1 + i * 37, 'x'))->raw);
    }
    const std::vector<TxHashes> hashes = hash_transactions(raws);
    ASSERT_EQ(hashes.size(), raws.size());
    for (std::size_t i = 0; i < raws.size(); ++i) {
        EXPECT_EQ(hashes[i].id, retag<TxId>(keccak256(standalone_bytes(raws[i])))) << i;
        const SetFields* set = raws[i].fields.set();
        EXPECT_EQ(hashes[i].key.is_zero(), set == nullptr) << i;
        if (set != nullptr) {
            EXPECT_EQ(hashes[i].key, retag<BlobKey>(keccak256(set->value))) << i;
        }
    }
    EXPECT_TRUE(hash_transactions({}).empty());
}

TEST(TransactionTest, DigestsOfManyAreThoseOfEach) {
    std::vector<RawTransaction> raws;
    for (std::size_t i = 0; i < 20; ++i) {
        raws.push_back(i % 3 == 0 ? transfer_tx(account(2), Amount{i})->raw
                                  : set_tx(std::string(1 + i, 'x'))->raw);
    }
    const std::vector<TxHashes> hashes = hash_transactions(raws);
    const std::vector<Hash256> digests = signing_digests(raws, hashes);
    ASSERT_EQ(digests.size(), raws.size());
    for (std::size_t i = 0; i < raws.size(); ++i) {
        EXPECT_EQ(digests[i], signing_digest(raws[i].fields, hashes[i].key)) << i;
    }
    EXPECT_TRUE(signing_digests({}, {}).empty());
}

TEST(GossipTest, ListGoesThereAndBack) {
    const std::vector<RawTransaction> raws = {set_tx("one")->raw, set_tx("two")->raw,
                                              transfer_tx(account(2), Amount{3})->raw};
    const SharedBytes message{encode_gossip(raws).value()};
    const std::vector<RawTransaction> decoded = decode_gossip(message).value();
    ASSERT_EQ(decoded.size(), 3);
    for (std::size_t i = 0; i < 3; ++i) {
        EXPECT_TRUE(same_bytes(decoded[i].nested.view(), raws[i].nested.view()));
    }
    EXPECT_TRUE(decode_gossip(SharedBytes{encode_gossip({}).value()}).value().empty());
}

TEST(GossipTest, CountThatTheMessageCannotHoldIsRefusedWithoutRoomForIt) {
    // 262,144 transactions are promised and none is there.
    const Bytes message = {std::byte{0}, std::byte{0}, std::byte{0},
                           std::byte{4}, std::byte{0}, std::byte{0}};
    EXPECT_EQ(code_of(decode_gossip(SharedBytes{Bytes{message}})), ErrorCode::kCodecMalformed);
    Bytes one_more = message;
    one_more[5] = std::byte{1};
    EXPECT_EQ(code_of(decode_gossip(SharedBytes{std::move(one_more)})),
              ErrorCode::kCodecSliceTooLong);
}

TEST(GossipTest, ListBeyondTheMessageLimitIsNotEncoded) {
    const RawTransaction big = decode_transaction(SharedBytes{encoded_set(200'000)}).value();
    EXPECT_TRUE(encode_gossip(std::vector<RawTransaction>(20, big)).has_value());
    EXPECT_EQ(code_of(encode_gossip(std::vector<RawTransaction>(21, big))),
              ErrorCode::kCodecTooLong);
}

TEST(LoaderTest, OrderIsKept) {
    PlainTransactionLoader loader;
    const std::vector<RawTransaction> raws = {set_tx("one", {.signer = 3})->raw,
                                              set_tx("two", {.signer = 2})->raw};
    const std::vector<TransactionPtr> loaded = loader.load(raws).value();
    ASSERT_EQ(loaded.size(), 2);
    EXPECT_EQ(loaded[0]->sender, account(3));
    EXPECT_EQ(loaded[1]->sender, account(2));
    EXPECT_EQ(loaded[0]->id, set_tx("one", {.signer = 3})->id);
}

TEST(LoaderTest, WhatIsToBeDoneBesideIsDoneOnceWhateverTheTransactions) {
    PlainTransactionLoader loader;
    int done = 0;
    const std::vector<RawTransaction> raws = {set_tx("one")->raw};
    EXPECT_TRUE(loader.load_beside(raws, [&] { ++done; }));
    EXPECT_TRUE(loader.load_beside({}, [&] { ++done; }));
    EXPECT_EQ(done, 2);
}

TEST(LoaderTest, FirstFailingTransactionDecidesTheError) {
    PlainTransactionLoader loader;
    const auto with_signature = [](std::size_t size) {
        return decode_transaction(SharedBytes{encoded_set(3, size)}).value();
    };
    const std::vector<RawTransaction> raws = {set_tx("one")->raw, with_signature(65),
                                              with_signature(64)};
    EXPECT_EQ(code_of(loader.load(raws)), ErrorCode::kSignatureNotCanonical);
    EXPECT_EQ(code_of(loader.load(std::span{raws}.subspan(2))), ErrorCode::kInvalidSignature);
}

}  // namespace
}  // namespace blobvm::chain
