// A node for item 10: starts the plugin on FOLDER, says the plugin's pid, and waits to be killed.

#include <unistd.h>

#include <cstdio>

#include "tests/plugin/plugin_host.hpp"

int main(int argc, char** argv) {
    if (argc != 2) return 2;
    blobvm::test::PluginHost host{{.folder = argv[1]}};
    host.run();
    std::printf("%d\n", host.process().pid());
    std::fflush(stdout);
    for (;;) ::pause();
}
