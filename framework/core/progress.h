#pragma once

#include <chrono>
#include <cstddef>
#include <string>

namespace atelier {

/// Progress on standard error: a bar with rate and time left on a terminal, else a plain line every tenth of the way.
class Progress {
 public:
  Progress(std::string what, std::size_t total);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void advance(std::size_t steps = 1);
  /// Ends the line; a bar that was not finished stays where it stopped.
  void finish();

 private:
  void draw_bar(double seconds);
  void print_line(double seconds);

  std::string what_;
  std::size_t total_;
  std::size_t done_ = 0;
  std::size_t printed_tenths_ = 0;
  bool terminal_;
  bool open_ = false;  // a bar stands on the current line
  std::chrono::steady_clock::time_point start_, drawn_;
};

}  // namespace atelier
