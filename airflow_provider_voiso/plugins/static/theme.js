// Light or dark, as Airflow is set. A plain script runs before the page is first drawn.
"use strict";

(() => {
  const system = matchMedia("(prefers-color-scheme: dark)");

  function show() {
    let chosen = null;
    try {
      chosen = localStorage.getItem("theme");
    } catch {
      // Storage is blocked: follow the system.
    }
    const isDark = chosen === "dark" || (chosen !== "light" && system.matches);
    document.documentElement.classList.toggle("dark", isDark);
  }

  show();
  system.addEventListener("change", show);
  // Airflow's page around the frame, or another tab, has changed its theme.
  addEventListener("storage", show);
})();
