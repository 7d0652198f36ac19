#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "client/client.hpp"
#include "tests/support/process.hpp"

// The programs themselves, as a user starts them.

namespace blobvm::testing {

std::string program(std::string_view name);  ///< path of blob-devnet, blob-cli or blobvm

/// A blob-devnet that a test started, after its ready line.
struct LocalChain {
    struct Node {
        std::string endpoint;
        std::string health;
        std::string metrics;
        pid_t plugin = -1;
    };

    std::unique_ptr<Process> process;
    std::string chain_id;
    std::vector<Node> nodes;

    /// Fails the test and returns null if it does not get ready. The port is a free one.
    static std::unique_ptr<LocalChain> start(const std::string& data_dir,
                                             std::vector<std::string> arguments = {});

    std::unique_ptr<client::Client> client(std::size_t node = 0) const;
    /// SIGINT; fails the test unless everything ends in order with exit code 0.
    void stop();
    void kill_devnet() const;
    void kill_plugin(std::size_t node = 0) const;
};

/// A key file with money on every chain started with fund().
class Wallet {
  public:
    explicit Wallet(const TemporaryFolder& folder);
    const std::string& key_file() const { return key_file_; }
    std::vector<std::string> fund() const { return {"--fund", address_ + "=1000000000000"}; }
    const std::string& address() const { return address_; }

    /// Runs blob-cli against `endpoint`.
    Finished cli(const std::string& endpoint, std::vector<std::string> arguments) const;
    std::unique_ptr<Process> start_cli(const std::string& endpoint,
                                       std::vector<std::string> arguments) const;
    /// set-file; the root, or empty with a failed test.
    std::string store(const std::string& endpoint, const std::string& file) const;

  private:
    std::vector<std::string> command(const std::string& endpoint,
                                     std::vector<std::string> arguments) const;
    std::string key_file_;
    std::string address_;
};

/// The string or raw number under `name` in one JSON object; empty if it is not there.
std::string json_field(std::string_view object, std::string_view name);

/// A file of `size` bytes that no other seed gives.
void write_random_file(const std::string& path, std::uint64_t size, std::uint64_t seed);
bool same_files(const std::string& a, const std::string& b);

struct HttpReply {
    unsigned status = 0;  ///< 0: no connection
    std::string body;
};
HttpReply http_get(const std::string& url);

}  // namespace blobvm::testing
