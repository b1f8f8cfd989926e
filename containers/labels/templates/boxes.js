// Boxes in pixels of the picture; the list lies in the form as JSON.
const board = document.getElementById("board"), group = document.getElementById("boxes");
const field = document.getElementById("value"), names = [...document.querySelectorAll("[data-class]")];
const [, , wide, high] = board.getAttribute("viewBox").split(" ").map(Number);
const boxes = JSON.parse(field.value);
let current = boxes.length - 1, chosen = 0, corner = null;

const within = (value, least, most) => Math.max(least, Math.min(most, Math.round(value)));
function draw() {
  group.replaceChildren();
  boxes.forEach((box, number) => {
    const make = (kind, facts) => {
      const made = document.createElementNS("http://www.w3.org/2000/svg", kind);
      for (const [name, value] of Object.entries(facts)) made.setAttribute(name, value);
      return group.appendChild(made);
    };
    const part = make("rect", { x: box.left, y: box.top, width: box.width, height: box.height });
    if (number === current) part.classList.add("current");
    const height = high / 25;
    const text = make("text", { x: box.left + height / 5, y: box.top + height, "font-size": height });
    text.textContent = names[box.class_id].textContent.trim().slice(1).trim();
  });
  names.forEach((button, number) => button.classList.toggle("chosen", number === (boxes[current]?.class_id ?? chosen)));
  field.value = JSON.stringify(boxes);
}
function put(box) {
  box.width = within(box.width, 1, wide); box.height = within(box.height, 1, high);
  box.left = within(box.left, 0, wide - box.width); box.top = within(box.top, 0, high - box.height);
}
function add(left, top, width, height) {
  const box = { class_id: chosen, left, top, width, height };
  put(box); current = boxes.push(box) - 1;
}
names.forEach((button, number) => button.addEventListener("click", () => {
  chosen = number;
  if (boxes[current]) boxes[current].class_id = number;
  draw();
}));
function point(event) {
  const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(board.getScreenCTM().inverse());
  return [within(at.x, 0, wide), within(at.y, 0, high)];
}
board.addEventListener("pointerdown", (event) => { corner = point(event); board.setPointerCapture(event.pointerId); });
board.addEventListener("pointerup", (event) => {
  if (!corner) return;
  const [x, y] = point(event), [a, b] = corner;
  corner = null;
  if (Math.abs(x - a) > 2 && Math.abs(y - b) > 2) add(Math.min(a, x), Math.min(b, y), Math.abs(x - a), Math.abs(y - b));
  else current = boxes.findLastIndex((one) => a >= one.left && a <= one.left + one.width && b >= one.top && b <= one.top + one.height);
  draw();
});
const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
document.addEventListener("keydown", (event) => {
  const box = boxes[current], step = STEPS[event.key];
  if (step && box) {
    const far = event.ctrlKey ? 1 : Math.max(1, Math.round(Math.min(wide, high) / 40));
    if (event.shiftKey) {
      box.width = within(box.width + step[0] * far, 1, wide - box.left);
      box.height = within(box.height + step[1] * far, 1, high - box.top);
    } else { box.left += step[0] * far; box.top += step[1] * far; put(box); }
  } else if (event.key === "n" && !event.ctrlKey && !event.metaKey) add(wide * 3 / 8, high * 3 / 8, wide / 4, high / 4);
  else if ((event.key === "Delete" || event.key === "Backspace") && box) {
    boxes.splice(current, 1); current = boxes.length - 1;
  } else if (event.key === "Tab" && boxes.length > 1) current = (current + (event.shiftKey ? boxes.length - 1 : 1)) % boxes.length;
  else return;
  event.preventDefault(); draw();
}, true);
draw();
