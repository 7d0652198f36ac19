#include <gtest/gtest.h>

#include <cstring>

#include "chain/base/hashing.hpp"
#include "chain/base/hex.hpp"
#include "tests/client/fake_chain.hpp"
#include "tests/support/corpus.hpp"
#include "tree/detail/node.hpp"
#include "tree/tree.hpp"

/// The original's file uploads: the same chunks in the same order, the same roots.
namespace blobvm::tree {
namespace {

using test::FakeChain;
using test::Json;

/// The generator that the header of tree.json.gz describes.
Bytes generated(const Json& content) {
    Bytes bytes(content.at("len").get<std::size_t>());
    if (content.at("gen") == "pattern") {
        const Bytes pattern = test::hex(content.at("hex"));
        for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = pattern[i % pattern.size()];
        return bytes;
    }
    std::uint64_t x = test::number(content.at("seed"));
    for (std::size_t i = 0; i < bytes.size(); i += 8) {
        x += 0x9e3779b97f4a7c15;
        std::uint64_t z = x;
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
        z = (z ^ z >> 27) * 0x94d049bb133111eb;
        z ^= z >> 31;
        std::memcpy(bytes.data() + i, &z, std::min<std::size_t>(8, bytes.size() - i));
    }
    return bytes;
}

class BytesReader final : public Reader {
  public:
    explicit BytesReader(const Bytes& bytes) : left_{bytes} {}
    Result<std::size_t> read(std::span<std::byte> into) override {
        const std::size_t count = std::min(into.size(), left_.size());
        std::copy_n(left_.begin(), count, into.begin());
        left_ = left_.subspan(count);
        return count;
    }

  private:
    ByteView left_;
};

class BytesWriter final : public Writer {
  public:
    Result<void> write(ByteView bytes) override {
        content.insert(content.end(), bytes.begin(), bytes.end());
        return {};
    }
    Bytes content;
};

TEST(TreeCorpusTest, EveryFileHasTheOriginalsChunksAndRootOrIsStoredInAFormOfOurs) {
    std::size_t exact = 0;
    std::size_t improved = 0;
    for (const Json& test_case : test::corpus_cases("tree")) {
        SCOPED_TRACE(test_case.at("content").dump());
        FakeChain chain{{.max_value_bytes = test::number(test_case.at("maxValueSize")),
                         .txs_per_block = 1'000,
                         .call_ms = 200}};
        const Bytes content = generated(test_case.at("content"));
        BytesReader file{content};
        const auto stored = upload(chain, test::key(1), file,
                                   {.chunk_bytes = test_case.at("chunkSize").get<std::uint64_t>(),
                                    .in_flight = 1,
                                    .timer = &chain});
        ASSERT_TRUE(stored) << stored.error().message();

        BytesWriter back;
        ASSERT_TRUE(download(chain, stored->root, back));
        EXPECT_TRUE(back.content == content);
        if (test::has_tag(test_case, "reference-only")) {
            ++improved;
            continue;
        }

        ASSERT_TRUE(test_case.at("err").is_null());
        std::vector<BlobKey> issued;
        for (const Json& each : test_case.at("issued")) {
            issued.push_back(test::fixed<BlobKey>(each.at(0)));
        }
        EXPECT_EQ(chain.order(), issued);
        EXPECT_EQ(stored->root, test::fixed<BlobKey>(test_case.at("rootKey")));
        const auto root = chain.resolve(stored->root);
        EXPECT_EQ((*root)->value.size(), test_case.at("rootLen").get<std::size_t>());
        if (test_case.contains("root")) {
            EXPECT_EQ(as_chars((*root)->value), test_case.at("root").get<std::string>());
        }
        ++exact;
    }
    EXPECT_GT(exact, 0U);
    EXPECT_GT(improved, 0U);
}

TEST(TreeCorpusTest, VectorsOfRootsAreWrittenAndReadAlike) {
    const Json roots = test::vectors().at("treeRoot");
    EXPECT_EQ(detail::write_small_root(as_bytes("hello")), roots.at("small").get<std::string>());
    const std::string large = roots.at("large").get<std::string>();
    const auto node = detail::read_node(as_bytes(large));
    ASSERT_TRUE(node);
    EXPECT_EQ(detail::write_node(0, node->keys), large);
}

}  // namespace
}  // namespace blobvm::tree
