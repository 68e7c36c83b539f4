// Tables that can be sorted, and nothing folded on paper. The page is whole without this.
"use strict";
const LAST = ["(missing)", "(all)"];

/** The number that a cell begins with; null where it has none. */
function number(text) {
  const found = /^[[(<>]*([-+]?[\d,]*\.?\d+(?:e[-+]?\d+)?)/.exec(text);
  return found ? Number(found[1].replaceAll(",", "")) : null;
}

/** Rows by a column, either way; what has no value stays last, and all records after that. */
function order(rows, column, sign) {
  const text = (row, n) => row.cells[n].textContent.trim();
  const cells = rows.map((row) => text(row, column)).filter((cell) => cell && cell !== "-");
  const numeric = column > 0 && cells.every((cell) => number(cell) !== null);
  const key = (row) => (numeric ? number(text(row, column)) : text(row, column));
  const none = (row) => ["", "-"].includes(text(row, column));
  const compare = numeric ? (a, b) => a - b : (a, b) => a.localeCompare(b, "en");
  return [...rows].sort(
    (a, b) =>
      LAST.indexOf(text(a, 0)) - LAST.indexOf(text(b, 0)) ||
      none(a) - none(b) ||
      (none(a) ? 0 : sign * compare(key(a), key(b)))
  );
}

function sortable(table) {
  const heads = [...table.tHead.rows[0].cells];
  const body = table.tBodies[0];
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const rising = head.getAttribute("aria-sort") !== "ascending";
      heads.forEach((each) => each.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", rising ? "ascending" : "descending");
      body.append(...order([...body.rows], column, rising ? 1 : -1));
    });
  });
}

for (const table of document.querySelectorAll("table")) {
  if (table.tHead && table.tBodies[0].rows.length > 2) sortable(table);
}

let opened = [];
addEventListener("beforeprint", () => {
  opened = [...document.querySelectorAll("details:not([open])")];
  opened.forEach((each) => (each.open = true));
});
addEventListener("afterprint", () => opened.forEach((each) => (each.open = false)));
