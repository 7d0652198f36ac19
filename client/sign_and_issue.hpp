#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "chain/base/bytes.hpp"
#include "chain/base/quantity.hpp"
#include "chain/base/result.hpp"
#include "chain/genesis.hpp"
#include "chain/signing.hpp"
#include "client/client.hpp"

namespace blobvm::client {

/// Time as waiting needs it; tests pass their own.
class Timer {
  public:
    virtual ~Timer() = default;
    virtual std::uint64_t now_ms() = 0;  ///< never goes back
    virtual void sleep_ms(std::uint32_t duration) = 0;
};

/// The machine's own clock.
Timer& system_timer();

/// One transaction on its way, and what it costs.
struct Receipt {
    TxId id;
    BlockId block_id;  ///< the recent block that it names
    BlobKey key;       ///< zero for a transfer
    std::uint64_t size_bytes = 0;
    FeeUnits units;
    Price price;
    Amount cost;
};

enum class Progress {
    kSigned,     ///< it is handed in next
    kIssued,     ///< the node took it
    kAccepted,   ///< it is in an accepted block
    kKnownBlob,  ///< somebody has set this blob before: nothing is paid
    kReissued,   ///< it was lost or came too late; it is signed anew under another id
};

struct IssueOptions {
    std::size_t in_flight = 64;  ///< transactions that wait for their block at the same time
    /// Gives up (kTimeout) when for so long nothing was taken or accepted.
    std::uint32_t patience_ms = 120'000;
    /// Asked often; true ends everything with kCancelled. Safe to leave empty.
    std::function<bool()> cancelled = {};
    std::function<void(Progress, const Receipt&)> on_progress = {};
    Timer* timer = nullptr;  ///< the system's if null
};

/// Signs transactions with one key, hands them in, and sees them accepted: keeps several in flight
/// (there are no nonces, so their order does not matter), polls smartly, waits while the node is
/// full, offers more when the price rises, and signs anew what was lost or has left the window.
///
/// A blob is stored at most once whatever happens, since its key is its name. A transfer is signed
/// anew only when the old one can never be accepted any more. One thread at a time; the client
/// must outlive it, and carries one request while the next is signed.
class Issuer {
  public:
    /// Asks for genesis; no other call until something is issued.
    static Result<std::unique_ptr<Issuer>> open(Client& client, const chain::PrivateKey& key,
                                                IssueOptions options = {});
    ~Issuer();
    Issuer(const Issuer&) = delete;
    Issuer& operator=(const Issuer&) = delete;

    const chain::Genesis& genesis() const;

    /// Hands in a set of `value`, whose keccak256 is `key`: with those that follow, in one request,
    /// once they are about a block, or finish() is called. Waits first while `in_flight` are under
    /// way. A blob that the chain has is not an error, but kKnownBlob. An error may be that of an
    /// earlier transaction, whose answer came meanwhile; after one, give up.
    Result<void> set(Bytes value, const BlobKey& key);

    Result<void> transfer(const Address& to, Amount units);

    /// Hands in the rest, and waits until everything is accepted or known.
    Result<void> finish();

  private:
    struct Impl;
    explicit Issuer(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

/// What a node that answered kRpc refused for, if its message is one of ours or the original's.
std::optional<ErrorCode> refusal(const Error& error);

}  // namespace blobvm::client
