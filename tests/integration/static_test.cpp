// What the programs that we hand out need of the system: a kernel, and no file.

#include <elf.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "tests/support/process.hpp"

namespace blobvm::testing {
namespace {

namespace fs = std::filesystem;

const std::string kBin = BLOBVM_BIN_DIR;

/// The kinds of the program headers of an ELF file.
std::vector<Elf64_Word> headers_of(const std::string& program) {
    std::ifstream file{program, std::ios::binary};
    Elf64_Ehdr start{};
    file.read(reinterpret_cast<char*>(&start), sizeof start);
    EXPECT_TRUE(file) << program;
    EXPECT_EQ(std::memcmp(start.e_ident, ELFMAG, SELFMAG), 0) << program;
    EXPECT_EQ(start.e_phentsize, sizeof(Elf64_Phdr)) << program;
    file.seekg(static_cast<std::streamoff>(start.e_phoff));
    std::vector<Elf64_Word> kinds;
    for (int i = 0; i < start.e_phnum; ++i) {
        Elf64_Phdr header{};
        file.read(reinterpret_cast<char*>(&header), sizeof header);
        EXPECT_TRUE(file) << program;
        kinds.push_back(header.p_type);
    }
    return kinds;
}

bool has(const std::vector<Elf64_Word>& kinds, Elf64_Word kind) {
    return std::find(kinds.begin(), kinds.end(), kind) != kinds.end();
}

TEST(StaticTest, ProgramsNameNeitherALoaderNorALibrary) {
    for (const char* name : {"blobvm", "blob-cli", "blob-devnet"}) {
        const std::vector<Elf64_Word> kinds = headers_of(kBin + "/" + name);
        EXPECT_TRUE(has(kinds, PT_LOAD)) << name;
        EXPECT_FALSE(has(kinds, PT_INTERP)) << name;
        EXPECT_FALSE(has(kinds, PT_DYNAMIC)) << name << " has a list of libraries";
    }
    EXPECT_TRUE(has(headers_of("/usr/bin/tar"), PT_INTERP)) << "what another program looks like";
}

TEST(StaticTest, PluginRunsWhereThereIsNoOtherFile) {
    const TemporaryFolder root;
    fs::copy_file(kBin + "/blobvm", root.file("blobvm"));
    const Finished done = run({"/usr/sbin/chroot", root.path(), "/blobvm", "version-json"});
    if (done.code == 125) GTEST_SKIP() << "no right to change the root here: " << done.err;
    EXPECT_EQ(done.code, 0) << done.err;
    EXPECT_EQ(done.out, run({kBin + "/blobvm", "version-json"}).out);
}

}  // namespace
}  // namespace blobvm::testing
