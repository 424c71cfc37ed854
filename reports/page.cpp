#include "reports/page.h"

#include <string_view>

#include "framework/core/digest.h"
#include "reports/escape.h"

namespace atelier::reports {
namespace {

constexpr std::string_view kStyle = R"css(
:root {
  color-scheme: light dark; --ground: #fff; --panel: #f4f4f2; --ink: #1b1b1a; --soft: #5c5c58;
  --line: #d4d4cf; --mark: #0a5f95; --bad: #b3261e;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #161615; --panel: #222220; --ink: #ecebe6; --soft: #a9a8a1; --line: #3b3a37; --mark: #7cc0f0;
    --bad: #ff9c92;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
header, main, footer { max-width: 76rem; margin: 0 auto; padding: 0 1rem; }
h1 { font-size: 1.7rem; margin: 1.2rem 0 .3rem; overflow-wrap: anywhere; }
h2 { font-size: 1.25rem; margin: 2.2rem 0 .6rem; padding-top: .6rem; border-top: 1px solid var(--line); }
h3 { font-size: 1.05rem; margin: 1.4rem 0 .4rem; overflow-wrap: anywhere; }
p { margin: .3rem 0; max-width: 60rem; overflow-wrap: anywhere; }
small, .note, figcaption { color: var(--soft); font-size: .85rem; }
a { color: var(--mark); }
nav { display: flex; flex-wrap: wrap; gap: .2rem 1rem; margin: .6rem 0; }
figure { margin: .6rem 0 1.2rem; }
.scroll, .atelier-table { overflow-x: auto; max-width: 100%; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .9rem; }
th, td {
  padding: .3rem .7rem .3rem 0; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--line);
}
th:first-child, td.text { text-align: left; }
thead th { color: var(--soft); font-weight: 600; vertical-align: bottom; }
tbody th { font-weight: 500; white-space: normal; min-width: 9rem; overflow-wrap: anywhere; }
tr.anchor th, tr.references th, tr.anchor td, tr.references td { color: var(--soft); }
sup { color: var(--bad); margin-left: .1em; }
svg { max-width: 100%; height: auto; }
.charts { display: flex; flex-wrap: wrap; gap: 1rem; }
.charts figure { margin: 0; max-width: 100%; }
pre { background: var(--panel); padding: .8rem; overflow-x: auto; font-size: .82rem; max-height: 32rem; }
code { font-size: .85em; overflow-wrap: anywhere; }
details { margin: .5rem 0; }
summary { cursor: pointer; padding: .3rem 0; }
.photos { display: flex; flex-wrap: wrap; gap: 4px; margin: .4rem 0; }
.grid th, .grid td { padding: 3px; vertical-align: top; text-align: left; border: 0; white-space: normal; }
.grid thead th {
  font-size: .75rem; font-weight: 500; min-width: 6.2rem; max-width: 8rem; overflow-wrap: anywhere;
}
.grid th:first-child {
  position: sticky; left: 0; background: var(--ground); min-width: 7rem; max-width: 9rem;
  padding-right: .5rem; font-size: .8rem; overflow-wrap: anywhere;
}
.pic {
  padding: 0; border: 0; background: var(--panel); cursor: zoom-in; margin: 0 3px 3px 0; line-height: 0;
}
.pic img { display: block; }
:focus-visible { outline: 3px solid var(--mark); outline-offset: 1px; }
.hole {
  display: inline-flex; align-items: center; justify-content: center; width: 96px; height: 64px; padding: 4px;
  text-align: center; font-size: .75rem; line-height: 1.2; color: var(--soft); border: 1px dashed var(--line);
}
.hole.failed { color: var(--bad); border-color: var(--bad); }
dialog {
  border: 0; padding: 1rem; max-width: 94vw; max-height: 94vh; background: var(--panel); color: var(--ink);
}
dialog::backdrop { background: rgb(0 0 0 / .7); }
dialog img {
  display: block; width: min(70vh, 84vw); height: min(60vh, 84vw); object-fit: contain; image-rendering: auto;
}
dialog p { white-space: pre-line; font-size: .9rem; max-width: min(70vh, 84vw); margin: .6rem 0; }
dialog button { font: inherit; padding: .3rem .8rem; margin-right: .4rem; }
footer { color: var(--soft); font-size: .8rem; padding: 2rem 1rem; }
@media (max-width: 40rem) {
  body { font-size: 15px; } .grid th:first-child { min-width: 5rem; max-width: 6rem;
  } th, td { padding-right: .5rem; };
}
@media print { dialog, nav { display: none; } }
)css";

constexpr std::string_view kScript = R"js(
(() => {
  const pics = [...document.querySelectorAll('button.pic')];
  const box = document.querySelector('dialog');
  const shown = box.querySelector('img'), words = box.querySelector('p');
  let current = 0;
  const show = (i) => {
    current = (i + pics.length) % pics.length;
    const image = pics[current].querySelector('img');
    shown.src = image.src;
    shown.alt = image.alt;
    words.textContent = pics[current].title;
    if (!box.open) box.showModal();
  };
  pics.forEach((pic, i) => pic.addEventListener('click', () => show(i)));
  box.addEventListener('close', () => pics[current] && pics[current].focus());
  box.addEventListener('click', (event) => { if (event.target === box) box.close(); });
  box.querySelectorAll('button').forEach((button) => button.addEventListener('click', () => {
    if (button.value === 'close') box.close(); else show(current + Number(button.value));
  }));
  const steps = { ArrowRight: 1, ArrowLeft: -1 };
  const beside = (pic, key) => {
    const cell = pic.closest('td');
    if (!cell || (key !== 'ArrowDown' && key !== 'ArrowUp')) return null;
    let row = cell.parentElement;
    do row = key === 'ArrowDown' ? row.nextElementSibling : row.previousElementSibling;
    while (row && !(row.cells[cell.cellIndex] && row.cells[cell.cellIndex].querySelector('.pic')));
    return row ? row.cells[cell.cellIndex].querySelector('.pic') : null;
  };
  document.addEventListener('keydown', (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey || pics.length === 0) return;
    if (box.open) {
      if (event.key in steps) { show(current + steps[event.key]); event.preventDefault(); }
      return;
    }
    const i = pics.indexOf(document.activeElement);
    if (i < 0) return;
    const next = event.key in steps ? pics[i + steps[event.key]] : beside(pics[i], event.key);
    if (next) { next.focus(); event.preventDefault(); }
  });
})();
)js";

/// The digest in the form that a content security policy takes.
std::string script_digest() {
  const auto hex = sha256_hex(kScript);
  std::string bytes;
  for (std::size_t i = 0; i < hex.size(); i += 2) bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  return base64(bytes);
}

constexpr std::string_view kDialog =
    "<dialog aria-label=\"Picture\"><img alt=\"\" src=\"data:image/gif;base64,"
    "R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw==\"><p></p>"
    "<button type=\"button\" value=\"-1\">Previous</button><button type=\"button\" value=\"1\">Next</button>"
    "<button type=\"button\" value=\"close\">Close</button></dialog>\n";

}  // namespace

std::string page_html(const std::string& title, const std::string& body) {
  std::string html =
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; style-src "
      "'unsafe-inline'; script-src 'sha256-";
  html += script_digest();
  html +=
      "'; base-uri 'none'; form-action 'none'\">\n<meta name=\"viewport\" content=\"width=device-width, "
      "initial-scale=1\">\n<link rel=\"icon\" href=\"data:,\">\n<title>";
  html += escape_html(title) + "</title>\n<style>";
  html.append(kStyle).append("</style>\n</head>\n<body>\n").append(body).append(kDialog);
  html.append("<script>").append(kScript).append("</script>\n</body>\n</html>\n");
  return html;
}

}  // namespace atelier::reports
