#include "cmd/blob-devnet/data_dir.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <random>
#include <utility>

#include "chain/base/cb58.hpp"
#include "chain/base/hashing.hpp"
#include "chain/base/hex.hpp"
#include "chain/genesis.hpp"
#include "chain/presets.hpp"
#include "proto/jsonrpc/genesis.hpp"
#include "proto/jsonrpc/json.hpp"

namespace blobvm::devnet {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kDefaultConfig = "{\"buildInterval\":100000000}\n";
constexpr std::uintmax_t kMaxFileBytes = 1024 * 1024;  // of a genesis, as in CreateChainTx

Failure io_failure(std::string_view doing, const fs::path& path) {
    return fail(ErrorCode::kIo,
                fmt::format("cannot {} {}: {}", doing, path.string(), std::strerror(errno)));
}

Result<std::string> read_file(const fs::path& path) {
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0) return io_failure("read", path);
    std::string text;
    std::array<char, 16 * 1024> buffer{};
    ssize_t count = 0;
    while ((count = ::read(file, buffer.data(), buffer.size())) > 0 &&
           text.size() <= kMaxFileBytes) {
        text.append(buffer.data(), static_cast<std::size_t>(count));
    }
    const int error = errno;
    ::close(file);
    errno = error;
    if (count < 0) return io_failure("read", path);
    if (text.size() > kMaxFileBytes) {
        return fail(ErrorCode::kTooLarge, fmt::format("{}: over 1 MiB", path.string()));
    }
    return text;
}

/// All of it or nothing, also when the machine stops.
Result<void> write_file(const fs::path& path, std::string_view text) {
    const fs::path temporary = path.string() + ".new";
    const int file = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (file < 0) return io_failure("write", temporary);
    const bool written =
        ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
        ::fsync(file) == 0;
    const int error = errno;
    ::close(file);
    if (!written || ::rename(temporary.c_str(), path.c_str()) != 0) {
        if (!written) errno = error;
        const Failure failure = io_failure("write", path);
        ::unlink(temporary.c_str());
        return failure;
    }
    return {};
}

Result<chain::Genesis> checked_genesis(std::string_view text, std::string_view where) {
    const auto named = [&](const Error& error) {
        return fail(error.code, fmt::format("{}: {}", where, error.detail));
    };
    auto genesis = jsonrpc::parse_genesis(text);
    if (!genesis) return named(genesis.error());
    if (const auto valid = chain::validate(*genesis); !valid) return named(valid.error());
    return genesis;
}

std::uint64_t random_magic() {
    std::random_device random;
    std::uint32_t magic = 0;
    while (magic == 0) magic = random();
    return magic;
}

bool has_allocation(const chain::Genesis& genesis, const Funding& fund) {
    if (!genesis.custom_allocation) return false;
    return std::any_of(genesis.custom_allocation->begin(), genesis.custom_allocation->end(),
                       [&](const chain::Allocation& allocation) {
                           return allocation.address == fund.address &&
                                  allocation.balance == fund.amount;
                       });
}

}  // namespace

Result<Funding> parse_funding(std::string_view text) {
    const std::size_t equals = text.find('=');
    if (equals == std::string_view::npos) {
        return fail(ErrorCode::kConfigInvalid,
                    fmt::format("--fund takes ADDRESS=AMOUNT, not \"{}\"", text));
    }
    BLOBVM_TRY(const Address address, parse_address_strict(text.substr(0, equals)));
    const std::string_view digits = text.substr(equals + 1);
    std::uint64_t amount = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), amount);
    if (error != std::errc{} || end != digits.data() + digits.size() || amount == 0) {
        return fail(ErrorCode::kConfigInvalid,
                    fmt::format("--fund: \"{}\" is not an amount from 1 to 2^64-1", digits));
    }
    return Funding{address, Amount{amount}};
}

std::string node_id_text(const NodeId& id) { return "NodeID-" + to_cb58(id.view()); }

Result<std::unique_ptr<DataDir>> DataDir::open(const Choices& choices) {
    std::error_code error;
    fs::create_directories(choices.path, error);
    if (error) {
        return fail(ErrorCode::kIo,
                    fmt::format("cannot create {}: {}", choices.path.string(), error.message()));
    }
    const fs::path path = fs::absolute(choices.path, error);
    const fs::path lock_path = path / "lock";
    const int lock = ::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (lock < 0) return io_failure("write", lock_path);
    std::unique_ptr<DataDir> dir{new DataDir{path, lock}};
    if (::flock(lock, LOCK_EX | LOCK_NB) != 0) {
        return fail(ErrorCode::kStoreLocked,
                    fmt::format("another blob-devnet runs in {}", path.string()));
    }
    if (fs::exists(path / "chain.json", error)) {
        BLOBVM_TRY(dir->load(choices));
    } else {
        BLOBVM_TRY(dir->create(choices));
    }
    BLOBVM_TRY(dir->choose_config(choices));
    return dir;
}

DataDir::~DataDir() { ::close(lock_); }

Result<void> DataDir::create(const Choices& choices) {
    chain::Genesis genesis;
    if (choices.genesis) {
        BLOBVM_TRY(const std::string text, read_file(*choices.genesis));
        BLOBVM_TRY(genesis, checked_genesis(text, choices.genesis->string()));
        chain_.genesis = text;
    } else {
        genesis = chain::fast_genesis(random_magic());
    }
    if (!choices.genesis || !choices.funds.empty()) {
        auto& allocation = genesis.custom_allocation;
        if (!allocation) allocation.emplace();
        for (const Funding& fund : choices.funds) {
            if (std::any_of(allocation->begin(), allocation->end(),
                            [&](const auto& known) { return known.address == fund.address; })) {
                return fail(ErrorCode::kGenesisAllocation,
                            fmt::format("{} is funded twice", to_checksummed(fund.address)));
            }
            allocation->push_back({fund.address, fund.amount});
        }
        chain_.genesis = jsonrpc::write_genesis(genesis);
        BLOBVM_TRY(checked_genesis(chain_.genesis, "genesis"));
    }

    std::random_device random;
    std::string seed = chain_.genesis;
    for (int i = 0; i < 8; ++i) seed += std::to_string(random());
    chain_.chain = retag<ChainId>(keccak256(as_bytes(seed)));
    chain_.subnet = retag<SubnetId>(keccak256(chain_.chain.view()));

    // chain.json last: with it there is a chain.
    BLOBVM_TRY(write_file(path_ / "genesis.json", chain_.genesis));
    BLOBVM_TRY(write_file(path_ / "chain.json",
                          fmt::format("{{\"chainId\":\"{}\"}}\n", to_cb58(chain_.chain.view()))));
    created_ = true;
    return {};
}

Result<void> DataDir::load(const Choices& choices) {
    const fs::path about_path = path_ / "chain.json";
    BLOBVM_TRY(const std::string about, read_file(about_path));
    const auto damaged = [&](std::string_view why) {
        return fail(ErrorCode::kCorruption, fmt::format("{}: {}", about_path.string(), why));
    };
    const auto document = json::Document::parse(about);
    if (!document || document->root().kind() != json::Kind::kObject) return damaged("not JSON");
    const auto member = document->root().member("chainId");
    const auto id = member ? member->as_string() : std::nullopt;
    if (!id) return damaged("no chainId");
    const auto chain = id_from_cb58<ChainId>(*id);
    if (!chain) return damaged(chain.error().message());
    chain_.chain = *chain;
    chain_.subnet = retag<SubnetId>(keccak256(chain_.chain.view()));
    BLOBVM_TRY(chain_.genesis, read_file(path_ / "genesis.json"));
    BLOBVM_TRY(const chain::Genesis genesis,
               checked_genesis(chain_.genesis, (path_ / "genesis.json").string()));

    for (const Funding& fund : choices.funds) {
        if (!has_allocation(genesis, fund)) {
            return fail(
                ErrorCode::kStoreForeign,
                fmt::format("the chain in {} exists and was not created with --fund {}={}; "
                            "send a transfer, or take another --data-dir",
                            path_.string(), to_checksummed(fund.address), fund.amount.value));
        }
    }
    if (choices.genesis) {
        BLOBVM_TRY(const std::string given, read_file(*choices.genesis));
        BLOBVM_TRY(chain::Genesis wanted, checked_genesis(given, choices.genesis->string()));
        if (!choices.funds.empty()) wanted.custom_allocation = genesis.custom_allocation;
        if (given != chain_.genesis &&
            chain::encode_genesis(wanted) != chain::encode_genesis(genesis)) {
            return fail(ErrorCode::kStoreForeign,
                        fmt::format("the chain in {} exists and has another genesis than {}; take "
                                    "another --data-dir",
                                    path_.string(), choices.genesis->string()));
        }
    }
    return {};
}

Result<void> DataDir::choose_config(const Choices& choices) {
    const fs::path kept = path_ / "chain-config.json";
    std::error_code error;
    if (choices.chain_config) {
        BLOBVM_TRY(chain_config_, read_file(*choices.chain_config));
    } else if (fs::exists(kept, error)) {
        return [&]() -> Result<void> {
            BLOBVM_TRY(chain_config_, read_file(kept));
            return {};
        }();
    } else {
        chain_config_ = kDefaultConfig;
    }
    return write_file(kept, chain_config_);
}

NodeId DataDir::node_id(std::size_t index) const {
    Keccak256 hash;
    hash.update(chain_.chain.view());
    hash.update(as_bytes(fmt::format("node {}", index)));
    return NodeId::from(hash.finish().view());
}

}  // namespace blobvm::devnet
