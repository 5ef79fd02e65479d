// Makes the pages nicer. Everything works without it.
"use strict";

// Times: "3 days ago" for what is recent, with the moment itself as the title.
const UNITS = [["year", 31557600], ["month", 2629800], ["day", 86400], ["hour", 3600], ["minute", 60]];
const words = new Intl.RelativeTimeFormat("en", { numeric: "auto" });

function relative(date) {
  const seconds = (date - Date.now()) / 1000;
  for (const [unit, size] of UNITS) {
    if (Math.abs(seconds) >= size) return words.format(Math.round(seconds / size), unit);
  }
  return "just now";
}

for (const time of document.querySelectorAll("time[datetime]")) {
  const date = new Date(time.dateTime);
  if (Number.isNaN(date.getTime())) continue;
  time.title = time.textContent;
  time.textContent = relative(date);
}

// Copy buttons, where the browser lets a page write to the clipboard.
if (navigator.clipboard) {
  for (const source of document.querySelectorAll("[data-copy]")) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Copy";
    button.setAttribute("aria-live", "polite");
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(source.textContent);
        button.textContent = "Copied";
      } catch {
        button.textContent = "Not copied";
      }
      setTimeout(() => { button.textContent = "Copy"; }, 2000);
    });
    source.after(button);
  }
}

// Filters the rows of a table while somebody types. Enter asks the server, which has all rows.
for (const input of document.querySelectorAll("input[data-filter]")) {
  const rows = document.querySelectorAll(`#${input.dataset.filter} tbody tr`);
  input.addEventListener("input", () => {
    const wanted = input.value.trim().toLowerCase();
    for (const row of rows) row.hidden = !row.textContent.toLowerCase().includes(wanted);
  });
}

// Code in a form: line numbers next to it, and the tab key. Escape, then Tab, leaves the field.
for (const area of document.querySelectorAll("textarea.code")) {
  const gutter = document.createElement("pre");
  const editor = document.createElement("div");
  gutter.className = "gutter";
  gutter.setAttribute("aria-hidden", "true");
  editor.className = "editor";
  area.before(editor);
  editor.append(gutter, area);
  const number = () => {
    const count = area.value.split("\n").length;
    gutter.textContent = Array.from({ length: count }, (_, line) => line + 1).join("\n");
    gutter.style.height = `${area.clientHeight}px`;
    gutter.scrollTop = area.scrollTop;
  };
  number();
  area.addEventListener("input", number);
  area.addEventListener("scroll", () => { gutter.scrollTop = area.scrollTop; });
  new ResizeObserver(number).observe(area);
  let leaves = false;
  area.addEventListener("keydown", (event) => {
    if (event.key === "Tab" && !event.shiftKey && !leaves) {
      event.preventDefault();
      area.setRangeText("    ", area.selectionStart, area.selectionEnd, "end");
      area.dispatchEvent(new Event("input"));
    }
    leaves = event.key === "Escape";
  });
}

// In the difference of a change, the number of a line fills in the form of a comment.
const comment = document.getElementById("comment");
if (comment) {
  for (const link of document.querySelectorAll(".diff a.n")) {
    link.addEventListener("click", (event) => {
      event.preventDefault();
      comment.elements.path.value = link.closest(".diff").dataset.path;
      comment.elements.line.value = link.textContent.trim();
      comment.elements.text.focus();
    });
  }
}
