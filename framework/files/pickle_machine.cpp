#include "framework/files/pickle_machine.h"

#include <fmt/format.h>

#include <bit>

#include "framework/core/error.h"
#include "framework/files/pickle_calls.h"

// Opcodes and their meaning: CPython's Lib/pickletools.py.
namespace atelier {
namespace {

constexpr std::uint8_t kProto = 0x80;
constexpr std::uint8_t kStop = '.';
constexpr int kMaxProtocol = 5;
constexpr std::size_t kMaxWork = 4'000'000;  // a training checkpoint of SDXL with its optimizer needs some 400,000

}  // namespace

void PickleSite::fail(std::string found, std::string expected) const {
  throw Error(
      {.where = fmt::format("{}: pickle, byte {}", tree.path, byte),
       .found = std::move(found),
       .expected = std::move(expected),
       .advice = "the file is damaged or not written by torch.save: fetch it again, or convert it to safetensors"});
}

void charge(PickleTree& tree, std::size_t work, const PickleSite& site) {
  tree.work += work;
  if (tree.work > kMaxWork) site.fail(fmt::format("a pickle of more than {} operations", kMaxWork), "a checkpoint");
}

PickleNodeId PickleMachine::run() {
  begin_ = reader_.position();
  if (reader_.number<std::uint8_t>() != kProto) site().fail("no pickle of protocol 2 or newer");
  if (const int protocol = reader_.number<std::uint8_t>(); protocol < 2 || protocol > kMaxProtocol) {
    site().fail(fmt::format("pickle protocol {}", protocol), fmt::format("2 to {}", kMaxProtocol));
  }
  for (;;) {
    begin_ = reader_.position();
    charge(tree_, 1, site());
    const auto opcode = reader_.number<std::uint8_t>();
    if (opcode == kStop) return pop();
    if (!run_constant(opcode) && !run_bytes(opcode) && !run_tuple(opcode) && !run_container(opcode) &&
        !run_stack(opcode) && !run_memo(opcode) && !run_object(opcode)) {
      site().fail(fmt::format("the opcode 0x{:02x}, which torch.save does not write", opcode));
    }
  }
}

bool PickleMachine::run_constant(std::uint8_t opcode) {
  switch (opcode) {
    case 'N':
      push(tree_.add(PickleKind::none));
      return true;
    case 0x88:  // NEWTRUE
    case 0x89:  // NEWFALSE
      push_integer(PickleKind::boolean, opcode == 0x88 ? 1 : 0);
      return true;
    case 'J':
      push_integer(PickleKind::integer, reader_.number<std::int32_t>());
      return true;
    case 'K':
      push_integer(PickleKind::integer, reader_.number<std::uint8_t>());
      return true;
    case 'M':
      push_integer(PickleKind::integer, reader_.number<std::uint16_t>());
      return true;
    case 0x8a:  // LONG1
      push_long(reader_.number<std::uint8_t>());
      return true;
    case 0x8b:  // LONG4
      push_long(reader_.number<std::uint32_t>());
      return true;
    case 'G': {  // the one big-endian value
      PickleNode node;
      node.kind = PickleKind::real;
      node.real = std::bit_cast<double>(__builtin_bswap64(reader_.number<std::uint64_t>()));
      push(tree_.add(std::move(node)));
      return true;
    }
    default:
      return false;
  }
}

bool PickleMachine::run_bytes(std::uint8_t opcode) {
  switch (opcode) {
    case 'X':  // BINUNICODE
    case 'T':  // BINSTRING, the text of Python 2
      push_text(PickleKind::text, reader_.number<std::uint32_t>());
      return true;
    case 0x8c:  // SHORT_BINUNICODE
    case 'U':   // SHORT_BINSTRING
      push_text(PickleKind::text, reader_.number<std::uint8_t>());
      return true;
    case 0x8d:  // BINUNICODE8
      push_text(PickleKind::text, reader_.number<std::uint64_t>());
      return true;
    case 'B':
      push_text(PickleKind::bytes, reader_.number<std::uint32_t>());
      return true;
    case 'C':
      push_text(PickleKind::bytes, reader_.number<std::uint8_t>());
      return true;
    case 0x8e:  // BINBYTES8
    case 0x96:  // BYTEARRAY8
      push_text(PickleKind::bytes, reader_.number<std::uint64_t>());
      return true;
    default:
      return false;
  }
}

bool PickleMachine::run_tuple(std::uint8_t opcode) {
  switch (opcode) {
    case ')':
      push_tuple(0);
      return true;
    case 0x85:
    case 0x86:
    case 0x87:  // TUPLE1 to TUPLE3
      push_tuple(opcode - 0x84u);
      return true;
    case 't':
    case 'l':
    case 0x91: {  // TUPLE, LIST, FROZENSET
      PickleNode node;
      node.kind = opcode == 't' ? PickleKind::tuple : PickleKind::list;
      node.items = pop_mark();
      push(tree_.add(std::move(node)));
      return true;
    }
    default:
      return false;
  }
}

bool PickleMachine::run_container(std::uint8_t opcode) {
  switch (opcode) {
    case '}':
      push(tree_.add(PickleKind::dictionary));
      return true;
    case ']':
    case 0x8f:  // EMPTY_SET
      push(tree_.add(PickleKind::list));
      return true;
    case 'd': {
      const auto pairs = pop_mark();
      push(tree_.add(PickleKind::dictionary));
      set_items(pairs);
      return true;
    }
    case 'a':
      append({pop()});
      return true;
    case 'e':
    case 0x90:  // ADDITEMS
      append(pop_mark());
      return true;
    case 's': {
      const PickleNodeId value = pop();
      const PickleNodeId key = pop();
      set_items({key, value});
      return true;
    }
    case 'u':
      set_items(pop_mark());
      return true;
    default:
      return false;
  }
}

bool PickleMachine::run_stack(std::uint8_t opcode) {
  switch (opcode) {
    case '(':
      marks_.push_back(stack_.size());
      return true;
    case '0':  // POP takes a mark too
      if (!marks_.empty() && marks_.back() == stack_.size()) {
        marks_.pop_back();
      } else {
        (void)pop();
      }
      return true;
    case '1':
      (void)pop_mark();
      return true;
    case '2': {
      const PickleNodeId node = pop();
      push(node);
      push(node);
      return true;
    }
    case 0x95:  // FRAME: how far a reader may fetch ahead; the operations tell themselves how long they are
      reader_.take(8);
      return true;
    default:
      return false;
  }
}

bool PickleMachine::run_memo(std::uint8_t opcode) {
  switch (opcode) {
    case 'q':
      put(reader_.number<std::uint8_t>());
      return true;
    case 'r':
      put(reader_.number<std::uint32_t>());
      return true;
    case 0x94:  // MEMOIZE
      put(memo_.size());
      return true;
    case 'h':
      get(reader_.number<std::uint8_t>());
      return true;
    case 'j':
      get(reader_.number<std::uint32_t>());
      return true;
    default:
      return false;
  }
}

bool PickleMachine::run_object(std::uint8_t opcode) {
  switch (opcode) {
    case 'c': {
      const std::string_view module = read_line();
      push_global(module, read_line());
      return true;
    }
    case 0x93: {  // STACK_GLOBAL
      const PickleNodeId name = pop();
      const PickleNodeId module = pop();
      if (tree_.nodes[name].kind != PickleKind::text || tree_.nodes[module].kind != PickleKind::text) {
        site().fail("a global whose name is no text");
      }
      push_global(tree_.nodes[module].text, tree_.nodes[name].text);
      return true;
    }
    case 'R':     // REDUCE
    case 0x81: {  // NEWOBJ
      const PickleNodeId arguments = pop();
      const PickleNodeId function = pop();
      push(call_pickle_global(tree_, function, arguments, site()));
      return true;
    }
    case 0x92: {  // NEWOBJ_EX: with named arguments, which no class that we know has
      (void)pop();
      const PickleNodeId arguments = pop();
      const PickleNodeId function = pop();
      push(call_pickle_global(tree_, function, arguments, site()));
      return true;
    }
    case 'b': {
      const PickleNodeId state = pop();
      top().state = state;
      return true;
    }
    case 'Q': {
      const PickleNodeId id = pop();
      push(load_persistent_id(tree_, id, site()));
      return true;
    }
    default:
      return false;
  }
}

}  // namespace atelier
