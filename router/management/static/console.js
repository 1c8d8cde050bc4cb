// Times in the viewer's zone, live parts, a countdown: all that the pages do by themselves. They work without it, too.
"use strict";

function toLocalTimes(root) {
  for (const element of root.querySelectorAll("time[datetime]:not([data-local])")) {
    const moment = new Date(element.dateTime);
    element.dataset.local = "yes";
    element.title = element.dateTime.replace("T", " ").replace(/(\.\d+)?Z$/, " UTC");
    element.textContent = moment.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" });
  }
}

function countDown() {
  for (const element of document.querySelectorAll("[data-until]")) {
    const left = Math.max(0, Math.round((new Date(element.dataset.until) - Date.now()) / 1000));
    const minutes = Math.floor(left / 60);
    element.textContent = left === 0 ? "now" : minutes > 0 ? `${minutes} min ${left % 60} s` : `${left} s`;
  }
}

function follow() {
  if (!document.querySelector("[data-live]")) {
    return;
  }
  const feed = new EventSource("/events");
  feed.addEventListener("changed", () => {
    for (const element of document.querySelectorAll("[data-live]")) {
      // Whoever is typing or deciding there is not interrupted.
      if (!element.contains(document.activeElement) || document.activeElement.tagName === "A") {
        htmx.trigger(element, "live");
      }
    }
  });
  window.addEventListener("pagehide", () => feed.close());
}

function theme() {
  const button = document.querySelector("[data-theme-switch]");
  const kept = localStorage.getItem("theme");
  if (kept) {
    document.documentElement.dataset.theme = kept;
  }
  button?.addEventListener("click", () => {
    const dark = document.documentElement.dataset.theme
      ? document.documentElement.dataset.theme === "dark"
      : matchMedia("(prefers-color-scheme: dark)").matches;
    document.documentElement.dataset.theme = dark ? "light" : "dark";
    localStorage.setItem("theme", document.documentElement.dataset.theme);
  });
}

document.addEventListener("DOMContentLoaded", () => {
  theme();
  toLocalTimes(document);
  countDown();
  setInterval(countDown, 1000);
  follow();
  document.body.addEventListener("htmx:afterSwap", () => {
    toLocalTimes(document);
    countDown();
  });
});
