#pragma once

#include <algorithm>
#include <thread>
#include <vector>

namespace atelier::image_detail {

/// Calls body(part, first, last) on at most `threads` disjoint ranges that cover [0, rows). The body must not throw.
template <typename Body>
void parallel_rows(int rows, int threads, const Body& body) {
  constexpr int kRowsWorthAThread = 16;
  const int parts = std::clamp(rows / kRowsWorthAThread, 1, std::max(threads, 1));
  const auto bound = [&](int part) { return static_cast<int>(static_cast<long long>(rows) * part / parts); };
  std::vector<std::jthread> workers;
  for (int part = 1; part < parts; ++part) {
    workers.emplace_back([&body, part, first = bound(part), last = bound(part + 1)] { body(part, first, last); });
  }
  body(0, 0, bound(1));
}

}  // namespace atelier::image_detail
