#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <optional>
#include <string>

#include "vm/plugin/identity.hpp"
#include "vm/plugin/protocol.hpp"

namespace blobvm::vm::plugin {
namespace {

namespace fs = std::filesystem;

class ProtocolTest : public testing::Test {
  protected:
    ProtocolTest() {
        std::string name = (fs::temp_directory_path() / "blobvm-protocol-test-XXXXXX").string();
        folder_ = ::mkdtemp(name.data());
        side_file_ = folder_ / "blobvm-protocol";
    }
    ~ProtocolTest() override { fs::remove_all(folder_); }

    void write(const std::string& text) const { std::ofstream{side_file_} << text; }

    fs::path folder_;
    fs::path side_file_;
};

TEST_F(ProtocolTest, SideFileLiesAboveThePluginFolder) {
    EXPECT_EQ(side_file_of("/var/lib/avalanchego/plugins/id"),
              "/var/lib/avalanchego/blobvm-protocol");
    EXPECT_EQ(side_file_of("/blobvm"), "/blobvm-protocol");
    EXPECT_EQ(side_file_of(""), "/blobvm-protocol");
}

TEST_F(ProtocolTest, NodesOwnWordGoesFirst) {
    write("43\n");
    for (const std::uint32_t protocol : {42U, 43U, 44U, 45U}) {
        const StatedProtocol stated = choose_protocol(protocol, side_file_);
        EXPECT_EQ(stated.number, protocol);
        EXPECT_EQ(stated.warning, "");
    }
}

TEST_F(ProtocolTest, SideFileStandsInForANodeThatDoesNotTell) {
    for (const std::uint32_t protocol : {42U, 43U, 44U, 45U}) {
        for (const char* const end : {"", "\n"}) {
            write(std::to_string(protocol) + end);
            const StatedProtocol stated = choose_protocol(std::nullopt, side_file_);
            EXPECT_EQ(stated.number, protocol);
            EXPECT_EQ(stated.because, "as " + side_file_.string() + " says");
            EXPECT_EQ(stated.warning, "");
        }
    }
}

TEST_F(ProtocolTest, WithoutBothItIsTheNewestAndTheWayOutIsNamed) {
    const StatedProtocol stated = choose_protocol(std::nullopt, side_file_);
    EXPECT_EQ(stated.number, 45U);
    EXPECT_EQ(stated.advice,
              "; for a node of 42 to 44, write its number into " + side_file_.string());
    EXPECT_EQ(stated.warning, "");
}

TEST_F(ProtocolTest, NumberThatIsNotSpokenIsNeverStated) {
    write("44");
    for (const std::uint32_t foreign : {1U, 41U, 46U}) {
        const StatedProtocol stated = choose_protocol(foreign, side_file_);
        EXPECT_EQ(stated.number, 45U);
        EXPECT_EQ(stated.warning, "the node's program speaks " + std::to_string(foreign) +
                                      ", this plugin 42 to 45");
    }
}

TEST_F(ProtocolTest, AnythingElseInTheSideFileIsRefusedWithItsName) {
    for (const std::string text :
         {"", "\n", "41", "46", "0", "-44", "+44", " 44", "44 ", "44\n\n", "44\r\n", "44\n45",
          "4 4", "0x2c", "044", "44.0", "forty-four", "4294967340", "18446744073709551660"}) {
        write(text);
        const auto number = read_side_file(side_file_);
        ASSERT_FALSE(number) << text;
        EXPECT_EQ(number.error().code, ErrorCode::kConfigInvalid) << text;
        EXPECT_TRUE(number.error().detail.starts_with(side_file_.string())) << text;
        EXPECT_TRUE(
            number.error().detail.ends_with("allowed: one number from 42 to 45, and a line end"))
            << number.error().detail;

        const StatedProtocol stated = choose_protocol(std::nullopt, side_file_);
        EXPECT_EQ(stated.number, 45U);
        EXPECT_EQ(stated.warning, number.error().detail);
    }
    write("44" + std::string(1 << 20, '\n'));
    EXPECT_EQ(
        read_side_file(side_file_).error().detail,
        side_file_.string() + " is too long; allowed: one number from 42 to 45, and a line end");
}

TEST_F(ProtocolTest, WhatIsNoFileIsRefusedWithoutWaitingForIt) {
    fs::create_directory(side_file_);
    EXPECT_EQ(read_side_file(side_file_).error().code, ErrorCode::kConfigInvalid);
    fs::remove(side_file_);
    ASSERT_EQ(::mkfifo(side_file_.c_str(), 0600), 0);
    EXPECT_EQ(read_side_file(side_file_).error().code, ErrorCode::kConfigInvalid);
}

TEST_F(ProtocolTest, WhatCannotBeReadIsTold) {
    fs::create_symlink(side_file_, side_file_);
    const auto number = read_side_file(side_file_);
    ASSERT_FALSE(number);
    EXPECT_EQ(number.error().code, ErrorCode::kIo);
}

}  // namespace
}  // namespace blobvm::vm::plugin
