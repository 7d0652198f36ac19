#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "vm/plugin/gather.hpp"
#include "vm/plugin/http_headers.hpp"
#include "vm/plugin/identity.hpp"
#include "vm/plugin/install.hpp"
#include "vm/plugin/parent.hpp"
#include "vm/plugin/status.hpp"
#include "vm/plugin/witness_record.hpp"

namespace blobvm::vm::plugin {
namespace {

namespace fs = std::filesystem;

template <class Id>
Id id_of(int byte) {
    Id id;
    id.bytes.fill(static_cast<std::byte>(byte));
    return id;
}

// --- identity ---

TEST(PluginIdentityTest, VmIdIsTheNameThatANodeLooksFor) {
    EXPECT_EQ(vm_id(), "kM6h4LYe3AcEU1MB2UNg6ubzAiDAALZzpVrbX8zn3hXF6Avd8");
}

TEST(PluginIdentityTest, VersionJsonHasTheFourFields) {
    EXPECT_EQ(version_json(), R"({"name":"blobvm","vmid":")" + vm_id() + R"(","version":")" +
                                  version() + R"(","rpcchainvm":45})");
}

TEST(PluginIdentityTest, ProtocolIsReadFromTheNodesOwnWords) {
    EXPECT_EQ(read_protocol(R"({"application":"avalanchego/1.14.2","rpcchainvm":45,"go":"1.25"})"),
              45U);
    EXPECT_EQ(read_protocol("{\n  \"rpcchainvm\": 44\n}"), 44U);
    EXPECT_EQ(read_protocol(R"({"application":"avalanchego/1.14.2"})"), std::nullopt);
    EXPECT_EQ(read_protocol(R"({"rpcchainvm":"many"})"), std::nullopt);
    EXPECT_EQ(read_protocol(R"({"rpcchainvm")"), std::nullopt);
    EXPECT_EQ(read_protocol(R"({"rpcchainvm":99999999999})"), std::nullopt);
    EXPECT_EQ(read_protocol(""), std::nullopt);
}

TEST(PluginIdentityTest, OtherParentsAreNotAsked) {
    EXPECT_EQ(protocol_of_parent(std::chrono::steady_clock::time_point::max()), std::nullopt);
}

// --- HTTP headers ---

TEST(HttpHeadersTest, NamesGetTheCasingOfTheNode) {
    EXPECT_EQ(canonical_name("content-type"), "Content-Type");
    EXPECT_EQ(canonical_name("CONTENT-TYPE"), "Content-Type");
    EXPECT_EQ(canonical_name("x-7up-eTag"), "X-7up-Etag");
    EXPECT_EQ(canonical_name("-a--b-"), "-A--B-");
    EXPECT_EQ(canonical_name(""), "");
}

TEST(HttpHeadersTest, ImpossibleNameIsLeftAsItIs) {
    EXPECT_EQ(canonical_name("content type"), "content type");
    EXPECT_EQ(canonical_name("h\xc3\xa9"), "h\xc3\xa9");
}

TEST(HttpHeadersTest, WhatTheNodeHasSetIsKept) {
    const Headers node{{"Node-Id", "NodeID-1"}, {"Vary", "Origin"}, {"Vary", "Accept"}};
    EXPECT_EQ(merged(node, {{"content-type", "application/json"}}),
              (Headers{{"Node-Id", "NodeID-1"},
                       {"Vary", "Origin"},
                       {"Vary", "Accept"},
                       {"Content-Type", "application/json"}}));
}

TEST(HttpHeadersTest, OursReplaceTheNodes) {
    EXPECT_EQ(merged({{"content-type", "text/html"}, {"A", "1"}}, {{"Content-Type", "text/plain"}}),
              (Headers{{"A", "1"}, {"Content-Type", "text/plain"}}));
}

TEST(HttpHeadersTest, LengthAndConnectionAreLeftToTheNode) {
    EXPECT_EQ(merged({}, {{"content-length", "5"}, {"Connection", "close"}, {"X", "y"}}),
              (Headers{{"X", "y"}}));
}

// --- witness ---

TEST(WitnessRecordTest, ComesBackAsItWas) {
    const auto chain = id_of<ChainId>(7);
    const Witness witness{.height = 0x0102030405060708, .id = id_of<BlockId>(0xab)};
    const std::string record = encode_witness(chain, witness);
    EXPECT_EQ(record, '\x01' + std::string(32, '\x07') + "\x01\x02\x03\x04\x05\x06\x07\x08" +
                          std::string(32, '\xab'));
    const auto decoded = decode_witness(chain, record);
    ASSERT_TRUE(decoded);
    EXPECT_EQ(decoded->height, witness.height);
    EXPECT_EQ(decoded->id, witness.id);
}

TEST(WitnessRecordTest, ForeignRecordsAreCorruption) {
    const auto chain = id_of<ChainId>(7);
    const std::string record = encode_witness(chain, {.height = 1, .id = id_of<BlockId>(1)});
    std::string other_format = record;
    other_format[0] = 2;
    for (const std::string& bad :
         {std::string{}, record.substr(1), record + "x", other_format,
          encode_witness(id_of<ChainId>(8), {.height = 1, .id = id_of<BlockId>(1)})}) {
        const auto decoded = decode_witness(chain, bad);
        ASSERT_FALSE(decoded);
        EXPECT_EQ(decoded.error().code, ErrorCode::kCorruption);
    }
}

// --- what the node is told ---

TEST(StatusTest, TextIsCutToFitTheTrailers) {
    const auto status = to_status({ErrorCode::kStoreFailed, std::string(1 << 20, 'x')});
    EXPECT_FALSE(status.ok());
    EXPECT_LT(status.error_message().size(), 4096U);
}

TEST(StatusTest, NoErrorIsOk) {
#define BLOBVM_EXPECT_ERROR(name, text) \
    EXPECT_FALSE(to_status({ErrorCode::name, {}}).ok()) << #name;
    BLOBVM_ERROR_CODES(BLOBVM_EXPECT_ERROR)
#undef BLOBVM_EXPECT_ERROR
}

TEST(StatusTest, TimestampsEndWithTheYears1And9999) {
    EXPECT_TRUE(is_valid_timestamp(-62'135'596'800));
    EXPECT_FALSE(is_valid_timestamp(-62'135'596'801));
    EXPECT_TRUE(is_valid_timestamp(253'402'300'799));
    EXPECT_FALSE(is_valid_timestamp(253'402'300'800));
}

TEST(StatusTest, IdOfAnotherLengthIsNoId) {
    EXPECT_TRUE(read_id<BlockId>(std::string(32, 'x')));
    EXPECT_FALSE(read_id<BlockId>(std::string(31, 'x')));
    EXPECT_FALSE(read_id<BlockId>(std::string(33, 'x')));
    EXPECT_FALSE(read_id<NodeId>(""));
}

// --- Gather ---

Sample counter(std::string name) {
    return {.name = std::move(name), .help = "h", .kind = Sample::Kind::kCounter, .histogram = {}};
}

TEST(GatherTest, EachKindFillsItsOwnPayloadEvenForZero) {
    ::vm::GatherResponse response;
    EXPECT_EQ(fill({counter("c"),
                    {.name = "g", .help = "h", .kind = Sample::Kind::kGauge, .histogram = {}},
                    {.name = "h", .help = "h", .kind = Sample::Kind::kHistogram, .histogram = {}}},
                   response),
              0U);
    ASSERT_EQ(response.metric_families_size(), 3);
    EXPECT_TRUE(response.metric_families(0).metric(0).counter().has_value());
    EXPECT_TRUE(response.metric_families(1).metric(0).gauge().has_value());
    EXPECT_TRUE(response.metric_families(2).metric(0).histogram().has_sample_count());
    EXPECT_EQ(response.metric_families(2).metric(0).histogram().bucket_size(),
              static_cast<int>(Histogram::kBoundsS.size()));
}

TEST(GatherTest, WhatWouldBreakTheNodesMetricsIsLeftOut) {
    ::vm::GatherResponse response;
    EXPECT_EQ(
        fill({counter("a"), counter("a"), counter("b-c"), counter("7"), counter("")}, response),
        4U);
    ASSERT_EQ(response.metric_families_size(), 1);
    EXPECT_EQ(response.metric_families(0).name(), "a");
}

TEST(GatherTest, HistogramTakesTheNamesOfItsSeries) {
    const Sample histogram{
        .name = "h", .help = "h", .kind = Sample::Kind::kHistogram, .histogram = {}};
    ::vm::GatherResponse first;
    EXPECT_EQ(fill({histogram, counter("h_count"), counter("h_total")}, first), 1U);
    ::vm::GatherResponse second;
    EXPECT_EQ(fill({counter("h_bucket"), histogram}, second), 1U);
}

TEST(GatherTest, CountsTheOpenFiles) {
    const double before = open_files().value;
    const int descriptor = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    EXPECT_EQ(open_files().value, before + 1);
    ::close(descriptor);
}

// --- install ---

class InstallTest : public testing::Test {
  protected:
    InstallTest() {
        std::string name = (fs::temp_directory_path() / "blobvm-install-test-XXXXXX").string();
        folder_ = ::mkdtemp(name.data());
        program_ = folder_ / "program";
        std::ofstream{program_} << "the program";
        plugins_ = folder_ / "plugins";
        fs::create_directory(plugins_);
    }
    ~InstallTest() override { fs::remove_all(folder_); }

    static std::string content(const fs::path& file) {
        std::ifstream stream{file};
        return {std::istreambuf_iterator<char>{stream}, {}};
    }
    std::size_t entries() const {
        return static_cast<std::size_t>(
            std::distance(fs::directory_iterator{plugins_}, fs::directory_iterator{}));
    }

    fs::path folder_;
    fs::path program_;
    fs::path plugins_;
};

TEST_F(InstallTest, PutsTheProgramUnderItsVmIdAndNothingElse) {
    const mode_t old_mask = ::umask(077);
    const auto installed = install(program_, plugins_);
    ::umask(old_mask);
    ASSERT_TRUE(installed);
    EXPECT_EQ(installed->file, plugins_ / vm_id());
    EXPECT_TRUE(installed->strays.empty());
    EXPECT_EQ(content(installed->file), "the program");
    EXPECT_EQ(fs::status(installed->file).permissions(), static_cast<fs::perms>(0755));
    EXPECT_EQ(entries(), 1U);
}

TEST_F(InstallTest, ReplacesAnOlderFile) {
    std::ofstream{plugins_ / vm_id()} << "an older and much longer program";
    ASSERT_TRUE(install(program_, plugins_));
    EXPECT_EQ(content(plugins_ / vm_id()), "the program");
    EXPECT_EQ(entries(), 1U);
}

TEST_F(InstallTest, NamesTheFilesThatWouldStopANode) {
    std::ofstream{plugins_ / "README.txt"};
    std::ofstream{plugins_ / "blobvm"};
    std::ofstream{plugins_ / ".gitkeep"};  // passed over by the node
    std::ofstream{plugins_ / "v3m4wPxaHpvGr8qfMeyK6PRW3idZrPHmYcMTt7oXdK47yurVH"};
    std::ofstream{plugins_ / "srEXiWaHuhNyGwPUi444Tu47ZEDwxTWrbQiuD7FmgSAQ6X7Dy.exe"};
    fs::create_directory(plugins_ / "folder");
    const auto installed = install(program_, plugins_);
    ASSERT_TRUE(installed);
    EXPECT_EQ(installed->strays, (std::vector<std::string>{"README.txt", "blobvm"}));
    EXPECT_EQ(describe(*installed, /*as_json=*/true), "{\"file\":\"" + installed->file.string() +
                                                          R"(","strays":["README.txt","blobvm"],)" +
                                                          R"("rivals":[]})" + "\n");
    const std::string words = describe(*installed, /*as_json=*/false);
    EXPECT_TRUE(words.starts_with("Installed " + installed->file.string() + "\n"));
    EXPECT_NE(words.find("\"README.txt\" is not named by a VM id"), std::string::npos) << words;
}

TEST_F(InstallTest, NamesTheCopyThatANodeWouldStartInstead) {
    const std::string backup = vm_id() + ".old";
    std::ofstream{plugins_ / backup};
    const auto installed = install(program_, plugins_);
    ASSERT_TRUE(installed);
    EXPECT_TRUE(installed->strays.empty());
    EXPECT_EQ(installed->rivals, std::vector<std::string>{backup});
    EXPECT_EQ(describe(*installed, /*as_json=*/false),
              "Installed " + installed->file.string() + "\nWarning: \"" + backup +
                  "\" has this VM's id, too, and the node starts it instead: move it out of\n" +
                  "the folder.\n");
}

TEST_F(InstallTest, TellsWhatIsWrongAndLeavesNothing) {
    const auto no_folder = install(program_, plugins_ / "missing");
    ASSERT_FALSE(no_folder);
    EXPECT_EQ(no_folder.error().code, ErrorCode::kIo);
    EXPECT_FALSE(install(folder_ / "missing", plugins_));
    EXPECT_FALSE(install(folder_, plugins_));  // a folder cannot be read
    EXPECT_EQ(entries(), 0U);

    fs::create_directory(plugins_ / vm_id());
    EXPECT_FALSE(install(program_, plugins_));
    EXPECT_EQ(entries(), 1U);
}

}  // namespace
}  // namespace blobvm::vm::plugin
