// A node that can be asked for its protocol. Beside the program lies the file "protocol" with its
// number, and perhaps one named "silent".
//
//   avalanchego --version-json   tells the number, or nothing if it is silent, and does not end
//   avalanchego PLUGIN           starts the plugin; 0 if that has stated the number

#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string_view>

#include "cmd/blob-devnet/plugin_process.hpp"

int main(int argc, char** argv) {
    namespace fs = std::filesystem;
    if (argc != 2) return 2;
    const fs::path folder = fs::read_symlink("/proc/self/exe").parent_path();
    std::uint32_t protocol = 0;
    std::ifstream{folder / "protocol"} >> protocol;

    if (std::string_view{argv[1]} == "--version-json") {
        if (!fs::exists(folder / "silent")) {
            std::printf("{\n  \"application\": \"avalanchego/0\",\n  \"rpcchainvm\": %u\n}\n",
                        protocol);
            std::fflush(stdout);
        }
        for (;;) ::pause();
    }
    const auto plugin =
        blobvm::devnet::PluginProcess::start({.path = argv[1], .protocol_version = protocol});
    if (!plugin) std::fprintf(stderr, "%s\n", plugin.error().message().c_str());
    return plugin ? 0 : 1;
}
