#include "vm/store/detail/block_writer.hpp"

#include <algorithm>
#include <utility>

namespace blobvm::vm::store::detail {

BlockWriter::BlockWriter(std::shared_ptr<BlockLog> log)
    : log_{std::move(log)}, thread_{[this](const std::stop_token& stop) { work(stop); }} {}

auto BlockWriter::find(const SharedBytes& bytes) -> List::iterator {
    return std::ranges::find_if(staged_, [&](const Staged& staged) {
        const ByteView view = staged.bytes.view();
        return view.data() == bytes.view().data() && view.size() == bytes.size();
    });
}

void BlockWriter::stage(const SharedBytes& bytes, std::uint64_t height) {
    {
        const Lock lock{mutex_};
        if (staged_.size() >= kMostStaged || find(bytes) != staged_.end()) return;
        staged_.push_back({bytes, height, std::nullopt});
    }
    woken_.notify_one();
}

bool BlockWriter::wait_for_work(const std::stop_token& stop) {
    const auto is_written = [](const Staged& staged) { return staged.place.has_value(); };
    Lock lock{mutex_};
    while (!stop.stop_requested() && std::ranges::all_of(staged_, is_written)) woken_.wait(lock);
    return !stop.stop_requested();
}

/// False if nothing waits.
bool BlockWriter::write_one() {
    SharedBytes bytes;
    {
        const Lock lock{mutex_};
        const auto next =
            std::ranges::find_if(staged_, [](const Staged& staged) { return !staged.place; });
        if (next == staged_.end()) return false;
        bytes = next->bytes;
    }
    const Result<Place> place = log_->append_directly(bytes.view());
    const Lock lock{mutex_};
    if (place) {
        find(bytes)->place = *place;
    } else {
        staged_.erase(find(bytes));  // its accept tries again, and says why
    }
    return true;
}

void BlockWriter::work(const std::stop_token& stop) {
    while (wait_for_work(stop)) {
        const Lock writing{log_mutex_};
        while (write_one()) {
        }
        static_cast<void>(log_->sync());  // a failure is kept there
    }
}

Result<Place> BlockWriter::write(const SharedBytes& bytes, std::uint64_t height) {
    const Lock writing{log_mutex_};
    std::optional<Place> place;
    List lost;
    {
        const Lock lock{mutex_};
        if (const auto found = find(bytes); found != staged_.end()) {
            place = found->place;
            staged_.erase(found);
        }
        const auto decided =
            std::stable_partition(staged_.begin(), staged_.end(),
                                  [&](const Staged& staged) { return staged.height > height; });
        lost.assign(decided, staged_.end());
        staged_.erase(decided, staged_.end());
    }
    for (const Staged& staged : lost) {
        if (staged.place) log_->discard(*staged.place, staged.bytes.size());
    }
    return place ? Result<Place>{*place} : log_->append(bytes.view());
}

void BlockWriter::begin_sync() {
    const Lock writing{log_mutex_};
    log_->begin_sync();
}

Result<void> BlockWriter::sync() {
    const Lock writing{log_mutex_};
    return log_->sync();
}

void BlockWriter::stop() {
    {
        const Lock lock{mutex_};
        thread_.request_stop();
    }
    woken_.notify_all();
    if (thread_.joinable()) thread_.join();
}

}  // namespace blobvm::vm::store::detail
