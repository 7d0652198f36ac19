#include <algorithm>
#include <cstdio>
#include <exception>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "cmd/blob-cli/commands.hpp"
#include "cmd/blob-cli/completion.hpp"

namespace {

using namespace blobvm::cli;  // NOLINT: the program's own names

struct Verb {
    const char* name;
    const char* arguments;
    const char* does;
    const char* examples;
    Outcome (*run)(const Invocation&, Console&);
};

constexpr Verb kTable[] = {
    {"create", "", "Make a new key and save it to the key file", R"(Examples:
  blob-cli create
  blob-cli create --private-key-file alice.pk)",
     create},
    {"genesis", "MAGIC [ALLOCATIONS_FILE]",
     "Write the genesis of a new chain; the file is a JSON array of {\"address\",\"balance\"}",
     R"(Presets: fast (1.6 MiB blocks, 16 MB/s, no block cost; for a build interval of 100 ms)
         classic (the original's: 246 units a block, one block a second)
Examples:
  echo '[{"address":"0xF9370fa73846393798C2d23aa2a4aBA7489d9810","balance":1000000}]' > a.json
  blob-cli genesis 1337 a.json
  blob-cli genesis 1337 a.json --preset classic --genesis-file classic.json)",
     genesis},
    {"set", "VALUE", "Store a value under its keccak256", R"(Examples:
  blob-cli set "hello world"
  blob-cli set --json -- "-starts with a dash")",
     set},
    {"resolve", "KEY", "Show the value under a key; exits 3 if there is none", R"(Examples:
  blob-cli resolve 0x47173285a8d7341e5e972fc677286384f802f8ef42a5ec5f03bbfa254cb01fad
  blob-cli resolve --json 47173285a8d7341e5e972fc677286384f802f8ef42a5ec5f03bbfa254cb01fad)",
     resolve},
    {"set-file", "PATH", "Store a file and print its root; what is there already costs nothing",
     R"(Examples:
  blob-cli set-file photo.jpg
  tar c folder | blob-cli set-file -
  blob-cli set-file big.iso --json | jq -r .root)",
     set_file},
    {"resolve-file", "ROOT PATH", "Fetch the file under a root into a new file", R"(Examples:
  blob-cli resolve-file 0x47173285a8d7341e5e972fc677286384f802f8ef42a5ec5f03bbfa254cb01fad photo.jpg)",
     resolve_file},
    {"transfer", "TO UNITS", "Send units to an address", R"(Examples:
  blob-cli transfer 0x8Db3219F3f59b504BCF132EfB4B87Bf08c771d83 1000)",
     transfer},
    {"activity", "", "Show the latest transactions, newest first", R"(Examples:
  blob-cli activity
  blob-cli activity --json | jq .activity[0])",
     activity},
    {"network", "", "Show which network and chain the node serves", R"(Examples:
  blob-cli network --endpoint http://127.0.0.1:9652/ext/bc/blobvm)",
     network},
    {"balance", "[ADDRESS]", "Show the balance of an address, or of the own key", R"(Examples:
  blob-cli balance
  blob-cli balance 0x8Db3219F3f59b504BCF132EfB4B87Bf08c771d83)",
     balance},
    {"completion", "SHELL", "Print a completion script for bash, zsh or fish", R"(Examples:
  source <(blob-cli completion bash)
  blob-cli completion fish > ~/.config/fish/completions/blob-cli.fish)",
     completion},
};

/// The verb that `word` begins, as long as only one does; a whole name always counts.
std::vector<std::string_view> candidates(std::string_view word) {
    std::vector<std::string_view> found;
    for (const std::string_view verb : kVerbs) {
        if (verb == word) return {verb};
        if (!word.empty() && verb.starts_with(word)) found.push_back(verb);
    }
    return found;
}

/// Replaces an abbreviated verb: the first argument that is neither flag nor a flag's value.
Outcome expand_verb(std::vector<std::string>& words) {
    for (std::size_t i = 0; i < words.size(); ++i) {
        std::string& word = words[i];
        if (word == "--private-key-file" || word == "--endpoint") ++i;
        if (word.starts_with('-')) continue;
        const auto found = candidates(word);
        if (found.empty()) {
            return Trouble{kUsage, fmt::format("unknown verb \"{}\"", word),
                           fmt::format("Verbs: {}", fmt::join(kVerbs, ", "))};
        }
        if (found.size() > 1) {
            return Trouble{kUsage, fmt::format("\"{}\" may mean {}", word, fmt::join(found, ", ")),
                           ""};
        }
        word = found.front();
        return {};
    }
    return {};
}

/// Help that names the arguments as people think of them.
class VerbHelp final : public CLI::Formatter {
  public:
    explicit VerbHelp(const Verb& verb) : verb_{verb} {}

    std::string make_usage(const CLI::App*, std::string) const override {
        return fmt::format("Usage: blob-cli {} [OPTIONS] {}\n", verb_.name, verb_.arguments);
    }
    std::string make_positionals(const CLI::App*) const override { return {}; }

  private:
    const Verb& verb_;
};

constexpr std::string_view kCommonHelp =
    "\nEvery verb takes --private-key-file FILE, --endpoint URL, --json and --verbose.";

void add_common(CLI::App& app, Common& common) {
    app.add_option("--private-key-file", common.key_file, "File of the key that signs")
        ->take_last()
        ->option_text("FILE [.blob-cli-pk]");
    app.add_option("--endpoint", common.endpoint, "The node's chain")
        ->take_last()
        ->option_text("URL [http://127.0.0.1:9650/ext/bc/blobvm]");
    app.add_flag("--json", common.json, "Print one JSON object");
    app.add_flag("--verbose", common.verbose, "Tell more");
}

void add_own_flags(CLI::App& verb, std::string_view name, Invocation& run) {
    if (name == "genesis") {
        verb.add_option("--preset", run.genesis.preset, "fast or classic")
            ->check(CLI::IsMember({"fast", "classic"}))
            ->option_text("PRESET [fast]");
        verb.add_option("--genesis-file", run.genesis.file, "Where to write it")
            ->option_text("FILE [genesis.json]");
        verb.add_option("--min-price", run.genesis.min_price, "Least price of a fee unit; -1: 1")
            ->option_text("N [-1]");
        verb.add_option("--airdrop-hash", run.genesis.airdrop_hash,
                        "keccak256 of the airdrop file, 0x and lower case")
            ->option_text("HASH");
        verb.add_option("--airdrop-units", run.genesis.airdrop_units,
                        "What each address of the airdrop gets")
            ->option_text("N");
    }
    if (name == "set-file") {
        verb.add_option("--in-flight", run.file.in_flight, "Transactions under way at once")
            ->check(CLI::Range(1, 1024))
            ->option_text("N [32]");
    }
    if (name == "resolve-file") {
        verb.add_option("--workers", run.file.workers, "Chunks fetched at once")
            ->check(CLI::Range(1, 64))
            ->option_text("N [6]");
        verb.add_option("--max-bytes", run.file.max_bytes, "Refuse a longer file")
            ->option_text("N [17179869184]");
    }
}

int report(Console& console, const Trouble& trouble) {
    console.error(trouble.what, trouble.advice, trouble.exit_code);
    return trouble.exit_code;
}

int run(int argc, char** argv) {
    CLI::App app{"blob-cli: keep values and files on a blob chain", "blob-cli"};
    Invocation invocation;
    app.set_version_flag("--version", "blob-cli " BLOBVM_VERSION);
    app.require_subcommand(1);
    app.fallthrough();
    add_common(app, invocation.common);
    app.footer(
        "Verbs may be abbreviated. Exit codes: 0 done, 1 failed, 2 usage, 3 not found, 130 "
        "interrupted.\nFirst steps: blob-cli create; blob-cli balance; blob-cli set-file FILE");

    std::vector<std::pair<CLI::App*, const Verb*>> verbs;
    for (const Verb& verb : kTable) {
        CLI::App* sub = app.add_subcommand(verb.name, verb.does);
        sub->fallthrough();
        sub->footer(fmt::format("{}{}", verb.examples, kCommonHelp));
        sub->formatter(std::make_shared<VerbHelp>(verb));
        sub->add_option("arguments", invocation.arguments);
        add_own_flags(*sub, verb.name, invocation);
        verbs.emplace_back(sub, &verb);
    }

    std::vector<std::string> words(argv + 1, argv + argc);
    const bool json = std::find(words.begin(), words.end(), "--json") != words.end();
    if (const Outcome trouble = expand_verb(words)) {
        Console console{json};
        return report(console, *trouble);
    }
    try {
        std::reverse(words.begin(), words.end());  // as CLI11 wants them
        app.parse(words);
    } catch (const CLI::ParseError& error) {
        if (error.get_exit_code() == 0) return app.exit(error);  // --help, --version
        Console console{json};
        return report(console, {kUsage, error.what(), "See blob-cli --help."});
    }

    Console console{invocation.common.json};
    if (const Outcome trouble = check(invocation.common)) return report(console, *trouble);
    catch_signals();
    for (const auto& [sub, verb] : verbs) {
        if (!sub->parsed()) continue;
        if (const Outcome trouble = verb->run(invocation, console))
            return report(console, *trouble);
    }
    if (!console.flush()) return report(console, {kFailed, "the output could not be written", ""});
    return kDone;
}

}  // namespace

int main(int argc, char** argv) {
    try {
        return run(argc, argv);
    } catch (const std::exception& error) {  // out of memory
        std::fprintf(stderr, "Error: %s\n", error.what());
        return kFailed;
    }
}
