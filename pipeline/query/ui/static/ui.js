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

// The current page stands in view in the strips of pages.
for (const here of document.querySelectorAll(".side nav [aria-current], .tabs [aria-current]")) {
  here.scrollIntoView({ block: "nearest", inline: "center" });
}

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

// Drawings as PNG: the SVG file, painted at twice its size.
for (const button of document.querySelectorAll("button[data-png]")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    const text = await (await fetch(button.dataset.png)).text();
    const source = URL.createObjectURL(new Blob([text], { type: "image/svg+xml" }));
    const picture = new Image();
    picture.src = source;
    await picture.decode();
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [picture.naturalWidth * 2, picture.naturalHeight * 2];
    const brush = canvas.getContext("2d");
    brush.fillStyle = "#fff";
    brush.fillRect(0, 0, canvas.width, canvas.height);
    brush.drawImage(picture, 0, 0, canvas.width, canvas.height);
    URL.revokeObjectURL(source);
    const link = document.createElement("a");
    link.href = URL.createObjectURL(await new Promise((done) => canvas.toBlob(done, "image/png")));
    link.download = button.dataset.name;
    link.click();
    URL.revokeObjectURL(link.href);
  });
}

// A message of a ladder opens the list that has its headers.
const unfold = () => {
  const target = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  for (let part = target; part; part = part.parentElement) {
    if (part.tagName === "DETAILS") part.open = true;
  }
  if (target) target.scrollIntoView({ block: "nearest" });
};
addEventListener("hashchange", unfold);
unfold();

// Columns can be put in another order: a column moves up.
for (const item of document.querySelectorAll(".order li")) {
  const up = document.createElement("button");
  up.type = "button";
  up.textContent = "↑";
  up.setAttribute("aria-label", `${item.textContent.trim()} ↑`);
  up.addEventListener("click", () => {
    item.previousElementSibling?.before(item);
    up.focus();
  });
  item.append(up);
}

// A file that is chosen becomes the text that is sent.
for (const label of document.querySelectorAll("label[data-into]")) {
  label.hidden = false;
  const form = label.closest("form");
  label.querySelector("input").addEventListener("change", async (event) => {
    const file = event.target.files[0];
    if (!file) return;
    form.elements[label.dataset.into].value = await file.text();
    const csv = form.querySelector("[name=form][value=csv]");
    if (csv && file.name.toLowerCase().endsWith(".csv")) csv.checked = true;
  });
}

// A part of a timeline that is drawn over with the pointer is shown closer.
for (const box of document.querySelectorAll("[data-zoom]")) {
  const drawing = box.querySelector("svg");
  const [left, right, width] = box.dataset.edges.split("-").map(Number);
  const [first, end] = box.dataset.zoom.split("-").map(Number);
  const mark = document.createElement("div");
  mark.className = "marked";
  mark.hidden = true;
  box.append(mark);
  const within = (event) => {
    const place = drawing.getBoundingClientRect();
    const at = ((event.clientX - place.left) / place.width) * width;
    return Math.min(Math.max((at - left) / (width - left - right), 0), 1);
  };
  let from = null;
  const show = (to) => {
    const place = drawing.getBoundingClientRect();
    const home = box.getBoundingClientRect();
    const scale = place.width / width;
    const x = (share) => place.left - home.left + box.scrollLeft + (left + share * (width - left - right)) * scale;
    mark.style.left = `${x(Math.min(from, to))}px`;
    mark.style.width = `${x(Math.max(from, to)) - x(Math.min(from, to))}px`;
    mark.hidden = false;
  };
  drawing.addEventListener("pointerdown", (event) => {
    if (event.button || event.pointerType === "touch") return;
    event.preventDefault();
    from = within(event);
    drawing.setPointerCapture(event.pointerId);
  });
  drawing.addEventListener("pointermove", (event) => {
    if (from !== null) show(within(event));
  });
  drawing.addEventListener("pointerup", (event) => {
    const ends = [from, within(event)].sort((a, b) => a - b);
    from = null;
    mark.hidden = true;
    if (ends[1] - ends[0] < 0.02) return;
    const asked = new URLSearchParams(location.search);
    asked.set("zoom", ends.map((share) => Math.round(first + share * (end - first))).join("-"));
    location.href = `?${asked}#timeline`;
  });
}
