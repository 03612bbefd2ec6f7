// The page itself: folded parts are printed open, also by browsers that do not know ::details-content, but for closed explorers.
addEventListener("beforeprint", () => {
  for (const part of document.querySelectorAll("details:not(.explore, .without)")) part.open = true;
});
