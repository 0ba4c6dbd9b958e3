"use strict";
// Tables of more than two rows can be sorted by any column: numbers by what they mean, words by the alphabet.
const factors = { ns: 1e-9, "µs": 1e-6, ms: 1e-3, s: 1, min: 60, B: 1, kB: 1024, MB: 1048576, GB: 1073741824, TB: 1099511627776, "%": 0.01 };
function meaning(text) {
  const found = text.replace(/[,\s]+/g, (gap) => (gap.includes(",") ? "" : " ")).trim()
    .match(/^[+<>=≥≤ ]*([−-]?\d+(?:\.\d+)?)\s*([a-zµ%]+)?/i);
  if (!found) return null;
  return parseFloat(found[1].replace("−", "-")) * (factors[found[2]] ?? 1);
}
for (const table of document.querySelectorAll("main table")) {
  const body = table.tBodies[0];
  if (!table.tHead || !body || body.rows.length < 3) continue;
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    if (!head.textContent.trim()) return;
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    button.title = "Sort by this column";
    head.append(button);
    button.addEventListener("click", () => {
      const up = head.getAttribute("aria-sort") !== "ascending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const rows = [...body.rows].map((row) => {
        const text = (row.cells[column]?.textContent ?? "").trim();
        return { row, text, value: meaning(text) };
      });
      rows.sort((a, b) => {
        if (a.value === null && b.value === null) return (up ? 1 : -1) * a.text.localeCompare(b.text);
        if (a.value === null || b.value === null) return a.value === null ? 1 : -1;
        return (up ? 1 : -1) * (a.value - b.value);
      });
      body.append(...rows.map(({ row }) => row));
    });
  });
}
