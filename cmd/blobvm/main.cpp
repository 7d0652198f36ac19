#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "vm/plugin/identity.hpp"
#include "vm/plugin/inspect.hpp"
#include "vm/plugin/install.hpp"
#include "vm/plugin/plugin.hpp"

namespace {

namespace plugin = blobvm::vm::plugin;

constexpr int kDone = 0;
constexpr int kFailed = 1;
constexpr int kUsage = 2;

constexpr const char* kHelp =
    R"(blobvm, an Avalanche VM that stores blobs.

An Avalanche node starts this program by itself from its plugin folder. By hand:

  blobvm install PLUGIN_DIR [--json]   copy this file to where the node finds it
  blobvm inspect CHAIN_DATA [--json]   read all of a stopped node's chain data, check each blob,
                                       print height, block and a digest to compare nodes by
  blobvm vm-id                         print the VM id, which is the file's name there
  blobvm --version                     print the version
  blobvm version-json                  print name, VM id, version and protocol as JSON
  blobvm --help                        print this

Examples:

  blobvm install ~/.avalanchego/plugins
  blobvm inspect ~/.avalanchego/chainData/CHAIN_ID

Exit codes: 0 done, 1 failed (or damage found), 2 wrong usage.
)";

int print(const std::string& text) {
    const bool written = std::fputs(text.c_str(), stdout) >= 0 && std::fflush(stdout) == 0;
    return written ? kDone : kFailed;
}

int wrong_usage(const std::string& reason) {
    std::fprintf(stderr, "blobvm: %s\nTry \"blobvm --help\".\n", reason.c_str());
    return kUsage;
}

int failed(const std::string& reason) {
    std::fprintf(stderr, "blobvm: %s\n", reason.c_str());
    return kFailed;
}

int install(std::string_view folder, bool as_json) {
    const auto installed = plugin::install("/proc/self/exe", folder);
    if (!installed) return failed(installed.error().detail);
    return print(plugin::describe(*installed, as_json));
}

int inspect(std::string_view chain_data, bool as_json) {
    const auto found = plugin::inspect(chain_data);
    if (!found) return failed(found.error().message());
    const int printed = print(plugin::describe(*found, as_json));
    return found->damaged.empty() ? printed : kFailed;
}

/// A verb that works on one folder.
int with_folder(std::string_view verb, int (*work)(std::string_view folder, bool as_json),
                std::vector<std::string_view> arguments) {
    const bool as_json = std::erase(arguments, "--json") > 0;
    if (arguments.size() != 1 || arguments[0].starts_with("-")) {
        return wrong_usage(std::string{verb} + " needs one folder: " + std::string{verb} +
                           " FOLDER [--json]");
    }
    return work(arguments[0], as_json);
}

int serve() {
    const char* address = std::getenv(plugin::kRuntimeAddressVariable);
    if (address != nullptr) return plugin::run(address);
    std::fprintf(stderr,
                 "blobvm: %s is not set.\n"
                 "This program is a plugin: an Avalanche node starts it and sets that variable.\n"
                 "To put it where a node finds it: blobvm install PLUGIN_DIR\n"
                 "Try \"blobvm --help\".\n",
                 plugin::kRuntimeAddressVariable);
    return kUsage;
}

}  // namespace

int main(int argc, char** argv) {
    const std::vector<std::string_view> arguments(argv + 1, argv + std::max(argc, 1));
    if (arguments.empty()) return serve();

    const std::string_view verb = arguments[0];
    const std::vector<std::string_view> rest(arguments.begin() + 1, arguments.end());
    if (verb == "install") return with_folder(verb, install, rest);
    if (verb == "inspect") return with_folder(verb, inspect, rest);
    if (arguments.size() > 1) {
        return wrong_usage("unexpected argument \"" + std::string{arguments[1]} + "\"");
    }
    if (verb == "--help" || verb == "-h" || verb == "help") return print(kHelp);
    if (verb == "--version") return print("blobvm " + plugin::version() + "\n");
    if (verb == "version-json" || verb == "--version-json") {
        return print(plugin::version_json() + "\n");
    }
    if (verb == "vm-id") return print(plugin::vm_id() + "\n");
    return wrong_usage("unknown argument \"" + std::string{verb} + "\"");
}
