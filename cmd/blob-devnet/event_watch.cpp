#include "cmd/blob-devnet/event_watch.hpp"

#include <chrono>
#include <utility>

namespace blobvm::devnet {

EventWatch::EventWatch(std::shared_ptr<PluginProcess> process, Deliver deliver)
    : process_{std::move(process)},
      deliver_{std::move(deliver)},
      thread_{[this](std::stop_token stop) { run(std::move(stop)); }} {}

EventWatch::~EventWatch() {
    thread_.request_stop();
    trigger();
    thread_.join();
}

void EventWatch::trigger() {
    const Lock lock{mutex_};
    ++generation_;
    if (current_ != nullptr) current_->TryCancel();
    changed_.notify_all();
}

std::uint64_t EventWatch::generation() const {
    const Lock lock{mutex_};
    return generation_;
}

void EventWatch::run(std::stop_token stop) {
    using namespace std::chrono_literals;
    while (!stop.stop_requested() && process_->alive()) {
        PluginProcess::Context context{*process_};
        std::uint64_t generation = 0;
        {
            const Lock lock{mutex_};
            generation = generation_;
            current_ = context.get();
            if (stop.stop_requested()) context.get()->TryCancel();
        }
        ::vm::WaitForEventResponse reply;
        const grpc::Status status = process_->vm().WaitForEvent(context.get(), {}, &reply);
        {
            Lock lock{mutex_};
            current_ = nullptr;
            if (generation_ != generation || stop.stop_requested()) continue;
            if (!status.ok()) {
                changed_.wait_for(lock, 100ms);
                continue;
            }
        }
        deliver_(reply.message(), generation);
        Lock lock{mutex_};
        while (generation_ == generation && !stop.stop_requested()) changed_.wait(lock);
    }
}

}  // namespace blobvm::devnet
