#include "vm/thread_pool.hpp"

#include <algorithm>
#include <atomic>
#include <utility>

namespace blobvm::vm {
namespace {

/// The pool whose job the calling thread is doing.
thread_local const ThreadPoolExecutor* own_pool = nullptr;

}  // namespace

/// One for_each under way. It lives on its caller's stack: who helps counts itself in while the
/// loop is listed, and the caller waits until all have counted out.
struct ThreadPoolExecutor::Loop {
    const std::size_t count;
    const std::size_t chunk;
    const std::function<void(std::size_t)>& body;
    std::atomic<std::size_t> next{0};
    std::size_t helpers = 0;  ///< guarded by the pool's mutex

    void run() {
        while (true) {
            const std::size_t begin = next.fetch_add(chunk, std::memory_order_relaxed);
            if (begin >= count) return;
            const std::size_t end = std::min(begin + chunk, count);
            for (std::size_t i = begin; i < end; ++i) body(i);
        }
    }
};

ThreadPoolExecutor::ThreadPoolExecutor(std::size_t threads, std::size_t queue_capacity)
    : queue_capacity_{queue_capacity} {
    for (std::size_t i = 0; i < std::max<std::size_t>(threads, 1); ++i) {
        threads_.emplace_back([this](const std::stop_token& stop) { work(stop); });
    }
}

ThreadPoolExecutor::~ThreadPoolExecutor() { stop(); }

bool ThreadPoolExecutor::post(std::function<void()> task) {
    {
        const Lock lock{mutex_};
        if (stopped_ || tasks_.size() >= queue_capacity_) return false;
        tasks_.push_back(std::move(task));
    }
    woken_.notify_one();
    return true;
}

void ThreadPoolExecutor::for_each(std::size_t count, const std::function<void(std::size_t)>& body) {
    // Chunks so small that the last one to finish keeps nobody waiting (of 10,000 recoveries on two
    // cores, half a ms), so large that the shared counter costs nothing.
    const std::size_t workers = threads_.size() + 1;
    Loop loop{
        .count = count, .chunk = std::max<std::size_t>(count / (workers * 256), 1), .body = body};
    if (count <= 1) return loop.run();
    const bool from_outside = own_pool != this;
    std::size_t useful = 0;
    {
        const Lock lock{mutex_};
        loops_.push_back(&loop);
        if (from_outside) ++busy_;
        const std::size_t most = std::max<std::size_t>(threads_.size(), 2);
        if (busy_ < most) useful = std::min(most - busy_, count - 1);
    }
    for (; useful > 0; --useful) woken_.notify_one();
    loop.run();

    Lock lock{mutex_};
    std::erase(loops_, &loop);
    while (loop.helpers != 0) helped_.wait(lock);
    if (from_outside) --busy_;
    if (!loops_.empty()) woken_.notify_one();  // somebody who found all at work
}

bool ThreadPoolExecutor::next_job(const std::stop_token& stop, Loop*& loop,
                                  std::function<void()>& task) {
    Lock lock{mutex_};
    while (loops_.empty() && tasks_.empty()) {
        if (stop.stop_requested()) return false;
        woken_.wait(lock);
    }
    if (!loops_.empty()) {
        loop = loops_.back();
        ++loop->helpers;
        // With its caller as many as there are threads: one more would only take turns with them.
        if (loop->helpers + 1 >= threads_.size()) loops_.pop_back();
    } else {
        loop = nullptr;
        task = std::move(tasks_.front());
        tasks_.pop_front();
    }
    ++busy_;
    return true;
}

void ThreadPoolExecutor::work(const std::stop_token& stop) {
    own_pool = this;
    Loop* loop = nullptr;
    std::function<void()> task;
    while (next_job(stop, loop, task)) {
        if (loop == nullptr) {
            task();
            task = nullptr;
            const Lock lock{mutex_};
            --busy_;
            continue;
        }
        loop->run();
        {
            const Lock lock{mutex_};
            std::erase(loops_, loop);  // nothing is left to hand out: nobody need come back
            --loop->helpers;
            --busy_;
        }
        helped_.notify_all();
    }
}

void ThreadPoolExecutor::stop() {
    {
        const Lock lock{mutex_};
        stopped_ = true;
        for (std::jthread& thread : threads_) thread.request_stop();
    }
    woken_.notify_all();
    for (std::jthread& thread : threads_) {
        if (thread.joinable()) thread.join();
    }
}

}  // namespace blobvm::vm
