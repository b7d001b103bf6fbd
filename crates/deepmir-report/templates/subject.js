"use strict";
const cards = () => [...document.querySelectorAll(".card")].filter(card => card.checkVisibility());
const outlines = document.getElementById("outlines");
// The card in view: the one with the focus, else the first one that is not above the window.
function step(by) {
  const all = cards();
  const focused = all.indexOf(document.activeElement.closest(".card"));
  const inView = all.findIndex(card => card.getBoundingClientRect().bottom > 120);
  const next = focused >= 0 ? focused + by : by > 0 ? inView : inView - 1;
  const card = all[Math.min(Math.max(next, 0), all.length - 1)];
  if (!card) return;
  card.focus({ preventScroll: true });
  card.scrollIntoView();
}
document.getElementById("next").onclick = () => step(1);
document.getElementById("back").onclick = () => step(-1);
document.addEventListener("keydown", event => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input:not([type=checkbox]), select, textarea")) return;
  const actions = { j: () => step(1), k: () => step(-1), o: () => { outlines.checked = !outlines.checked; } };
  actions[event.key]?.();
});
// Text that a spreadsheet would take for a formula begins with an apostrophe; numbers stay numbers.
const safe = text => /^[=+\-@\t\r]/.test(text) && isNaN(Number(text)) ? `'${text}` : text;
const table = document.getElementById("lesions"), copy = document.getElementById("copy"), copied = document.getElementById("copied");
copy.hidden = !table;
copy.onclick = async () => {
  const text = [...table.rows].map(row => [...row.cells].map(cell => safe(cell.textContent)).join("\t")).join("\n");
  try {
    await navigator.clipboard.writeText(text);
    copied.textContent = `${table.rows.length - 1} rows copied`;
  } catch {
    // Without permission the rows are marked instead.
    getSelection().selectAllChildren(table);
    copied.textContent = "marked: press Ctrl+C";
  }
};
// What is folded is printed, too.
let folded = [];
addEventListener("beforeprint", () => { folded = [...document.querySelectorAll("details:not([open])")]; folded.forEach(one => { one.open = true; }); });
addEventListener("afterprint", () => folded.forEach(one => { one.open = false; }));
// A link to something folded opens it.
function reveal() {
  const target = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
  const around = target && target.closest("details");
  if (around) { around.open = true; target.scrollIntoView(); }
}
addEventListener("hashchange", reveal);
reveal();
