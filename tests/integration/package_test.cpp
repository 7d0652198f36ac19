// What scripts/package.sh hands out, as the one who gets it finds it.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "tests/support/process.hpp"

namespace blobvm::testing {
namespace {

namespace fs = std::filesystem;

using ::testing::HasSubstr;
using ::testing::IsSupersetOf;

const std::string kBin = BLOBVM_BIN_DIR;
const std::string kPackages = kBin + "/../packages";
const std::string kVmId = "kM6h4LYe3AcEU1MB2UNg6ubzAiDAALZzpVrbX8zn3hXF6Avd8";

std::string output_of(std::vector<std::string> command) {
    const std::string what = command.at(0);
    const Finished done = run(std::move(command));
    EXPECT_EQ(done.code, 0) << what << ": " << done.err;
    return done.out;
}

/// All files under `folder`, by their paths in it.
std::set<std::string> files_in(const fs::path& folder) {
    std::set<std::string> files;
    for (const fs::directory_entry& entry : fs::recursive_directory_iterator{folder}) {
        if (entry.symlink_status().type() == fs::file_type::directory) continue;
        files.insert(entry.path().lexically_relative(folder).string());
    }
    return files;
}

/// The packages of the programs beside this test: ctest makes them first (packages_are_made).
class PackageTest : public ::testing::Test {
  protected:
    void SetUp() override {
        ASSERT_TRUE(fs::exists(kPackages + "/SHA256SUMS"))
            << "scripts/package.sh --from " << kBin << " " << kPackages;
    }

    /// The one file whose name ends so.
    static std::string file(const std::string& end) {
        for (const std::string& name : files_in(kPackages)) {
            if (name.ends_with(end)) return kPackages + "/" + name;
        }
        ADD_FAILURE() << "no file of " << end;
        return {};
    }
};

const std::vector<std::string> kDocuments{"README.md",
                                          "VALIDATOR.md",
                                          "compatibility.json",
                                          "examples/README.md",
                                          "examples/allocations.json",
                                          "examples/chain-config.json",
                                          "examples/genesis.json",
                                          "examples/node.json",
                                          "examples/upgrade.json",
                                          "licenses/librocksdb-dev"};

TEST_F(PackageTest, NamesTellVersionAndMachineAndNothingElseIsLeft) {
    const std::string version = output_of({kBin + "/blobvm", "--version"}).substr(8);  // "blobvm v"
    const std::string number = version.substr(0, version.size() - 1);
    std::string machine = output_of({"/usr/bin/dpkg", "--print-architecture"});
    machine.pop_back();
    EXPECT_EQ(
        files_in(kPackages),
        (std::set<std::string>{"SHA256SUMS", "blobvm-v" + number + "-linux-" + machine + ".tar.gz",
                               "blobvm_" + number + "_" + machine + ".deb"}));
}

TEST_F(PackageTest, SumsAreThoseOfTheFiles) {
    const auto check =
        Process::start({.command = {"/usr/bin/sha256sum", "--check", "--strict", "SHA256SUMS"},
                        .working_dir = kPackages});
    ASSERT_NE(check, nullptr);
    EXPECT_EQ(check->wait(), 0) << check->err();
    const std::string out = check->out();
    EXPECT_EQ(std::count(out.begin(), out.end(), '\n'), 2) << out;
}

TEST_F(PackageTest, ArchiveHasAllThatTheGuideUses) {
    const TemporaryFolder unpacked;
    output_of({"/usr/bin/tar", "-C", unpacked.path(), "-xzf", file(".tar.gz")});
    const std::string name = fs::path{file(".tar.gz")}.stem().stem().string();
    const fs::path top = unpacked.file(name);
    EXPECT_THAT(files_in(top), IsSupersetOf(kDocuments));
    EXPECT_THAT(files_in(top), IsSupersetOf({"LICENSE", "bin/blob-cli", "bin/blob-devnet"}));

    // As the page says, word for word.
    const std::string plugins = unpacked.file("plugins");
    fs::create_directory(plugins);
    output_of({top / "bin/blobvm", "install", plugins});
    EXPECT_EQ(output_of({plugins + "/" + kVmId, "--version"}),
              output_of({kBin + "/blobvm", "--version"}));
    EXPECT_EQ(output_of({top / "bin/blob-cli", "--version"}),
              output_of({kBin + "/blob-cli", "--version"}));
}

TEST_F(PackageTest, DebianPackagePutsThePluginWhereTheNodesPackagesPutTheirs) {
    const TemporaryFolder root;
    output_of({"/usr/bin/dpkg-deb", "--extract", file(".deb"), root.path()});
    const std::string plugins = "/usr/local/lib/avalanchego/plugins";
    EXPECT_EQ(files_in(root.path() + plugins), std::set<std::string>{kVmId});
    EXPECT_EQ(fs::read_symlink(root.file("usr/bin/blobvm")), plugins + "/" + kVmId);
    EXPECT_EQ(output_of({root.path() + plugins + "/" + kVmId, "--version"}),
              output_of({kBin + "/blobvm", "--version"}));
    EXPECT_THAT(files_in(root.file("usr/bin")), IsSupersetOf({"blob-cli", "blob-devnet"}));
    EXPECT_THAT(files_in(root.file("usr/share/doc/blobvm")), IsSupersetOf(kDocuments));
    EXPECT_TRUE(fs::exists(root.file("usr/share/doc/blobvm/copyright")));
}

TEST_F(PackageTest, DebianPackageNeedsNothingAndBelongsToRoot) {
    const std::string control = output_of({"/usr/bin/dpkg-deb", "--field", file(".deb")});
    EXPECT_THAT(control, HasSubstr("Package: blobvm\n"));
    EXPECT_THAT(control, ::testing::Not(HasSubstr("Depends:")));
    std::istringstream list{output_of({"/usr/bin/dpkg-deb", "--contents", file(".deb")})};
    int lines = 0;
    for (std::string line; std::getline(list, line); ++lines) {
        EXPECT_THAT(line, HasSubstr(" root/root "));
        EXPECT_THAT(line.substr(0, 10),
                    ::testing::AnyOf("drwxr-xr-x", "-rwxr-xr-x", "-rw-r--r--", "lrwxrwxrwx"));
    }
    EXPECT_GT(lines, 20);
}

TEST(PackageScriptTest, ProgramsThatNeedLibrariesAreNotPacked) {
    const TemporaryFolder folder;
    for (const char* name : {"blobvm", "blob-cli", "blob-devnet"}) {
        fs::copy_file("/usr/bin/tar", folder.file(name));
    }
    const Finished refused = run({std::string{BLOBVM_SOURCE_DIR} + "/scripts/package.sh", "--from",
                                  folder.path(), folder.file("out")});
    EXPECT_EQ(refused.code, 1);
    EXPECT_THAT(refused.err, HasSubstr("blobvm is not static"));
    EXPECT_FALSE(fs::exists(folder.file("out")));
}

}  // namespace
}  // namespace blobvm::testing
