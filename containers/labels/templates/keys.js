// A key is a click on what carries it. One press, one answer: what is held down answers once.
document.addEventListener("keydown", (event) => {
  if (event.repeat || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  const target = document.querySelector(`[data-key="${CSS.escape(event.key)}"]`);
  if (target) { event.preventDefault(); target.click(); }
});
let sent = false;
for (const form of document.forms) {
  form.addEventListener("submit", (event) => { if (sent) event.preventDefault(); sent = true; });
}
