#include <algorithm>
#include <catch2/catch.hpp>

#include "framework/core/error.h"
#include "framework/execute/job_queue.h"

using namespace atelier;

namespace {

std::vector<std::int64_t> order_of(const std::vector<QueuedJob>& jobs) {
  std::vector<std::int64_t> order;
  JobQueue queue(jobs);
  std::string base;
  while (const auto id = queue.take(base)) {
    order.push_back(*id);
    base = std::ranges::find(jobs, *id, &QueuedJob::id)->base;
    queue.done(*id);
  }
  return order;
}

}  // namespace

TEST_CASE("What another process is at comes last, and is given out when there is nothing else", "[execute][queue]") {
  JobQueue queue({{0, "b", {}}, {1, "b", {}}, {2, "b", {0}}});
  const auto elsewhere = [](std::int64_t id) { return id == 0; };
  CHECK(queue.take("b", elsewhere) == 1);
  CHECK(queue.take("b", elsewhere) == 0);
  CHECK_FALSE(queue.take("b", elsewhere));
}

TEST_CASE("A cell is finished before the next one is begun", "[execute][queue]") {
  // two cells: train, sample, score each
  const auto order = order_of({{0, "b", {}}, {1, "b", {0}}, {2, "b", {1}}, {3, "b", {}}, {4, "b", {3}}, {5, "b", {4}}});
  CHECK(order == std::vector<std::int64_t>{0, 1, 2, 3, 4, 5});
}

TEST_CASE("Jobs of one base model are done one after the other", "[execute][queue]") {
  const auto order = order_of({{0, "x", {}}, {1, "y", {}}, {2, "x", {}}, {3, "y", {}}});
  CHECK((order == std::vector<std::int64_t>{0, 2, 1, 3}));
}

TEST_CASE("What needs a failed job is blocked, and nothing else", "[execute][queue]") {
  JobQueue queue({{0, "b", {}}, {1, "b", {0}}, {2, "b", {1}}, {3, "b", {}}});
  REQUIRE(queue.take("b") == 0);
  queue.failed(0);
  CHECK(queue.blocked() == std::set<std::int64_t>{1, 2});
  CHECK(queue.take("b") == 3);
  queue.done(3);
  CHECK_FALSE(queue.take("b").has_value());
  CHECK(queue.waiting() == 0);
}

TEST_CASE("A plan whose needs go round in a circle is refused", "[execute][queue]") {
  CHECK_THROWS_WITH(JobQueue({{0, "b", {1}}, {1, "b", {0}}}), Catch::Contains("circle"));
  CHECK_THROWS_AS(JobQueue({{0, "b", {7}}}), Error);
}
