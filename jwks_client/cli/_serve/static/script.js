// The page works without this. It adds buttons that copy, where the browser lets a page copy.
"use strict";

const COPIED_FOR = 2000; // milliseconds

if (navigator.clipboard) {
  for (const button of document.querySelectorAll("button[data-copies]")) {
    const source = document.getElementById(button.dataset.copies);
    const label = button.textContent;
    let timer;
    button.hidden = false;
    button.addEventListener("click", async () => {
      let said = "Copied";
      try {
        await navigator.clipboard.writeText(source.textContent);
      } catch {
        getSelection().selectAllChildren(source);
        said = "Selected: copy it now";
      }
      button.textContent = said;
      document.getElementById("said").textContent = said;
      clearTimeout(timer);
      timer = setTimeout(() => {
        button.textContent = label;
        document.getElementById("said").textContent = "";
      }, COPIED_FOR);
    });
  }
}
