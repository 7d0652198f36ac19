// The other process of store_crash_test.cpp.
//
//   store_child commit FOLDER SEED synced|buffered   commits for ever, a line with each height
//   store_child hold FOLDER                          opens, says "ok" or the error, waits for stdin
//   store_child hold-as-nobody FOLDER                the same without root's rights

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "tests/vm/store_support.hpp"
#include "vm/store/rocks_store.hpp"

using namespace blobvm;

namespace {

void say(std::string_view line) {
    fmt::print("{}\n", line);
    std::fflush(stdout);
}

int commit_for_ever(vm::ChainStore& store, std::uint64_t seed, vm::Durability durability) {
    const test::ChainMaker maker{seed};
    for (std::uint64_t height = store.tip().height + 1;; ++height) {
        if (const auto done = maker.extend(store, height, durability); !done) {
            say(done.error().message());
            return 1;
        }
        say(fmt::format("{}", height));
    }
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 3) return 2;
    const std::string_view verb = argv[1];
    if (verb == "hold-as-nobody" && ::setuid(65'534) != 0) return 2;
    auto store = vm::store::open_rocks_store({.directory = argv[2], .chain_id = test::chain_id(1)});
    if (!store) {
        say(name(store.error().code));
        return 1;
    }
    if (verb == "commit") {
        if (argc != 5) return 2;
        return commit_for_ever(**store, std::strtoull(argv[3], nullptr, 10),
                               std::string_view{argv[4]} == "synced" ? vm::Durability::kSynced
                                                                     : vm::Durability::kBuffered);
    }
    say("ok");
    std::getchar();
    return 0;
}
