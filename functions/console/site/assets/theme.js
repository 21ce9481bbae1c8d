// Before the first paint, so that no page flashes in the other theme.
document.documentElement.dataset.script = "";
try {
  const theme = localStorage.getItem("losi-theme");
  if (theme) document.documentElement.dataset.theme = theme;
} catch { /* no storage: the system's theme */ }
