"use strict";
// What makes pages pleasanter where scripts run. Everything can be read without it.

// A menu closes when one clicks beside it or presses Escape.
document.addEventListener("click", (event) => {
  for (const open of document.querySelectorAll("details.pop[open]")) {
    if (!open.contains(event.target)) open.open = false;
  }
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  const open = document.querySelector("details.pop[open]");
  if (open) {
    open.open = false;
    open.querySelector("summary").focus();
  }
});

// The zone of this device, first in the list of zones.
for (const select of document.querySelectorAll("select[data-own-zone]")) {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (zone && ![...select.options].slice(0, 2).some((option) => option.value === zone)) {
    const option = new Option(`${select.dataset.ownZone} ${zone}`, zone);
    select.insertBefore(option, select.options[1]);
  }
}

// The current page stands in view in the strip of pages.
document.querySelector(".side nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });

// Tables with whole rows: up and down walk, enter opens, / goes to the search.
const typing = (element) => element.matches?.("input, select, textarea, [contenteditable]");
const rows = () => [...document.querySelectorAll("tr.whole")];
const choose = (row) => {
  for (const other of document.querySelectorAll("tr.whole[data-chosen]")) delete other.dataset.chosen;
  if (!row) return;
  row.dataset.chosen = "";
  row.querySelector("a").focus({ preventScroll: true });
  row.scrollIntoView({ block: "nearest" });
};
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "/" && !typing(event.target)) {
    const box = document.querySelector("input[type=search]");
    if (box) {
      event.preventDefault();
      box.focus();
      box.select();
    }
    return;
  }
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step || (typing(event.target) && event.target.type !== "search") || !rows().length) return;
  if (event.target.closest?.("details.pop, [role=listbox]")) return;
  const all = rows();
  const at = all.findIndex((row) => row.contains(document.activeElement));
  event.preventDefault();
  choose(all[Math.min(Math.max(at + step, 0), all.length - 1)]);
});
document.addEventListener("click", (event) => {
  const row = event.target.closest?.("tr.whole");
  if (!row || event.target.closest("a, button, input, label") || String(getSelection())) return;
  const link = row.querySelector("a");
  if (event.ctrlKey || event.metaKey) open(link.href);
  else link.click();
});
