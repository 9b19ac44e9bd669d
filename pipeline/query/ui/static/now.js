"use strict";
// Keeps the board live, and says so when it is not.
const board = document.getElementById("board");
const liveness = document.getElementById("liveness");
const tag = liveness.querySelector(".tag");
let heard = Date.now(); // when the service last said something, by this clock
let ahead = 0; // how far the service's clock is ahead of this one

const clock = (ms) => {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const two = (number) => String(number).padStart(2, "0");
  const minutes = Math.floor(seconds / 60) % 60;
  const hours = Math.floor(seconds / 3600);
  return hours ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
};
const show = () => {
  const now = Date.now();
  for (const each of board.querySelectorAll("[data-since]")) {
    each.textContent = clock(now + ahead - Number(each.dataset.since));
  }
  const live = now - heard < 3500;
  const word = live ? liveness.dataset.live : `${liveness.dataset.lost} ${new Date(heard).toLocaleTimeString()}`;
  if (tag.textContent !== word) tag.textContent = word;
  tag.className = `tag ${live ? "good" : "bad"}`;
  board.classList.toggle("stale", !live);
};

const source = new EventSource("/ui/now/stream");
source.addEventListener("board", (event) => {
  const focused = board.contains(document.activeElement) && document.activeElement.getAttribute("href");
  board.innerHTML = event.data;
  if (focused) board.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
  show();
});
source.addEventListener("tick", (event) => {
  heard = Date.now();
  ahead = Number(event.data) - heard;
  show();
});
setInterval(show, 500);
addEventListener("pagehide", () => source.close());

if (document.body.classList.contains("wall")) {
  document.addEventListener("click", () => document.documentElement.requestFullscreen?.().catch(() => {}), { once: true });
}
