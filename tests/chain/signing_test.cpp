#include "chain/signing.hpp"

#include <gtest/gtest.h>

#include "chain/base/hashing.hpp"
#include "chain/base/hex.hpp"
#include "tests/support/transactions.hpp"

namespace blobvm::chain {
namespace {

using test::account;
using test::key;

constexpr std::string_view kOrder =
    "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";
constexpr std::string_view kHalfOrder =
    "7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0";

const Hash256 kDigest = keccak256(as_bytes("a message"));

/// a - b for 32-byte numbers, a >= b.
Bytes difference(const Bytes& a, ByteView b) {
    Bytes result(32);
    int borrow = 0;
    for (std::size_t i = 32; i-- > 0;) {
        const int digit = std::to_integer<int>(a[i]) - std::to_integer<int>(b[i]) - borrow;
        borrow = digit < 0 ? 1 : 0;
        result[i] = static_cast<std::byte>(digit & 0xff);
    }
    return result;
}

Signature with_v(Signature signature, int v) {
    signature.bytes[64] = static_cast<std::byte>(v);
    return signature;
}
Signature with_s(Signature signature, const Bytes& s) {
    std::copy(s.begin(), s.end(), signature.bytes.begin() + 32);
    return signature;
}
Signature with_r(Signature signature, const Bytes& r) {
    std::copy(r.begin(), r.end(), signature.bytes.begin());
    return signature;
}
int v_of(const Signature& signature) { return std::to_integer<int>(signature.bytes[64]); }

/// The other signature of the same message: n - s, and the other parity.
Signature high_twin(const Signature& low) {
    const Bytes s = difference(from_hex(kOrder).value(), low.view().subspan(32, 32));
    return with_s(with_v(low, v_of(low) == 27 ? 28 : 27), s);
}

ErrorCode refusal(const Signature& signature) {
    return recover_sender(kDigest, signature.view()).error().code;
}

TEST(PrivateKeyTest, SecretsBetweenOneAndTheOrderAreAccepted) {
    const Bytes order = from_hex(kOrder).value();
    Bytes one(32);
    one[31] = std::byte{1};
    EXPECT_TRUE(PrivateKey::from(one).has_value());
    EXPECT_TRUE(PrivateKey::from(difference(order, one)).has_value());
    for (const Bytes& wrong :
         {Bytes(32), order, Bytes(32, std::byte{0xff}), Bytes(31), Bytes(33), Bytes{}}) {
        EXPECT_EQ(PrivateKey::from(wrong).error().code, ErrorCode::kInvalidPrivateKey);
    }
}

TEST(PrivateKeyTest, AddressOfSecretOneIsTheWellKnownOne) {
    EXPECT_EQ(to_checksummed(key(1).address()), "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf");
}

TEST(RecoverTest, SignerIsFound) {
    for (std::uint64_t i = 1; i <= 50; ++i) {
        const Signature signature = key(i).sign(kDigest);
        EXPECT_EQ(recover_sender(kDigest, signature.view()).value(), account(i));
        EXPECT_EQ(key(i).sign(kDigest), signature) << "the nonce depends on the message alone";
    }
}

TEST(RecoverTest, OtherLengthsAreRefused) {
    for (const std::size_t size : {0U, 1U, 64U, 66U, 130U}) {
        EXPECT_EQ(recover_sender(kDigest, Bytes(size)).error().code, ErrorCode::kInvalidSignature);
    }
}

TEST(RecoverTest, EveryOtherVIsRefusedForItsReason) {
    const Signature good = key().sign(kDigest);
    for (int v = 0; v < 256; ++v) {
        if (v == 27 || v == 28) continue;
        const bool has_recovery_id = v <= 3 || (v >= 27 && v <= 30);
        const bool is_far_point = has_recovery_id && (v % 27) >= 2;  // r + n is no x coordinate
        const ErrorCode expected = !has_recovery_id ? ErrorCode::kInvalidRecoveryId
                                   : is_far_point   ? ErrorCode::kRecoveryFailed
                                                    : ErrorCode::kSignatureNotCanonical;
        EXPECT_EQ(refusal(with_v(good, v)), expected) << v;
    }
}

TEST(RecoverTest, HighTwinIsRefusedThoughItRecoversTheSigner) {
    const Signature low = key().sign(kDigest);
    EXPECT_EQ(refusal(high_twin(low)), ErrorCode::kSignatureNotCanonical);
}

TEST(RecoverTest, HalfTheOrderIsTheLastLowS) {
    const Signature good = key().sign(kDigest);
    const Bytes half = from_hex(kHalfOrder).value();
    EXPECT_TRUE(recover_sender(kDigest, with_s(good, half).view()).has_value());
    Bytes one_more = half;
    one_more[31] = static_cast<std::byte>(std::to_integer<int>(one_more[31]) + 1);
    EXPECT_EQ(refusal(with_s(good, one_more)), ErrorCode::kSignatureNotCanonical);
}

TEST(RecoverTest, NumbersOutsideTheGroupFail) {
    const Signature good = key().sign(kDigest);
    for (const Bytes& number : {Bytes(32), from_hex(kOrder).value(), Bytes(32, std::byte{0xff})}) {
        EXPECT_EQ(refusal(with_r(good, number)), ErrorCode::kRecoveryFailed);
        EXPECT_EQ(refusal(with_s(good, number)), ErrorCode::kRecoveryFailed);
    }
}

TEST(NormaliseTest, EveryFormAWalletMaySendBecomesTheCanonicalOne) {
    for (std::uint64_t i = 1; i <= 20; ++i) {
        const Signature canonical = key(i).sign(kDigest);
        const Signature high = high_twin(canonical);
        EXPECT_EQ(normalise_signature(canonical.view()).value(), canonical);
        EXPECT_EQ(normalise_signature(with_v(canonical, v_of(canonical) - 27).view()).value(),
                  canonical);
        EXPECT_EQ(normalise_signature(high.view()).value(), canonical);
        EXPECT_EQ(normalise_signature(with_v(high, v_of(high) - 27).view()).value(), canonical);
    }
}

TEST(NormaliseTest, OtherLengthsAndRecoveryIdsAreRefused) {
    const Signature good = key().sign(kDigest);
    EXPECT_EQ(normalise_signature(good.view().first(64)).error().code,
              ErrorCode::kInvalidSignature);
    for (const int v : {4, 26, 31, 255}) {
        EXPECT_EQ(normalise_signature(with_v(good, v).view()).error().code,
                  ErrorCode::kInvalidRecoveryId);
    }
}

TEST(NormaliseTest, WhatIsOutOfRangeIsLeftToRecovery) {
    const Signature absurd = with_s(key().sign(kDigest), Bytes(32, std::byte{0xff}));
    EXPECT_EQ(normalise_signature(absurd.view()).value(), absurd);
    EXPECT_EQ(refusal(absurd), ErrorCode::kRecoveryFailed);
}

TEST(DigestTest, EveryFieldChangesTheDigest) {
    const TxFields base{test::block_id(1), 5, Price{7}, TransferFields{account(2), Amount{3}}};
    const auto digest_with = [&](const auto& change) {
        TxFields changed = base;
        change(changed);
        return signing_digest(changed, {});
    };
    const Hash256 digest = signing_digest(base, {});
    EXPECT_EQ(digest, digest_with([](TxFields&) {}));
    EXPECT_NE(digest, digest_with([](TxFields& tx) { tx.block_id = test::block_id(2); }));
    EXPECT_NE(digest, digest_with([](TxFields& tx) { tx.magic = 6; }));
    EXPECT_NE(digest, digest_with([](TxFields& tx) { tx.price = Price{8}; }));
    EXPECT_NE(digest, digest_with([](TxFields& tx) {
                  tx.body = TransferFields{account(3), Amount{3}};
              }));
    EXPECT_NE(digest, digest_with([](TxFields& tx) {
                  tx.body = TransferFields{account(2), Amount{4}};
              }));
    EXPECT_NE(digest, digest_with([](TxFields& tx) { tx.body = SetFields{}; }));
}

TEST(DigestTest, WhatAThreadRemembersIsNeverAnotherChains) {
    const Hash256 five = domain_separator(5);
    const Hash256 six = domain_separator(6);
    EXPECT_NE(five, six);
    EXPECT_EQ(domain_separator(5), five);
    EXPECT_EQ(domain_separator(6), six);
}

TEST(SignTransactionTest, ValueBeyondTheCodecsLimitIsRefused) {
    const Bytes value(kMaxSliceLength + 1);
    const Result<TransactionPtr> tx =
        sign_transaction({test::block_id(1), 5, Price{7}, SetFields{value}}, key());
    EXPECT_EQ(tx.error().code, ErrorCode::kCodecSliceTooLong);
}

}  // namespace
}  // namespace blobvm::chain
