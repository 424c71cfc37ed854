#include "framework/core/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

namespace atelier {
namespace {

constexpr int kWidth = 30;
constexpr double kRedraw = 0.1;  // seconds between two drawings of the bar

double seconds(std::chrono::steady_clock::duration duration) { return std::chrono::duration<double>(duration).count(); }

}  // namespace

Progress::Progress(std::string what, std::size_t total)
    : what_(std::move(what)),
      total_(std::max<std::size_t>(total, 1)),
      terminal_(::isatty(STDERR_FILENO) == 1),
      start_(std::chrono::steady_clock::now()),
      drawn_(start_) {}

Progress::~Progress() { finish(); }

void Progress::advance(std::size_t steps) {
  done_ = std::min(done_ + steps, total_);
  const auto now = std::chrono::steady_clock::now();
  if (!terminal_) return print_line(seconds(now - start_));
  if (done_ < total_ && seconds(now - drawn_) < kRedraw) return;
  drawn_ = now;
  draw_bar(seconds(now - start_));
}

void Progress::draw_bar(double elapsed) {
  const double share = static_cast<double>(done_) / static_cast<double>(total_);
  const auto full = static_cast<std::size_t>(share * kWidth);
  const double rate = static_cast<double>(done_) / std::max(elapsed, 1e-9);
  const double left = static_cast<double>(total_ - done_) / std::max(rate, 1e-9);
  fmt::print(stderr, "\r{} [{}{}] {}/{}  {:.2f}/s  {:.0f} s left\033[K", what_, std::string(full, '#'),
             std::string(kWidth - full, '.'), done_, total_, rate, left);
  std::fflush(stderr);
  open_ = true;
}

void Progress::print_line(double elapsed) {
  const std::size_t tenths = done_ * 10 / total_;
  if (tenths == printed_tenths_) return;
  printed_tenths_ = tenths;
  fmt::print(stderr, "{} {}/{} after {:.1f} s\n", what_, done_, total_, elapsed);
}

void Progress::finish() {
  if (open_) fmt::print(stderr, "\n");
  open_ = false;
}

}  // namespace atelier
