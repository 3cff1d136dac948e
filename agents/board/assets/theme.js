// Runs before the first paint: the theme that was chosen here before, and the wall screen (dark unless chosen otherwise).
const root = document.documentElement;
const wall = new URLSearchParams(location.search).get("wall") === "1";
root.classList.toggle("wall", wall);
let chosen = null;
try {
  chosen = localStorage.getItem("theme");
} catch {
  // storage is off: the system's theme it is
}
if (chosen === "dark" || chosen === "light") root.dataset.theme = chosen;
else if (wall) root.dataset.theme = "dark";
