// Shows times in the viewer's time zone, live updates, and countdowns. The pages also work without this script.
"use strict";

function toLocalTimes(root) {
  for (const element of root.querySelectorAll("time[datetime]:not([data-local])")) {
    const moment = new Date(element.dateTime);
    element.dataset.local = "yes";
    element.title = element.dateTime.replace("T", " ").replace(/(\.\d+)?Z$/, " UTC");
    element.textContent = moment.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" });
  }
}

function left(seconds) {
  const minutes = Math.floor(seconds / 60);
  if (seconds <= 0) {
    return "now";
  }
  if (minutes >= 2880) {
    return `${Math.floor(minutes / 1440)} days`;
  }
  if (minutes >= 60) {
    return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  }
  return minutes > 0 ? `${minutes} min ${seconds % 60} s` : `${seconds} s`;
}

function countDown() {
  for (const element of document.querySelectorAll("[data-until]")) {
    const seconds = Math.round((new Date(element.dataset.until) - Date.now()) / 1000);
    element.textContent = left(seconds);
    element.classList.toggle("critical", seconds < 300 && element.closest(".review") !== null);
  }
  for (const element of document.querySelectorAll("[data-from]")) {
    const seconds = Math.max(1, Math.round((Date.now() - new Date(element.dataset.from)) / 1000));
    element.title ||= element.dataset.from.replace("T", " ").replace("Z", " UTC");
    element.textContent = left(seconds) + ("ago" in element.dataset ? " ago" : "");
  }
}

// Don't update the page while the user decides on a review or types: offer a button that shows the changes.
function busy(element) {
  const active = document.activeElement;
  return element.querySelector(".decide") !== null || (element.contains(active) && active.tagName !== "A");
}

function place(details) {
  const card = details.closest(".card")?.querySelector("h2, h3")?.textContent ?? "";
  return card + details.querySelector("summary").textContent;
}

function refresh(element) {
  const open = new Set([...element.querySelectorAll("details[open]")].map(place));
  const link = element.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
  document.body.addEventListener(
    "htmx:afterSwap",
    () => {
      toLocalTimes(document);
      countDown();
      for (const details of document.querySelectorAll("[data-live] details")) {
        details.open ||= open.has(place(details));
      }
      const links = [...document.querySelectorAll("[data-live] a")];
      links.find((one) => link !== null && one.getAttribute("href") === link)?.focus();
    },
    { once: true },
  );
  document.querySelector("[data-news]").hidden = true;
  htmx.trigger(element, "live");
}

function follow() {
  const live = () => document.querySelector("[data-live]");
  if (!live()) {
    return;
  }
  const news = document.querySelector("[data-news]");
  const over = () => {
    news.dataset.over = "yes";
    news.textContent = "This page is out of date. Reload it.";
    news.hidden = false;
  };
  news.addEventListener("click", () => (news.dataset.over ? location.reload() : refresh(live())));
  document.body.addEventListener("htmx:responseError", over);
  const feed = new EventSource("/events");
  feed.addEventListener("changed", () => {
    if (busy(live())) {
      news.hidden = false;
    } else {
      refresh(live());
    }
  });
  feed.addEventListener("error", () => feed.readyState === EventSource.CLOSED && over());
  window.addEventListener("pagehide", () => feed.close());
}

function theme() {
  document.querySelector("[data-theme-switch]")?.addEventListener("click", () => {
    const root = document.documentElement;
    const dark = root.dataset.theme
      ? root.dataset.theme === "dark"
      : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    localStorage.setItem("theme", root.dataset.theme);
  });
}

document.addEventListener("DOMContentLoaded", () => {
  theme();
  toLocalTimes(document);
  countDown();
  setInterval(countDown, 1000);
  follow();
});
