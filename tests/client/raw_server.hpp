#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "chain/base/mutex.hpp"

namespace blobvm::test {

/// A server on a free port of 127.0.0.1 that answers each POST with exactly the bytes that
/// `answer` makes of its body; no bytes at all: it hangs up. Its threads end with it.
class RawServer {
  public:
    using Answer = std::function<std::string(const std::string& body)>;

    explicit RawServer(Answer answer) : answer_{std::move(answer)} {
        listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
            ::listen(listener_, 16) != 0 ||
            ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
            throw std::runtime_error{"no port"};
        }
        port_ = ntohs(address.sin_port);
        acceptor_ = std::jthread{[this] { accept_all(); }};
    }

    ~RawServer() {
        stopping_ = true;
        ::shutdown(listener_, SHUT_RDWR);
        acceptor_.join();
        for (const int socket : sockets_) ::shutdown(socket, SHUT_RDWR);
        workers_.clear();
        for (const int socket : sockets_) ::close(socket);
        ::close(listener_);
    }

    std::string endpoint() const {
        return "http://127.0.0.1:" + std::to_string(port_) + "/ext/bc/blobvm";
    }
    int connections() const { return connections_; }

    static std::string ok(std::string_view body, std::string_view headers = "") {
        return status(200, body, headers);
    }
    static std::string status(int code, std::string_view body, std::string_view headers = "") {
        std::string text = "HTTP/1.1 " + std::to_string(code) + " Whatever\r\nContent-Length: ";
        text += std::to_string(body.size());
        text += "\r\n";
        text += headers;
        text += "\r\n";
        text += body;
        return text;
    }

    /// The last request's head: first line and headers.
    std::string head() const {
        const Lock lock{mutex_};
        return head_;
    }

  private:
    void accept_all() {
        for (;;) {
            const int socket = ::accept(listener_, nullptr, nullptr);
            if (socket < 0 || stopping_) {
                if (socket >= 0) ::close(socket);
                return;
            }
            ++connections_;
            sockets_.push_back(socket);
            workers_.emplace_back([this, socket] { serve(socket); });
        }
    }

    void serve(int socket) {
        std::string buffer;
        for (;;) {
            std::size_t end = 0;
            while ((end = buffer.find("\r\n\r\n")) == std::string::npos) {
                if (!receive(socket, buffer)) return;
            }
            const std::string head = buffer.substr(0, end);
            const std::size_t field = head.find("Content-Length: ");
            const std::size_t length = std::stoul(head.substr(field + 16));
            while (buffer.size() < end + 4 + length) {
                if (!receive(socket, buffer)) return;
            }
            {
                const Lock lock{mutex_};
                head_ = head;
            }
            const std::string answer = answer_(buffer.substr(end + 4, length));
            buffer.erase(0, end + 4 + length);
            if (answer.empty()) {
                ::shutdown(socket, SHUT_RDWR);
                return;
            }
            std::string_view left = answer;
            while (!left.empty()) {
                const ssize_t count = ::send(socket, left.data(), left.size(), MSG_NOSIGNAL);
                if (count <= 0) return;
                left.remove_prefix(static_cast<std::size_t>(count));
            }
            if (answer.find("Connection: close") != std::string::npos) {
                ::shutdown(socket, SHUT_RDWR);
                return;
            }
        }
    }

    static bool receive(int socket, std::string& buffer) {
        char bytes[16 * 1024];
        const ssize_t count = ::recv(socket, bytes, sizeof bytes, 0);
        if (count <= 0) return false;
        buffer.append(bytes, static_cast<std::size_t>(count));
        return true;
    }

    const Answer answer_;
    int listener_ = -1;
    std::uint16_t port_ = 0;
    std::atomic<bool> stopping_{false};
    std::atomic<int> connections_{0};
    mutable Mutex mutex_;
    std::string head_ GUARDED_BY(mutex_);
    std::vector<int> sockets_;  // of the acceptor's thread, until it is joined
    std::vector<std::jthread> workers_;
    std::jthread acceptor_;
};

}  // namespace blobvm::test
