"use strict";
const { columns, rows } = JSON.parse(document.getElementById("data").textContent);
const PAGE = 100;
const names = columns.map(column => column.name);
const stateColumn = names.indexOf("state");
// Columns in which nothing stands (no sessions, no runs, no failures) are not offered; the tables have them.
const full = names.map((_, n) => n).filter(n => n === 0 || rows.some(row => row.cells[n] !== "n/a"));
const texts = full.filter(n => !columns[n].is_number), numbers = full.filter(n => columns[n].is_number);
const usual = full.filter(n => columns[n].is_chosen);
const order = ["failed", "skipped"];
const rank = row => { const at = order.indexOf(row.cells[stateColumn]); return at < 0 ? order.length : at; };
// Without a choice, what has no result comes first.
const ranked = [...rows].sort((a, b) => rank(a) - rank(b));
const view = { filter: "", sort: -1, down: false, columns: usual };
let page = 0;
const head = document.querySelector("#scans thead"), body = document.querySelector("#scans tbody");
const filter = document.getElementById("filter"), picker = document.getElementById("picker");
const element = (kind, text) => { const made = document.createElement(kind); if (text !== undefined) made.textContent = text; return made; };
const value = (row, n) => { const text = row.cells[n]; return columns[n].is_number ? (text === "n/a" ? NaN : Number(text)) : text; };
// Words must all be in the row; `name>4` and the like compare a column.
function test(word) {
  const compared = /^([a-z0-9_]+)(<=|>=|<|>|=)(.+)$/i.exec(word);
  const n = compared ? names.indexOf(compared[1].toLowerCase()) : -1;
  if (n < 0) {
    // Only what looks like a number is looked for among numbers, of which there are far more.
    const low = word.toLowerCase(), isNumber = /^[-.\d]+$/.test(low);
    return row => (row.low ??= texts.map(n => row.cells[n]).join("\n").toLowerCase()).includes(low)
      || isNumber && numbers.some(n => row.cells[n].includes(low));
  }
  const [, , sign, right] = compared;
  if (!columns[n].is_number) return row => sign === "=" && row.cells[n].toLowerCase() === right.toLowerCase();
  const limit = Number(right);
  const tests = { "<": x => x < limit, ">": x => x > limit, "=": x => x === limit, "<=": x => x <= limit, ">=": x => x >= limit };
  return row => tests[sign](value(row, n));
}
function matching() {
  const tests = view.filter.split(/\s+/).filter(Boolean).map(test);
  const found = ranked.filter(row => tests.every(one => one(row)));
  if (view.sort < 0) return found;
  const sign = view.down ? -1 : 1, compare = new Intl.Collator(undefined, { numeric: true }).compare;
  const keyed = found.map(row => [value(row, view.sort), row]);
  const isNumber = columns[view.sort].is_number;
  keyed.sort(([x], [y]) => {
    if (!isNumber) return sign * compare(x, y);
    if (isNaN(x) || isNaN(y)) return isNaN(x) - isNaN(y); // what is not there comes last either way
    return sign * (x - y);
  });
  return keyed.map(([, row]) => row);
}
function draw() {
  const found = matching(), pages = Math.max(1, Math.ceil(found.length / PAGE));
  page = Math.min(Math.max(page, 0), pages - 1);
  document.getElementById("count").textContent = `${found.length} of ${rows.length}`;
  document.getElementById("page").textContent = `${page + 1} / ${pages}`;
  const line = element("tr");
  view.columns.forEach(n => {
    const { name, label, unit, meaning, is_number } = columns[n];
    const cell = element("th"), button = element("button", label + (view.sort === n ? (view.down ? " ▾" : " ▴") : ""));
    cell.className = is_number ? "number" : "";
    cell.scope = "col";
    cell.title = [name, meaning].filter(Boolean).join(": ");
    cell.ariaSort = view.sort === n ? (view.down ? "descending" : "ascending") : "none";
    button.onclick = () => change({ sort: n, down: view.sort === n ? !view.down : is_number });
    cell.append(button);
    if (unit) cell.append(element("small", unit));
    line.append(cell);
  });
  head.replaceChildren(line);
  body.replaceChildren(...found.slice(page * PAGE, (page + 1) * PAGE).map(row => {
    const line = element("tr");
    line.className = stateColumn < 0 ? "" : row.cells[stateColumn];
    view.columns.forEach(n => {
      const text = row.cells[n];
      const cell = element("td"); cell.className = columns[n].is_number ? "number" : ""; cell.title = text;
      if (n === 0 && row.link) { const link = element("a", text); link.href = row.link; cell.append(link); } else cell.textContent = text;
      line.append(cell);
    });
    return line;
  }));
}
// What is chosen stands in the address, so that it can be kept and passed on.
function address() {
  const parts = new URLSearchParams();
  if (view.filter) parts.set("filter", view.filter);
  if (view.sort >= 0) parts.set("sort", (view.down ? "-" : "") + names[view.sort]);
  if (view.columns.join() !== usual.join()) parts.set("columns", view.columns.map(n => names[n]).join(","));
  return `#${parts}`;
}
function change(what) {
  Object.assign(view, what);
  page = 0;
  if (location.hash !== address() && (location.hash || address() !== "#")) location.replace(address());
  draw();
}
function fromAddress() {
  if (location.hash && location.hash === address()) return;
  const parts = new URLSearchParams(location.hash.slice(1));
  const sort = parts.get("sort") ?? "", wanted = parts.get("columns")?.split(",").map(name => names.indexOf(name)).filter(n => full.includes(n));
  view.filter = filter.value = parts.get("filter") ?? "";
  view.down = sort.startsWith("-");
  view.sort = names.indexOf(sort.replace(/^-/, ""));
  view.columns = wanted?.length ? wanted : usual;
  page = 0;
  picker.replaceChildren(...full.map(n => {
    const label = element("label"), box = element("input");
    box.type = "checkbox"; box.checked = view.columns.includes(n); box.disabled = n === 0;
    label.title = columns[n].meaning;
    box.onchange = () => change({ columns: box.checked ? [...view.columns, n] : view.columns.filter(other => other !== n) });
    label.append(box, ` ${columns[n].label}${columns[n].unit ? `, ${columns[n].unit}` : ""}`);
    return label;
  }));
  draw();
}
// A cell that a spreadsheet would take for a formula begins with an apostrophe; numbers stay numbers.
const safe = text => /^[=+\-@\t\r]/.test(text) && isNaN(Number(text)) ? `'${text}` : text;
const quoted = text => /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
function csv() {
  const line = cells => cells.map(text => quoted(safe(text))).join(",");
  return [line(names), ...matching().map(row => line(row.cells))].join("\r\n") + "\r\n";
}
document.getElementById("export").onclick = () => {
  const link = element("a");
  link.href = URL.createObjectURL(new Blob([csv()], { type: "text/csv" }));
  link.download = "scans.csv";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
};
filter.oninput = () => change({ filter: filter.value });
document.getElementById("back").onclick = () => { page--; draw(); };
document.getElementById("next").onclick = () => { page++; draw(); };
addEventListener("hashchange", fromAddress);
fromAddress();
