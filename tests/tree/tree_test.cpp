#include "tree/tree.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include <fmt/format.h>

#include "chain/base/hashing.hpp"
#include "chain/base/hex.hpp"
#include "tests/client/fake_chain.hpp"
#include "tree/detail/node.hpp"

namespace blobvm::tree {
namespace {

using test::FakeChain;
using test::FakeChainOptions;
using test::key;

/// A file in memory that hands out at most `step` bytes at a time, as a pipe may.
class MemoryReader final : public Reader {
  public:
    explicit MemoryReader(Bytes content, std::size_t step = SIZE_MAX)
        : content_{std::move(content)}, step_{step} {}

    Result<std::size_t> read(std::span<std::byte> into) override {
        if (fail_at && at_ >= *fail_at) return fail(ErrorCode::kIo, "broken disk");
        const std::size_t count = std::min({into.size(), step_, content_.size() - at_});
        std::copy_n(content_.begin() + static_cast<std::ptrdiff_t>(at_), count, into.begin());
        at_ += count;
        return count;
    }

    std::optional<std::size_t> fail_at;

  private:
    Bytes content_;
    std::size_t step_;
    std::size_t at_ = 0;
};

class MemoryWriter final : public Writer {
  public:
    Result<void> write(ByteView bytes) override {
        content.insert(content.end(), bytes.begin(), bytes.end());
        return {};
    }
    Bytes content;
};

/// Bytes without repetition, so that no two chunks are alike.
Bytes content(std::size_t size, std::uint32_t seed = 1) {
    Bytes bytes(size);
    std::uint32_t x = seed * 2'654'435'761U + 1;
    for (std::byte& each : bytes) {
        x = x * 1'664'525 + 1'013'904'223;
        each = static_cast<std::byte>(x >> 24);
    }
    return bytes;
}

BlobKey key_of(ByteView bytes) { return retag<BlobKey>(keccak256(bytes)); }

Result<Uploaded> store(FakeChain& chain, Bytes bytes, UploadOptions options = {}) {
    MemoryReader file{std::move(bytes)};
    options.timer = &chain;
    return upload(chain, key(1), file, options);
}

Result<Bytes> fetch(FakeChain& chain, const BlobKey& root, DownloadOptions options = {}) {
    MemoryWriter out;
    options.timer = &chain;
    BLOBVM_TRY(download(chain, root, out, options));
    return std::move(out.content);
}

/// Puts a root of our own making on the chain.
BlobKey put(FakeChain& chain, std::string_view value) {
    const BlobKey where = key_of(as_bytes(value));
    chain.put(where, to_bytes(as_bytes(value)));
    return where;
}

std::string root_text(FakeChain& chain, const BlobKey& root) {
    return std::string{as_chars(chain.resolve(root)->value().value)};
}

// ---- every size

class EverySize : public testing::TestWithParam<std::size_t> {};

// With values of at most 300 bytes: a root holds 201 bytes itself, 3 chunks, or 3 nodes.
INSTANTIATE_TEST_SUITE_P(AroundEveryBoundary, EverySize,
                         testing::Values(0, 1, 2, 200, 201, 202, 203, 299, 300, 301, 599, 600, 601,
                                         899, 900, 901, 1'200, 1'201, 2'699, 2'700, 2'701, 5'000,
                                         8'099, 8'100, 8'101, 24'300, 24'301, 40'000));

TEST_P(EverySize, ComesBackEqualFromBlobsThatTheChainTakes) {
    FakeChain chain;
    const Bytes file = content(GetParam());
    const auto stored = store(chain, file);
    ASSERT_TRUE(stored) << stored.error().message();
    EXPECT_EQ(stored->size_bytes, file.size());
    EXPECT_LE(chain.largest_value(), 300U);
    const auto fetched = fetch(chain, stored->root);
    ASSERT_TRUE(fetched) << fetched.error().message();
    EXPECT_TRUE(*fetched == file);
}

TEST_P(EverySize, IsStoredAgainForNothing) {
    FakeChain chain;
    const auto first = store(chain, content(GetParam()));
    ASSERT_TRUE(first);
    EXPECT_EQ(first->cost.value, chain.spent());
    EXPECT_EQ(first->new_blobs, chain.blobs());
    const auto second = store(chain, content(GetParam()));
    ASSERT_TRUE(second) << second.error().message();
    EXPECT_EQ(second->root, first->root);
    EXPECT_EQ(second->cost, Amount{0});
    EXPECT_EQ(second->new_blobs, 0U);
    EXPECT_EQ(second->known_blobs, first->new_blobs);
    EXPECT_EQ(chain.spent(), first->cost.value);
}

TEST_P(EverySize, ReadsByteByByteFromAPipe) {
    FakeChain chain;
    MemoryReader pipe{content(GetParam()), /*step=*/1};
    const auto piped = upload(chain, key(1), pipe, {.timer = &chain});
    ASSERT_TRUE(piped);
    FakeChain other;
    EXPECT_EQ(piped->root, store(other, content(GetParam()))->root);
}

// ---- the format

TEST(FormatTest, SmallFilesAreTheOriginalsJson) {
    FakeChain chain;
    const auto stored = store(chain, to_bytes(as_bytes("hello")));
    EXPECT_EQ(root_text(chain, stored->root), R"({"contents":"aGVsbG8=","children":null})");
}

TEST(FormatTest, LargeFilesAreTheOriginalsJson) {
    FakeChain chain;
    const Bytes file = content(301);
    const auto stored = store(chain, file);
    const ByteView all{file};
    EXPECT_EQ(root_text(chain, stored->root),
              fmt::format(R"({{"contents":null,"children":["{}","{}"]}})",
                          to_hex_0x(key_of(all.first(300)).view()),
                          to_hex_0x(key_of(all.subspan(300)).view())));
}

TEST(FormatTest, ContentsTooBigForTheRootAreItsOneChild) {
    FakeChain chain;
    const Bytes file = content(202);
    const auto stored = store(chain, file);
    EXPECT_EQ(
        root_text(chain, stored->root),
        fmt::format(R"({{"contents":null,"children":["{}"]}})", to_hex_0x(key_of(file).view())));
}

TEST(FormatTest, AnEmptyFileHasARootOfItsOwn) {
    FakeChain chain;
    const auto stored = store(chain, {});
    EXPECT_EQ(root_text(chain, stored->root), R"({"contents":"","children":null})");
}

TEST(FormatTest, MoreChunksThanARootHoldsMakeNodesThatAreRootsThemselves) {
    FakeChain chain;
    const Bytes file = content(901);
    const auto stored = store(chain, file);
    const std::string text = root_text(chain, stored->root);
    EXPECT_TRUE(text.starts_with(R"({"contents":null,"children":null,"levels":1,"nodes":["0x)"))
        << text;
    const auto root = detail::read_node(as_bytes(text));
    ASSERT_TRUE(root);
    ASSERT_EQ(root->keys.size(), 2U);
    const auto first_part = fetch(chain, root->keys[0]);
    ASSERT_TRUE(first_part);
    EXPECT_TRUE(*first_part == Bytes(file.begin(), file.begin() + 900));
}

TEST(FormatTest, CapacityIsTheOriginalsLimit) {
    EXPECT_EQ(detail::node_capacity(0, 204'800), (204'800 - 31 + 1) / 69);
    for (unsigned levels : {0U, 1U, 8U}) {
        for (std::uint64_t limit : {98U, 99U, 100U, 167U, 168U, 300U, 204'800U}) {
            const std::uint64_t capacity = detail::node_capacity(levels, limit);
            const std::vector<BlobKey> most(capacity);
            const std::vector<BlobKey> too_many(capacity + 1);
            if (capacity > 0) {
                EXPECT_LE(detail::write_node(levels, most).size(), limit);
            }
            EXPECT_GT(detail::write_node(levels, too_many).size(), limit);
        }
    }
}

TEST(FormatTest, AChainWithTinyValuesRefusesWithoutSpending) {
    FakeChain chain{{.max_value_bytes = 40}};
    EXPECT_TRUE(store(chain, content(6)));
    const std::uint64_t spent = chain.spent();
    const auto stored = store(chain, content(100));
    ASSERT_FALSE(stored);
    EXPECT_EQ(stored.error().code, ErrorCode::kTooLarge);
    EXPECT_EQ(chain.spent(), spent);
}

TEST(FormatTest, ChunksMayBeSmallerThanTheChainAllows) {
    FakeChain chain;
    const auto stored = store(chain, content(250), {.chunk_bytes = 100});
    ASSERT_TRUE(stored);
    EXPECT_EQ(stored->chunks, 3U);
    EXPECT_TRUE(*fetch(chain, stored->root) == content(250));
}

// ---- upload

TEST(UploadTest, ARepeatedChunkIsStoredOnceAndNamedEachTime) {
    FakeChain chain;
    std::size_t repeated = 0;
    const auto stored = store(chain, Bytes(900), {.on_step = [&](const UploadStep& step) {
                                  repeated += step.kind == UploadStep::Kind::kRepeated;
                              }});
    ASSERT_TRUE(stored);
    EXPECT_EQ(stored->chunks, 3U);
    EXPECT_EQ(stored->new_blobs, 2U);
    EXPECT_EQ(repeated, 2U);
    EXPECT_TRUE(*fetch(chain, stored->root) == Bytes(900));
}

TEST(UploadTest, TheRootComesLast) {
    FakeChain chain;
    const auto stored = store(chain, content(20'000));
    ASSERT_TRUE(stored);
    EXPECT_EQ(chain.order().back(), stored->root);
}

TEST(UploadTest, OneInFlightKeepsTheOrderOfTheFile) {
    FakeChain chain;
    const Bytes file = content(800);
    ASSERT_TRUE(store(chain, file, {.in_flight = 1}));
    const ByteView all{file};
    const auto order = chain.order();
    ASSERT_EQ(order.size(), 4U);
    EXPECT_EQ(order[0], key_of(all.first(300)));
    EXPECT_EQ(order[1], key_of(all.subspan(300, 300)));
    EXPECT_EQ(order[2], key_of(all.subspan(600)));
}

TEST(UploadTest, GoesOnWhereItWasCutOff) {
    FakeChain chain;
    const auto cut =
        store(chain, content(9'000), {.cancelled = [&] { return chain.blobs() >= 10; }});
    ASSERT_FALSE(cut);
    EXPECT_EQ(cut.error().code, ErrorCode::kCancelled);
    chain.sleep_ms(10'000);  // what was in flight is accepted meanwhile
    const std::size_t there = chain.blobs();
    const std::uint64_t spent = chain.spent();

    const auto stored = store(chain, content(9'000));
    ASSERT_TRUE(stored);
    EXPECT_EQ(stored->known_blobs, there);
    EXPECT_EQ(stored->new_blobs + stored->known_blobs, chain.blobs());
    EXPECT_EQ(spent + stored->cost.value, chain.spent());
    EXPECT_TRUE(*fetch(chain, stored->root) == content(9'000));
}

TEST(UploadTest, WhatTheChainHasIsNotSentAgain) {
    FakeChain chain;
    const auto first = store(chain, content(20'000));
    ASSERT_TRUE(first);
    const std::size_t issued = chain.issue_calls();
    const auto second = store(chain, content(20'000));
    ASSERT_TRUE(second);
    EXPECT_EQ(second->new_blobs, 0U);
    EXPECT_EQ(second->known_blobs, first->new_blobs);
    EXPECT_EQ(chain.issue_calls() - issued, first->new_blobs - first->chunks)
        << "nodes and the root";
}

TEST(UploadTest, ANodeThatCannotTellIsSentEverythingAndPaidNothing) {
    FakeChain chain{{.knows_blobs = false}};
    const auto first = store(chain, content(20'000));
    ASSERT_TRUE(first);
    const auto second = store(chain, content(20'000));
    ASSERT_TRUE(second);
    EXPECT_EQ(second->known_blobs, first->new_blobs);
    EXPECT_EQ(second->cost.value, 0U);
}

TEST(UploadTest, StartedAgainAtOncePaysForNothingTwice) {
    FakeChain chain;
    ASSERT_FALSE(store(chain, content(9'000), {.cancelled = [&] { return chain.blobs() >= 10; }}));
    ASSERT_TRUE(store(chain, content(9'000)));
    EXPECT_EQ(chain.spent(), 2 * chain.blobs());
}

TEST(UploadTest, SurvivesANodeThatForgetsAndDropsAnswersAndRaisesThePrice) {
    FakeChain chain{{.window_s = 5,
                     .mempool_size = 12,
                     .forget_every = 5,
                     .no_answer_every = 4,
                     .price_step = 1}};
    const auto stored = store(chain, content(20'000));
    ASSERT_TRUE(stored) << stored.error().message();
    EXPECT_EQ(stored->cost.value, chain.spent());
    EXPECT_TRUE(*fetch(chain, stored->root) == content(20'000));
}

TEST(UploadTest, AReadErrorIsNotTheEndOfTheFile) {
    FakeChain chain;
    MemoryReader broken{content(1'000)};
    broken.fail_at = 600;
    const auto stored = upload(chain, key(1), broken, {.timer = &chain});
    ASSERT_FALSE(stored);
    EXPECT_EQ(stored.error().code, ErrorCode::kIo);
}

TEST(UploadTest, StepsAddUpToTheWholeFile) {
    FakeChain chain;
    UploadStep last{};
    const auto stored =
        store(chain, content(5'000), {.on_step = [&](const UploadStep& step) { last = step; }});
    ASSERT_TRUE(stored);
    EXPECT_EQ(last.role, Role::kRoot);
    EXPECT_EQ(last.stored_bytes, 5'000U);
    EXPECT_EQ(last.total_cost, stored->cost);
}

// ---- download

TEST(DownloadTest, AnUnknownRootIsNotFound) {
    FakeChain chain;
    const auto fetched = fetch(chain, BlobKey{});
    ASSERT_FALSE(fetched);
    EXPECT_EQ(fetched.error().code, ErrorCode::kNotFound);
}

TEST(DownloadTest, AMissingChunkIsNamed) {
    FakeChain chain;
    const Bytes file = content(800);
    const auto stored = store(chain, file);
    const BlobKey second = key_of(ByteView{file}.subspan(300, 300));
    ASSERT_TRUE(chain.remove(second));
    const auto fetched = fetch(chain, stored->root);
    ASSERT_FALSE(fetched);
    EXPECT_EQ(fetched.error().message(), "required file is missing: " + to_hex_0x(second.view()));
}

TEST(DownloadTest, OneWorkerOrManyGiveTheSameFile) {
    FakeChain chain;
    const auto stored = store(chain, content(20'000));
    for (const std::size_t workers : {0U, 1U, 2U, 16U}) {
        const auto fetched = fetch(chain, stored->root, {.workers = workers});
        ASSERT_TRUE(fetched);
        EXPECT_TRUE(*fetched == content(20'000)) << workers;
    }
}

TEST(DownloadTest, WaitsForANodeThatRestarts) {
    FakeChain chain;
    const auto stored = store(chain, content(2'000));
    MemoryWriter out;
    std::size_t steps = 0;
    const auto fetched = download(chain, stored->root, out,
                                  {.workers = 2,
                                   .on_step =
                                       [&](const DownloadStep&) {
                                           if (steps++ == 0) chain.fail_resolves(4);
                                       },
                                   .timer = &chain});
    ASSERT_TRUE(fetched) << fetched.error().message();
    EXPECT_TRUE(out.content == content(2'000));
}

TEST(DownloadTest, GivesUpOnANodeThatStaysAway) {
    FakeChain chain;
    const auto stored = store(chain, content(2'000));
    MemoryWriter out;
    const auto fetched = download(
        chain, stored->root, out,
        {.on_step = [&](const DownloadStep&) { chain.fail_resolves(1'000'000); }, .timer = &chain});
    ASSERT_FALSE(fetched);
    EXPECT_EQ(fetched.error().code, ErrorCode::kConnection);
}

TEST(DownloadTest, StopsWhenNobodyWantsTheFile) {
    FakeChain chain;
    const auto stored = store(chain, content(20'000));
    std::atomic<bool> enough = false;
    const auto fetched = fetch(chain, stored->root,
                               {.cancelled = [&] { return enough.load(); },
                                .on_step = [&](const DownloadStep&) { enough = true; }});
    ASSERT_FALSE(fetched);
    EXPECT_EQ(fetched.error().code, ErrorCode::kCancelled);
}

TEST(DownloadTest, AFileLongerThanAllowedIsRefused) {
    FakeChain chain;
    const auto stored = store(chain, content(5'000));
    EXPECT_TRUE(fetch(chain, stored->root, {.max_bytes = 5'000}));
    const auto fetched = fetch(chain, stored->root, {.max_bytes = 4'999});
    ASSERT_FALSE(fetched);
    EXPECT_EQ(fetched.error().code, ErrorCode::kTooLarge);
}

// ---- roots that others made

TEST(StrangeRootTest, WhatTheOriginalReadsIsRead) {
    FakeChain chain;
    put(chain, "one");
    const std::string one = to_hex_0x(key_of(as_bytes("one")).view());
    std::string upper = "0X" + one.substr(2);
    std::transform(upper.begin() + 2, upper.end(), upper.begin() + 2,
                   [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    const auto read = [&](const std::string& root) {
        const auto fetched = fetch(chain, put(chain, root));
        return fetched ? std::string{as_chars(*fetched)} : fetched.error().message();
    };
    EXPECT_EQ(read(R"({"contents":"aGVsbG8=","children":null})"), "hello");
    EXPECT_EQ(read(R"( {"extra":[1,{}], "CONTENTS":"aGVsbG8="} )"), "hello");
    EXPECT_EQ(read(R"({"contents":"aGVsbG8=","children":["0x00"]})"), "hello");
    EXPECT_EQ(read(fmt::format(R"({{"children":["{}","{}"]}})", one, upper)), "oneone");
    EXPECT_EQ(read(fmt::format(R"({{"contents":"","children":["{}"]}})", one)), "one");
}

TEST(StrangeRootTest, NothingAtAllIsAnEmptyFileError) {
    FakeChain chain;
    for (const char* root : {R"({"contents":null,"children":null})", R"({})", R"({"children":[]})",
                             R"({"nodes":[],"levels":1})"}) {
        const auto fetched = fetch(chain, put(chain, root));
        ASSERT_FALSE(fetched) << root;
        EXPECT_EQ(fetched.error().message(), "file is empty");
    }
}

TEST(StrangeRootTest, WhatIsNoRootIsRefused) {
    FakeChain chain;
    for (
        const char* root :
        {"hello", "[]", "null", "{", R"({"contents":1})", R"({"contents":"a"})",
         R"({"children":{}})", R"({"children":[1]})", R"({"children":["0x12"]})",
         R"({"children":["1234567890123456789012345678901234567890123456789012345678901234567"]})",
         R"({"children":["0xzz00000000000000000000000000000000000000000000000000000000000000"]})",
         R"({"nodes":["0x0000000000000000000000000000000000000000000000000000000000000000"]})",
         R"({"levels":0,"nodes":["0x0000000000000000000000000000000000000000000000000000000000000000"]})",
         R"({"levels":9,"nodes":["0x0000000000000000000000000000000000000000000000000000000000000000"]})",
         R"({"levels":"1","nodes":["0x0000000000000000000000000000000000000000000000000000000000000000"]})"}) {
        const auto fetched = fetch(chain, put(chain, root));
        ASSERT_FALSE(fetched) << root;
        EXPECT_EQ(fetched.error().code, ErrorCode::kTreeInvalid) << root;
    }
}

TEST(StrangeRootTest, LevelsThatDoNotAddUpAreRefused) {
    FakeChain chain;
    const auto over = [&](unsigned levels, const BlobKey& below) {
        return put(chain, detail::write_node(levels, std::vector{below}));
    };
    const BlobKey chunk = put(chain, "chunk");
    const BlobKey node = over(0, chunk);
    const BlobKey small = put(chain, detail::write_small_root(as_bytes("inside")));
    EXPECT_TRUE(fetch(chain, over(1, node)));
    for (const BlobKey& root : {over(2, node), over(1, chunk), over(1, over(1, node)),
                                over(1, small), over(3, over(1, node))}) {
        const auto fetched = fetch(chain, root);
        ASSERT_FALSE(fetched);
        EXPECT_EQ(fetched.error().code, ErrorCode::kTreeInvalid);
    }
}

TEST(StrangeRootTest, AFewBlobsThatUnfoldIntoAHugeFileMeetTheLimit) {
    FakeChain chain;
    BlobKey below = put(chain, "x");
    for (unsigned levels = 0; levels <= detail::kMaxLevels; ++levels) {
        below = put(chain, detail::write_node(levels, std::vector<BlobKey>(100, below)));
    }
    const auto fetched = fetch(chain, below, {.max_bytes = 1'000});
    ASSERT_FALSE(fetched);
    EXPECT_EQ(fetched.error().code, ErrorCode::kTooLarge);
}

// ---- files

class FileTest : public testing::Test {
  protected:
    FileTest() {
        std::string name = testing::TempDir() + "/tree_test.XXXXXX";
        folder_ = ::mkdtemp(name.data());
    }
    ~FileTest() override { std::filesystem::remove_all(folder_); }

    std::string path(const std::string& name) const { return folder_ / name; }
    std::size_t count() const {
        return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator{folder_},
                                                      std::filesystem::directory_iterator{}));
    }
    static std::string text(const std::string& name) {
        std::ifstream stream{name, std::ios::binary};
        std::ostringstream out;
        out << stream.rdbuf();
        return out.str();
    }

    std::filesystem::path folder_;
    FakeChain chain_;
};

TEST_F(FileTest, IsStoredFromDiskAndComesBack) {
    const Bytes bytes = content(3'000);
    std::ofstream{path("in"), std::ios::binary} << as_chars(bytes);
    const auto reader = open_file(path("in"));
    ASSERT_TRUE(reader);
    const auto stored = upload(chain_, key(1), **reader, {.timer = &chain_});
    ASSERT_TRUE(stored);
    const auto fetched = download_to_file(chain_, stored->root, path("out"));
    ASSERT_TRUE(fetched) << fetched.error().message();
    EXPECT_EQ(fetched->size_bytes, 3'000U);
    EXPECT_EQ(text(path("out")), as_chars(bytes));
    EXPECT_EQ(count(), 2U) << "no temporary file stays";
}

TEST_F(FileTest, GetsTheModeOfAnOrdinaryNewFile) {
    const auto stored = store(chain_, content(10));
    ASSERT_TRUE(download_to_file(chain_, stored->root, path("out")));
    struct stat about {};
    ASSERT_EQ(::stat(path("out").c_str(), &about), 0);
    const mode_t mask = ::umask(0);
    ::umask(mask);
    EXPECT_EQ(about.st_mode & 0777, 0666 & ~mask);
}

TEST_F(FileTest, NeverReplacesAnother) {
    const auto stored = store(chain_, content(10));
    std::ofstream{path("out")} << "mine";
    const auto fetched = download_to_file(chain_, stored->root, path("out"));
    ASSERT_FALSE(fetched);
    EXPECT_NE(fetched.error().message().find("already exists"), std::string::npos);
    EXPECT_EQ(text(path("out")), "mine");
    EXPECT_EQ(count(), 1U);
}

TEST_F(FileTest, LeavesNothingBehindWhenAChunkIsMissing) {
    const Bytes file = content(3'000);
    const auto stored = store(chain_, file);
    ASSERT_TRUE(chain_.remove(key_of(ByteView{file}.subspan(1'500, 300))));
    EXPECT_FALSE(download_to_file(chain_, stored->root, path("out"), {.timer = &chain_}));
    EXPECT_EQ(count(), 0U);
}

TEST_F(FileTest, AFolderThatIsNotThereIsAnIoError) {
    const auto stored = store(chain_, content(10));
    const auto fetched = download_to_file(chain_, stored->root, path("no/such/out"));
    ASSERT_FALSE(fetched);
    EXPECT_EQ(fetched.error().code, ErrorCode::kIo);
}

TEST_F(FileTest, WhatIsNoFileCannotBeOpened) {
    EXPECT_EQ(open_file(path("none")).error().code, ErrorCode::kIo);
    EXPECT_EQ(open_file(folder_.string()).error().code, ErrorCode::kIo);
}

}  // namespace
}  // namespace blobvm::tree
