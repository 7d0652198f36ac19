#include "cmd/blob-cli/commands.hpp"

#include <sys/stat.h>

#include <charconv>
#include <chrono>
#include <csignal>
#include <utility>

#include <fmt/format.h>

#include "chain/base/base64.hpp"
#include "chain/base/cb58.hpp"
#include "chain/base/hashing.hpp"
#include "chain/base/hex.hpp"
#include "chain/presets.hpp"
#include "client/client.hpp"
#include "client/sign_and_issue.hpp"
#include "cmd/blob-cli/completion.hpp"
#include "cmd/blob-cli/genesis_file.hpp"
#include "cmd/blob-cli/key_file.hpp"
#include "proto/jsonrpc/genesis.hpp"
#include "tree/tree.hpp"

namespace blobvm::cli {

namespace {

using client::Client;
using client::Progress;
using client::Receipt;
using Clock = std::chrono::steady_clock;

volatile std::sig_atomic_t interrupted = 0;

bool is_interrupted() { return interrupted != 0; }

std::string advice_for(const Error& error, const Common& common) {
    const ErrorCode why = client::refusal(error).value_or(error.code);
    switch (why) {
        case ErrorCode::kConnection:
            return "Is a node running there? `blob-devnet` starts a local chain; --endpoint names "
                   "another node.";
        case ErrorCode::kHttpStatus:
            return error.detail == "404"
                       ? "The node has no such chain: --endpoint is "
                         "http://HOST:PORT/ext/bc/CHAIN, with the chain's ID or alias."
                       : "The node's log says why.";
        case ErrorCode::kInvalidPrivateKey:
            return "`blob-cli create` makes a key; --private-key-file names another one.";
        case ErrorCode::kInvalidBalance:
        case ErrorCode::kPendingBalance:
            return "`blob-cli balance` tells what is there. Money comes by `blob-cli transfer` "
                   "from "
                   "another key, or with `blob-devnet --fund ADDRESS=AMOUNT` on a local chain.";
        case ErrorCode::kKeyExists:
            return "The chain has this value already: there is nothing to do.";
        case ErrorCode::kTimeout:
            return "What was accepted stays; the same command again goes on from there.";
        case ErrorCode::kCancelled:
            return "What was accepted stays; the same command again goes on from there.";
        case ErrorCode::kTreeInvalid:
        case ErrorCode::kFileEmpty:
            return "Is this the root that set-file printed? `blob-cli resolve` shows a plain "
                   "value.";
        default:
            return common.verbose ? fmt::format("({})", name(error.code)) : "";
    }
}

std::string what_of(const Error& error) {
    if (error.code == ErrorCode::kIo) return error.detail;
    if (error.code == ErrorCode::kChunkMissing) {
        return fmt::format("{}:{}", text(error.code), error.detail);  // as the original
    }
    return error.message();
}

Outcome trouble(const Error& error, const Common& common) {
    Trouble result{
        .exit_code = kFailed, .what = what_of(error), .advice = advice_for(error, common)};
    if (error.code == ErrorCode::kNotFound) result.exit_code = kNotFound;
    if (error.code == ErrorCode::kCancelled) result.exit_code = kInterrupted;
    return result;
}

Outcome usage(std::string what) {
    return Trouble{.exit_code = kUsage, .what = std::move(what), .advice = "See --help."};
}

Outcome wants(const Invocation& run, std::size_t count) {
    if (run.arguments.size() == count) return {};
    return usage(
        fmt::format("expected exactly {} argument(s), got {}", count, run.arguments.size()));
}

std::optional<std::uint64_t> parse_u64(const std::string& text) {
    std::uint64_t number = 0;
    const char* end = text.data() + text.size();
    const auto [stopped, error] = std::from_chars(text.data(), end, number);
    if (error != std::errc{} || stopped != end || text.empty()) return std::nullopt;
    return number;
}

Result<std::unique_ptr<Client>> connect(const Common& common) {
    return client::open_http({.endpoint = common.endpoint});
}

Result<chain::PrivateKey> load_key(const Common& common, Console& console) {
    BLOBVM_TRY(auto key, read_key_file(common.key_file));
    if (is_exposed(common.key_file)) {
        console.warning(common.key_file + " can be read by others; `chmod 600` it.");
    }
    return key;
}

std::string cb58(const TxId& id) { return to_cb58(id.view()); }

std::string meta_json(const chain::BlobMeta& meta) {
    return JsonObject{}
        .add("size", meta.size_bytes)
        .add("txId", cb58(meta.tx))
        .add("created", meta.created_s)
        .text();
}

double seconds_since(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}

/// A client, a key, and one transaction that is signed, handed in and accepted.
class Single {
  public:
    Single(const Invocation& run, Console& console) : run_{run}, console_{console} {}

    template <class Issue>
    Result<Receipt> issue(const Issue& act) {
        BLOBVM_TRY(client_, connect(run_.common));
        BLOBVM_TRY(const chain::PrivateKey key, load_key(run_.common, console_));
        address_ = key.address();
        client::IssueOptions options;
        options.in_flight = 1;
        options.cancelled = is_interrupted;
        options.on_progress = [this](Progress progress, const Receipt& receipt) {
            note(progress, receipt);
        };
        BLOBVM_TRY(const auto issuer, client::Issuer::open(*client_, key, options));
        BLOBVM_TRY(act(*issuer));
        BLOBVM_TRY(issuer->finish());
        if (known_) return fail(ErrorCode::kKeyExists, to_hex_0x(receipt_.key.view()));
        if (run_.common.verbose) {
            BLOBVM_TRY(const Amount balance, client_->balance(address_));
            console_.line(
                fmt::format("Address={} Balance={}", to_checksummed(address_), balance.value));
        }
        return receipt_;
    }

  private:
    void note(Progress progress, const Receipt& receipt) {
        receipt_ = receipt;
        const std::string id = cb58(receipt.id);
        switch (progress) {
            case Progress::kSigned:
                return console_.line(
                    fmt::format("issuing tx {} (fee units={}, load units={}, price={}, blkID={})",
                                id, receipt.units.value, receipt.units.value, receipt.price.value,
                                to_cb58(receipt.block_id.view())));
            case Progress::kIssued:
            case Progress::kReissued:
                return console_.line(fmt::format("issued transaction {} (now polling)", id));
            case Progress::kAccepted:
                console_.line(fmt::format("confirmed transaction {}", id));
                return console_.line(fmt::format("transaction {} confirmed", id));
            case Progress::kKnownBlob:
                known_ = true;
                return;
        }
    }

    const Invocation& run_;
    Console& console_;
    std::unique_ptr<Client> client_;
    Address address_;
    Receipt receipt_;
    bool known_ = false;
};

JsonObject receipt_json(const Receipt& receipt) {
    return JsonObject{}
        .add("txId", cb58(receipt.id))
        .add("price", receipt.price.value)
        .add("feeUnits", receipt.units.value)
        .add("cost", receipt.cost.value);
}

/// The lines of the original for what happened to one blob of a file.
void print_step(const tree::UploadStep& step, Console& console) {
    using Kind = tree::UploadStep::Kind;
    const std::string key = to_hex_0x(step.receipt.key.view());
    const std::string_view label = step.role == tree::Role::kRoot   ? "root"
                                   : step.role == tree::Role::kNode ? "node"
                                                                    : "k";
    switch (step.kind) {
        case Kind::kAccepted:
            return console.line(fmt::format("uploaded {}={} txID={} cost={} totalCost={}", label,
                                            key, cb58(step.receipt.id), step.receipt.cost.value,
                                            step.total_cost.value));
        case Kind::kRepeated:
            return console.line(fmt::format("already uploaded {}={}, skipping", label, key));
        case Kind::kKnownBlob:
            return console.line(fmt::format("already on-chain {}={}, skipping", label, key));
        case Kind::kSigned:
        case Kind::kIssued:
        case Kind::kReissued:
            return;
    }
}

std::optional<std::uint64_t> size_of(const std::string& path) {
    struct stat about {};
    if (path == "-" || ::stat(path.c_str(), &about) != 0 || !S_ISREG(about.st_mode)) return {};
    return static_cast<std::uint64_t>(about.st_size);
}

std::string speed(std::uint64_t bytes, double seconds) {
    return fmt::format("{} bytes in {:.2f} s, {:.2f} MB/s", bytes, seconds,
                       static_cast<double>(bytes) / 1e6 / std::max(seconds, 1e-9));
}

}  // namespace

void catch_signals() {
    struct sigaction action {};
    action.sa_handler = [](int) { interrupted = 1; };
    action.sa_flags = static_cast<int>(SA_RESETHAND);  // the second one ends the program
    sigaction(SIGINT, &action, nullptr);
    sigaction(SIGTERM, &action, nullptr);
    std::signal(SIGPIPE, SIG_IGN);  // told by flush instead, so that a download is not cut
}

Outcome check(const Common& common) {
    const auto client = connect(common);
    if (!client) return usage(client.error().detail);
    return {};
}

Outcome create(const Invocation& run, Console& console) {
    if (auto bad = wants(run, 0)) return bad;
    const std::string& path = run.common.key_file;
    const auto key = create_key_file(path);
    if (!key) {
        if (const auto old = read_key_file(path)) {
            console.line(fmt::format("ABORTING!!! key for {} already exists at {}",
                                     to_checksummed(old->address()), path));
        }
        Outcome failed = trouble(key.error(), run.common);
        failed->advice = "A key is never overwritten: --private-key-file names another file.";
        return failed;
    }
    const std::string address = to_checksummed(key->address());
    console.line(fmt::format("created address {} and saved to {}", address, path));
    console.object(JsonObject{}.add("address", address).add("file", path));
    return {};
}

Outcome genesis(const Invocation& run, Console& console) {
    const auto& arguments = run.arguments;
    if (arguments.empty() || arguments.size() > 2) return usage("invalid args");
    const auto magic = parse_u64(arguments[0]);
    if (!magic) return usage(fmt::format("magic \"{}\" is not a number below 2^64", arguments[0]));

    const GenesisFlags& flags = run.genesis;
    chain::Genesis rules =
        flags.preset == "classic" ? chain::classic_genesis(*magic) : chain::fast_genesis(*magic);
    if (flags.min_price < -1) return usage("--min-price must not be negative");
    if (flags.min_price >= 0) rules.min_price = Price{static_cast<std::uint64_t>(flags.min_price)};
    if (!flags.airdrop_hash.empty() && flags.airdrop_units == 0) {
        return usage("non-zero airdrop units required");
    }
    rules.airdrop_hash = flags.airdrop_hash;
    rules.airdrop_units = Amount{flags.airdrop_units};
    if (arguments.size() == 2) {
        const auto text = read_whole_file(arguments[1]);
        if (!text) return trouble(text.error(), run.common);
        auto allocations = parse_allocations(*text);
        if (!allocations) {
            Outcome failed = trouble(allocations.error(), run.common);
            failed->advice =
                arguments[1] + " must be like [{\"address\":\"0x...\",\"balance\":1000000}]";
            return failed;
        }
        rules.custom_allocation = std::move(*allocations);
    }
    if (const auto valid = chain::validate(rules); !valid) {
        return trouble(valid.error(), run.common);
    }
    const std::string json = jsonrpc::write_genesis(rules);
    if (const auto written = write_whole_file(flags.file, json); !written) {
        return trouble(written.error(), run.common);
    }
    console.line(fmt::format("created genesis and saved to {}", flags.file));
    console.object(JsonObject{}.add("file", flags.file).add_raw("genesis", json));
    return {};
}

Outcome set(const Invocation& run, Console& console) {
    if (auto bad = wants(run, 1)) return bad;
    const std::string& value = run.arguments[0];
    const BlobKey key = retag<BlobKey>(keccak256(as_bytes(value)));
    Single single{run, console};
    const auto receipt = single.issue([&](client::Issuer& issuer) -> Result<void> {
        if (value.empty()) return fail(ErrorCode::kValueEmpty);
        if (value.size() > issuer.genesis().max_value_size) {
            return fail(ErrorCode::kValueTooBig,
                        fmt::format("{} bytes, this chain takes {}; set-file takes any size",
                                    value.size(), issuer.genesis().max_value_size));
        }
        return issuer.set(to_bytes(as_bytes(value)), key);
    });
    if (!receipt) return trouble(receipt.error(), run.common);
    const std::string hash = to_hex_0x(key.view());
    console.line("set " + hash);
    console.object(receipt_json(*receipt).add("key", hash));
    return {};
}

Outcome transfer(const Invocation& run, Console& console) {
    if (auto bad = wants(run, 2)) return bad;
    const auto to = parse_address_strict(run.arguments[0]);
    if (!to) return usage(fmt::format("{}: {}", run.arguments[0], to.error().message()));
    const auto units = parse_u64(run.arguments[1]);
    if (!units) return usage(run.arguments[1] + " is not a number of units below 2^64");
    Single single{run, console};
    const auto receipt =
        single.issue([&](client::Issuer& issuer) { return issuer.transfer(*to, Amount{*units}); });
    if (!receipt) return trouble(receipt.error(), run.common);
    console.line(fmt::format("transferred {} to {}", *units, to_checksummed(*to)));
    console.object(receipt_json(*receipt).add("to", to_checksummed(*to)).add("units", *units));
    return {};
}

Outcome resolve(const Invocation& run, Console& console) {
    if (auto bad = wants(run, 1)) return bad;
    const auto key = parse_key_strict(run.arguments[0]);
    if (!key) return usage(fmt::format("{}: {}", run.arguments[0], key.error().message()));
    const auto client = connect(run.common);
    if (!client) return trouble(client.error(), run.common);
    const auto found = (*client)->resolve(*key);
    if (!found) return trouble(found.error(), run.common);
    const std::string hash = to_hex_0x(key->view());
    if (!*found) {
        return Trouble{
            .exit_code = kNotFound, .what = "not found: nobody has set " + hash, .advice = ""};
    }
    const client::Resolved& blob = **found;
    console.line(fmt::format("{}=>{}", hash, go_quote(as_chars(blob.value))));
    console.line("Metadata: " + meta_json(blob.meta));
    console.line("resolved " + run.arguments[0]);
    console.object(JsonObject{}
                       .add("key", hash)
                       .add("value", to_base64(blob.value))
                       .add_raw("valueMeta", meta_json(blob.meta)));
    return {};
}

Outcome set_file(const Invocation& run, Console& console) {
    if (auto bad = wants(run, 1)) return bad;
    const std::string& path = run.arguments[0];
    const auto client = connect(run.common);
    if (!client) return trouble(client.error(), run.common);
    const auto key = load_key(run.common, console);
    if (!key) return trouble(key.error(), run.common);
    const auto file = tree::open_file(path, is_interrupted);
    if (!file) return trouble(file.error(), run.common);
    const auto total = size_of(path);

    const auto start = Clock::now();
    tree::UploadOptions options;
    options.in_flight = run.file.in_flight;
    options.cancelled = is_interrupted;
    options.on_step = [&](const tree::UploadStep& step) {
        print_step(step, console);
        console.progress(step.stored_bytes, total);
    };
    const auto stored = tree::upload(**client, *key, **file, options);
    if (!stored) return trouble(stored.error(), run.common);
    const double seconds = seconds_since(start);

    const std::string root = to_hex_0x(stored->root.view());
    console.line(fmt::format("uploaded file {} from {}", root, path));
    console.note(fmt::format("{}; {} new blobs, {} known, cost {}",
                             speed(stored->size_bytes, seconds), stored->new_blobs,
                             stored->known_blobs, stored->cost.value));
    console.object(JsonObject{}
                       .add("root", root)
                       .add("size", stored->size_bytes)
                       .add("chunks", stored->chunks)
                       .add("newBlobs", stored->new_blobs)
                       .add("knownBlobs", stored->known_blobs)
                       .add("cost", stored->cost.value)
                       .add_seconds("seconds", seconds));
    return {};
}

Outcome resolve_file(const Invocation& run, Console& console) {
    if (auto bad = wants(run, 2)) return bad;
    const auto root = parse_key_strict(run.arguments[0]);
    if (!root) return usage(fmt::format("{}: {}", run.arguments[0], root.error().message()));
    const std::string& path = run.arguments[1];
    const auto client = connect(run.common);
    if (!client) return trouble(client.error(), run.common);

    const auto start = Clock::now();
    const std::string hash = to_hex_0x(root->view());
    tree::DownloadOptions options;
    options.workers = run.file.workers;
    options.max_bytes = run.file.max_bytes;
    options.cancelled = is_interrupted;
    options.on_step = [&](const tree::DownloadStep& step) {
        console.line(fmt::format("downloaded chunk={} size={:f}KB", to_hex_0x(step.key.view()),
                                 static_cast<double>(step.size_bytes) / 1024));
        console.progress(step.done_bytes, step.total_bytes);
    };
    const auto fetched = tree::download_to_file(**client, *root, path, options);
    if (!fetched) return trouble(fetched.error(), run.common);
    const double seconds = seconds_since(start);

    console.line(fmt::format("download complete root={} size={:f}MB", hash,
                             static_cast<double>(fetched->size_bytes) / (1024 * 1024)));
    console.line(fmt::format("resolved file {} and stored at {}", hash, path));
    console.note(speed(fetched->size_bytes, seconds));
    console.object(JsonObject{}
                       .add("root", hash)
                       .add("file", path)
                       .add("size", fetched->size_bytes)
                       .add("chunks", fetched->chunks)
                       .add_seconds("seconds", seconds));
    return {};
}

Outcome activity(const Invocation& run, Console& console) {
    if (auto bad = wants(run, 0)) return bad;
    const auto client = connect(run.common);
    if (!client) return trouble(client.error(), run.common);
    const auto entries = (*client)->recent_activity();
    if (!entries) return trouble(entries.error(), run.common);
    std::string list = "[";
    for (const client::ActivityEntry& entry : *entries) {
        console.line(entry.json);
        if (list.size() > 1) list += ',';
        list += entry.json;
    }
    if (entries->empty()) console.line("no recent activity");
    console.object(JsonObject{}.add_raw("activity", list + ']'));
    return {};
}

Outcome network(const Invocation& run, Console& console) {
    if (auto bad = wants(run, 0)) return bad;
    const auto client = connect(run.common);
    if (!client) return trouble(client.error(), run.common);
    const auto found = (*client)->network();
    if (!found) return trouble(found.error(), run.common);
    const std::string subnet = to_cb58(found->subnet_id.view());
    const std::string chain = to_cb58(found->chain_id.view());
    console.line(
        fmt::format("networkID={} subnetID={} chainID={}", found->network_id, subnet, chain));
    console.object(JsonObject{}
                       .add("networkId", std::uint64_t{found->network_id})
                       .add("subnetId", subnet)
                       .add("chainId", chain));
    return {};
}

Outcome balance(const Invocation& run, Console& console) {
    if (run.arguments.size() > 1) {
        return usage(fmt::format("expected at most 1 argument(s), got {}", run.arguments.size()));
    }
    Address address;
    if (run.arguments.empty()) {
        const auto key = load_key(run.common, console);
        if (!key) return trouble(key.error(), run.common);
        address = key->address();
    } else {
        const auto parsed = parse_address_strict(run.arguments[0]);
        if (!parsed) {
            return usage(fmt::format("{}: {}", run.arguments[0], parsed.error().message()));
        }
        address = *parsed;
    }
    const auto client = connect(run.common);
    if (!client) return trouble(client.error(), run.common);
    const auto amount = (*client)->balance(address);
    if (!amount) return trouble(amount.error(), run.common);
    const std::string text = to_checksummed(address);
    console.line(fmt::format("Address={} Balance={}", text, amount->value));
    console.object(JsonObject{}.add("address", text).add("balance", amount->value));
    return {};
}

Outcome completion(const Invocation& run, Console& console) {
    if (auto bad = wants(run, 1)) return bad;
    const auto script = completion_script(run.arguments[0]);
    if (!script) return usage(run.arguments[0] + " is not a shell I know: bash, zsh or fish");
    console.text(*script);
    console.object(JsonObject{}.add("shell", run.arguments[0]).add("script", *script));
    return {};
}

}  // namespace blobvm::cli
