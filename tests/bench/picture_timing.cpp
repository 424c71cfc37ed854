// Seconds in which a folder of pictures is decoded and made 224 pixels by Pillow's bicubic, in N threads:
//   picture_timing FOLDER THREADS REPEATS
// prints a JSON object with the seconds of each pass and a sum over all pixels, for pictures_side_by_side.py.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>
#include <numeric>
#include <thread>
#include <vector>

#include "framework/core/mapped_file.h"
#include "framework/image/decode.h"
#include "framework/image/resize.h"

namespace {

using namespace atelier;
namespace fs = std::filesystem;

constexpr int kSide = 224;

std::uint64_t sum_of(const fs::path& path) {
  const auto file = MappedFile::open(path);
  const Decoded picture = decode(file->bytes(), path.string(), ExifRule::apply);
  const Image small = resize(picture.image, {kSide, kSide}, ResizeMethod::pil_bicubic, 1);
  return std::accumulate(small.pixels.begin(), small.pixels.end(), std::uint64_t{0});
}

}  // namespace

int main(int count, char** words) {
  if (count != 4) return 2;
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(words[1])) files.push_back(entry.path());
  std::ranges::sort(files);
  std::vector<double> seconds;
  std::atomic<std::uint64_t> sum = 0;
  for (int pass = 0; pass < std::atoi(words[3]); ++pass) {
    sum = 0;
    std::atomic<std::size_t> next = 0;
    const auto start = std::chrono::steady_clock::now();
    {
      std::vector<std::jthread> threads;
      for (int i = 0; i < std::atoi(words[2]); ++i) {
        threads.emplace_back([&] {
          for (std::size_t mine = next++; mine < files.size(); mine = next++) sum += sum_of(files[mine]);
        });
      }
    }
    seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  std::cout << nlohmann::json{{"seconds", seconds}, {"sum", sum.load()}} << '\n';
}
