#include <crypto++/keccak.h>
#include <gtest/gtest.h>

#include <random>

#include "chain/base/detail/keccak.hpp"
#include "chain/base/hashing.hpp"
#include "chain/base/hex.hpp"

namespace blobvm {
namespace {

/// What Crypto++, which shares no code with ours, makes of the same bytes.
Hash256 oracle(ByteView message) {
    CryptoPP::Keccak_256 hash;
    Hash256 digest;
    hash.CalculateDigest(reinterpret_cast<CryptoPP::byte*>(digest.bytes.data()),
                         reinterpret_cast<const CryptoPP::byte*>(message.data()), message.size());
    return digest;
}

Bytes some_bytes(std::size_t size, std::uint64_t seed) {
    std::mt19937_64 random{seed};
    Bytes bytes(size);
    for (std::byte& b : bytes) b = static_cast<std::byte>(random() & 0xff);
    return bytes;
}

TEST(KeccakTest, EmptyMessageHasThePublishedDigest) {
    EXPECT_EQ(to_hex(keccak256({}).view()),
              "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470");
}

TEST(Sha256Test, EmptyMessageAndAbcHaveThePublishedDigests) {
    EXPECT_EQ(to_hex(sha256({}).view()),
              "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    EXPECT_EQ(to_hex(sha256(as_bytes("abc")).view()),
              "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(KeccakTest, PiecesOfAnySizeGiveTheDigestOfTheWhole) {
    const Bytes message = some_bytes(1000, 7);
    const Hash256 whole = oracle(message);
    for (std::size_t piece = 1; piece <= 300; ++piece) {
        Keccak256 hash;
        for (ByteView rest{message}; !rest.empty();) {
            const std::size_t take = std::min(piece, rest.size());
            hash.update(rest.first(take));
            rest = rest.subspan(take);
        }
        EXPECT_EQ(hash.finish(), whole) << piece;
    }
}

/// Each way to compute that this CPU has; what a run without it leaves out shows in its name.
class KeccakPathTest : public testing::TestWithParam<detail::KeccakPath> {
  protected:
    void SetUp() override {
        if (!detail::is_supported(GetParam())) GTEST_SKIP() << "this CPU cannot do it";
        detail::use_keccak_path(GetParam());
    }
    void TearDown() override { detail::use_keccak_path(detail::best_keccak_path()); }
};

TEST_P(KeccakPathTest, AllLengthsUpToAThousandAgreeWithTheOracle) {
    const Bytes message = some_bytes(1000, 1);
    for (std::size_t size = 0; size <= message.size(); ++size) {
        const ByteView part = ByteView{message}.first(size);
        ASSERT_EQ(keccak256(part), oracle(part)) << size;
    }
}

TEST_P(KeccakPathTest, LongMessageAgreesWithTheOracle) {
    const Bytes message = some_bytes(200 * 1024, 2);
    EXPECT_EQ(keccak256(message), oracle(message));
}

void expect_many_agree(const std::vector<Bytes>& contents, std::size_t head_size) {
    std::vector<TwoPartMessage> messages;
    for (const Bytes& content : contents) {
        const std::size_t head = std::min(head_size, content.size());
        messages.push_back({ByteView{content}.first(head), ByteView{content}.subspan(head)});
    }
    std::vector<Hash256> digests(messages.size());
    keccak256_many(messages, digests);
    for (std::size_t i = 0; i < contents.size(); ++i) {
        ASSERT_EQ(digests[i], oracle(contents[i])) << i << ": " << contents[i].size() << " bytes";
    }
}

TEST_P(KeccakPathTest, ManyOfOneLengthAgreeWithTheOracle) {
    for (const std::size_t size : {0U, 1U, 135U, 136U, 137U, 149U, 271U, 272U, 273U, 1000U}) {
        for (std::size_t count = 0; count <= 18; ++count) {
            std::vector<Bytes> contents;
            for (std::size_t i = 0; i < count; ++i) {
                contents.push_back(some_bytes(size, 100 * size + i));
            }
            expect_many_agree(contents, 2);
        }
    }
}

TEST_P(KeccakPathTest, ManyOfMixedLengthsAgreeWithTheOracle) {
    std::mt19937_64 random{3};
    for (int round = 0; round < 60; ++round) {
        std::vector<Bytes> contents(random() % 50);
        for (Bytes& content : contents) {
            const std::size_t limit = random() % 4 == 0 ? 20'000 : 500;
            content = some_bytes(random() % limit, random());
        }
        expect_many_agree(contents, random() % 300);
    }
}

TEST_P(KeccakPathTest, EveryLengthUpToAThousandAtOnceAgreesWithTheOracle) {
    std::vector<Bytes> contents;
    for (std::size_t size = 0; size <= 1000; ++size) contents.push_back(some_bytes(size, size));
    expect_many_agree(contents, 2);
}

INSTANTIATE_TEST_SUITE_P(Keccak, KeccakPathTest, testing::ValuesIn(detail::kAllKeccakPaths),
                         [](const auto& path) { return std::string{detail::name(path.param)}; });

}  // namespace
}  // namespace blobvm
