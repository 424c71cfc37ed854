#pragma once

#include <algorithm>
#include <condition_variable>
#include <cstddef>
#include <exception>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

namespace atelier::eval {

/// Makes items 0 … count − 1 in `threads` threads of its own while the caller uses earlier ones, at most `window` ahead
/// of it. next() gives them in order; what making one threw is thrown there. Results do not depend on the threads.
template <class Item>
class ReadAhead {
 public:
  using Make = std::function<Item(std::size_t)>;

  ReadAhead(std::size_t count, std::size_t threads, std::size_t window, Make make)
      : make_(std::move(make)), slots_(count), window_(window) {
    for (std::size_t i = 0; i < std::min(threads, count); ++i) {
      threads_.emplace_back([this](const std::stop_token& stop) { work(stop); });
    }
  }
  ~ReadAhead() {
    const std::scoped_lock lock(mutex_);  // so that no thread stands between its look at the flag and its wait
    for (auto& thread : threads_) thread.request_stop();
    changed_.notify_all();
  }
  ReadAhead(const ReadAhead&) = delete;
  ReadAhead& operator=(const ReadAhead&) = delete;

  [[nodiscard]] Item next() {
    std::unique_lock lock(mutex_);
    Slot& slot = slots_.at(given_);
    changed_.wait(lock, [&] { return slot.item.has_value() || slot.fault; });
    ++given_;
    changed_.notify_all();
    if (slot.fault) std::rethrow_exception(slot.fault);
    Item item = std::move(*slot.item);
    slot.item.reset();
    return item;
  }

 private:
  struct Slot {
    std::optional<Item> item;
    std::exception_ptr fault;
  };

  void work(const std::stop_token& stop) {
    while (true) {
      std::unique_lock lock(mutex_);
      changed_.wait(lock,
                    [&] { return stop.stop_requested() || begun_ == slots_.size() || begun_ < given_ + window_; });
      if (stop.stop_requested() || begun_ == slots_.size()) return;
      const std::size_t mine = begun_++;
      lock.unlock();
      Slot made;
      try {
        made.item.emplace(make_(mine));
      } catch (...) {
        made.fault = std::current_exception();
      }
      lock.lock();
      slots_[mine] = std::move(made);
      changed_.notify_all();
    }
  }

  Make make_;
  std::vector<Slot> slots_;
  std::size_t window_;
  std::size_t begun_ = 0, given_ = 0;  // guarded by mutex_, as the slots are
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::jthread> threads_;  // last: they end before what they use
};

}  // namespace atelier::eval
