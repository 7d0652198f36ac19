#include "tests/integration/local_chain.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <csignal>
#include <fstream>
#include <iterator>
#include <random>

#include "proto/jsonrpc/json.hpp"

namespace blobvm::testing {

std::string program(std::string_view name) {
    return std::string{BLOBVM_BIN_DIR} + "/" + std::string{name};
}

std::string json_field(std::string_view object, std::string_view name) {
    const auto document = json::Document::parse(object);
    if (!document || document->root().kind() != json::Kind::kObject) return {};
    const auto member = document->root().member(name);
    if (!member) return {};
    return member->as_string().value_or(std::string{member->raw()});
}

std::unique_ptr<LocalChain> LocalChain::start(const std::string& data_dir,
                                              std::vector<std::string> arguments) {
    std::vector<std::string> command{
        program("blob-devnet"), "--data-dir", data_dir, "--port", "0", "--plugin",
        program("blobvm")};
    command.insert(command.end(), arguments.begin(), arguments.end());
    auto chain = std::make_unique<LocalChain>();
    chain->process = Process::start(std::move(command));
    if (chain->process == nullptr) return nullptr;
    const auto line = chain->process->wait_for_line(
        [](std::string_view text) { return text.starts_with("{\"ready\":true"); });
    if (!line) {
        ADD_FAILURE() << "blob-devnet did not get ready: " << chain->process->err();
        return nullptr;
    }
    const auto document = json::Document::parse(*line);
    if (!document) {
        ADD_FAILURE() << "not JSON: " << *line;
        return nullptr;
    }
    chain->chain_id = json_field(*line, "chainId");
    for (const json::Value& node : document->root().member("nodes")->elements()) {
        const std::string text{node.raw()};
        chain->nodes.push_back({json_field(text, "endpoint"), json_field(text, "health"),
                                json_field(text, "metrics"), std::stoi(json_field(text, "pid"))});
    }
    return chain;
}

std::unique_ptr<client::Client> LocalChain::client(std::size_t node) const {
    client::HttpOptions options;
    options.endpoint = nodes.at(node).endpoint;
    auto opened = client::open_http(options);
    if (!opened) {
        ADD_FAILURE() << opened.error().message();
        return nullptr;
    }
    return std::move(*opened);
}

void LocalChain::stop() {
    process->signal(SIGINT);
    const auto code = process->wait();
    EXPECT_EQ(code, 0) << process->err();
    for (const Node& node : nodes) EXPECT_FALSE(is_running(node.plugin));
}

void LocalChain::kill_devnet() const { process->signal(SIGKILL); }

void LocalChain::kill_plugin(std::size_t node) const {
    const pid_t pid = nodes.at(node).plugin;
    ASSERT_GT(pid, 0);
    ::kill(pid, SIGKILL);
}

Wallet::Wallet(const TemporaryFolder& folder) : key_file_{folder.file("key")} {
    const Finished created =
        run({program("blob-cli"), "--private-key-file", key_file_, "--json", "create"});
    EXPECT_EQ(created.code, 0) << created.err;
    address_ = json_field(created.out, "address");
    EXPECT_FALSE(address_.empty()) << created.out;
}

std::vector<std::string> Wallet::command(const std::string& endpoint,
                                         std::vector<std::string> arguments) const {
    std::vector<std::string> result{
        program("blob-cli"), "--private-key-file", key_file_, "--endpoint", endpoint, "--json"};
    result.insert(result.end(), arguments.begin(), arguments.end());
    return result;
}

Finished Wallet::cli(const std::string& endpoint, std::vector<std::string> arguments) const {
    return run(command(endpoint, std::move(arguments)), std::chrono::minutes{5});
}

std::unique_ptr<Process> Wallet::start_cli(const std::string& endpoint,
                                           std::vector<std::string> arguments) const {
    return Process::start(command(endpoint, std::move(arguments)));
}

std::string Wallet::store(const std::string& endpoint, const std::string& file) const {
    const Finished stored = cli(endpoint, {"set-file", file});
    EXPECT_EQ(stored.code, 0) << stored.err;
    const std::string root = json_field(stored.out, "root");
    EXPECT_FALSE(root.empty()) << stored.out;
    return root;
}

void write_random_file(const std::string& path, std::uint64_t size, std::uint64_t seed) {
    std::mt19937_64 random{seed};
    std::string bytes(size, '\0');
    std::generate(bytes.begin(), bytes.end(), [&] { return static_cast<char>(random()); });
    std::ofstream{path, std::ios::binary} << bytes;
}

bool same_files(const std::string& a, const std::string& b) {
    std::ifstream left{a, std::ios::binary};
    std::ifstream right{b, std::ios::binary};
    if (!left || !right) return false;
    const std::string one{std::istreambuf_iterator<char>{left}, {}};
    const std::string two{std::istreambuf_iterator<char>{right}, {}};
    return one == two;
}

HttpReply http_get(const std::string& url) {
    namespace beast = boost::beast;
    namespace bhttp = boost::beast::http;
    using tcp = boost::asio::ip::tcp;
    const std::string prefix = "http://127.0.0.1:";
    const std::size_t slash = url.find('/', prefix.size());
    const int port = std::stoi(url.substr(prefix.size(), slash - prefix.size()));
    try {
        boost::asio::io_context io;
        beast::tcp_stream stream{io};
        stream.connect(tcp::endpoint{boost::asio::ip::address_v4::loopback(),
                                     static_cast<std::uint16_t>(port)});
        bhttp::request<bhttp::empty_body> request{bhttp::verb::get, url.substr(slash), 11};
        request.set(bhttp::field::host, "127.0.0.1");
        bhttp::write(stream, request);
        beast::flat_buffer buffer;
        bhttp::response<bhttp::string_body> response;
        bhttp::read(stream, buffer, response);
        return {response.result_int(), response.body()};
    } catch (const std::exception&) {
        return {};
    }
}

}  // namespace blobvm::testing
