"use strict";
// The page reads well without this: it adds the map, pages of samples and the switch of themes. Texts of the data are only
// ever set as text.

const dark = matchMedia("(prefers-color-scheme: dark)");

function theme() {
  return document.documentElement.dataset.theme || (dark.matches ? "dark" : "light");
}

function wireTheme(redraw) {
  const button = document.getElementById("theme");
  button.hidden = false;
  button.addEventListener("click", () => {
    document.documentElement.dataset.theme = theme() === "dark" ? "light" : "dark";
    redraw();
  });
  dark.addEventListener("change", redraw);
}

function made(name, text, kind) {
  const element = document.createElement(name);
  element.textContent = text;
  if (kind) element.className = kind;
  return element;
}

function wirePages(box) {
  const items = [...box.children];
  const each = Number(box.dataset.each);
  const pages = Math.ceil(items.length / each);
  let page = 0;
  const bar = made("div", "", "pager");
  const back = made("button", "Previous");
  const next = made("button", "Next");
  const where = made("span", "");
  where.setAttribute("role", "status");
  function show(to) {
    page = to;
    items.forEach((item, at) => { item.hidden = Math.floor(at / each) !== page; item.style.display = item.hidden ? "none" : ""; });
    where.textContent = `${page * each + 1} to ${Math.min(items.length, page * each + each)} of ${items.length}`;
    back.disabled = page === 0;
    next.disabled = page === pages - 1;
  }
  for (const [button, step] of [[back, -1], [next, 1]]) {
    button.type = "button";
    button.setAttribute("aria-label", `${button.textContent} ${box.dataset.what}`);
    button.addEventListener("click", () => show(page + step));
  }
  bar.append(back, next, where);
  if (pages > 1) box.after(bar);
  show(0);
}

function numbers(packed) {
  const bytes = Uint8Array.from(atob(packed), (letter) => letter.charCodeAt(0));
  const view = new DataView(bytes.buffer);
  return Array.from({ length: bytes.length / 2 }, (_, at) => view.getUint16(2 * at, true));
}

function wireMap(canvas) {
  const data = JSON.parse(document.getElementById("map-data").textContent);
  const tip = document.getElementById("map-tip");
  const x = numbers(data.x), y = numbers(data.y), source = numbers(data.source), fate = numbers(data.fate);
  const FULL = 65535, EDGE = 16;
  const hidden = new Set();
  const radius = x.length > 1500 ? 2.6 : x.length > 400 ? 3.4 : 4.6;
  let chosen = -1, pinned = false, wide = 0, high = 0;

  const left = (at) => EDGE + x[at] / FULL * (wide - 2 * EDGE);
  const top = (at) => EDGE + (1 - y[at] / FULL) * (high - 2 * EDGE);
  const shown = (at) => !hidden.has(`source-${source[at]}`) && !hidden.has(fate[at] ? "gone" : "kept");
  const all = x.map((_, at) => at);

  function draw(printed) {
    const style = getComputedStyle(document.documentElement);
    const look = printed === true ? "light" : theme();
    const colour = (name) => style.getPropertyValue(`--${look}-${name}`).trim();
    const scale = Math.max(2, window.devicePixelRatio || 1);
    wide = canvas.clientWidth;
    high = canvas.clientHeight;
    canvas.width = wide * scale;
    canvas.height = high * scale;
    const pen = canvas.getContext("2d");
    pen.scale(scale, scale);
    for (const gone of [true, false]) {  // what stayed lies on top
      for (const at of all) {
        if (Boolean(fate[at]) !== gone || !shown(at)) continue;
        pen.beginPath();
        pen.arc(left(at), top(at), radius, 0, 7);
        const paint = colour(`source${data.colours[source[at]]}`);
        if (gone) {
          pen.globalAlpha = 0.8;
          pen.lineWidth = 1.3;
          pen.strokeStyle = paint;
          pen.stroke();
        } else {
          pen.globalAlpha = 0.78;
          pen.fillStyle = paint;
          pen.fill();
        }
      }
    }
    pen.globalAlpha = 1;
    if (chosen >= 0 && printed !== true) {
      pen.beginPath();
      pen.arc(left(chosen), top(chosen), radius + 4, 0, 7);
      pen.lineWidth = 2;
      pen.strokeStyle = colour("ink");
      pen.stroke();
    }
  }

  function choose(at, pin) {
    chosen = at;
    wide = canvas.clientWidth;
    high = canvas.clientHeight;
    pinned = pin && at >= 0;
    tip.hidden = at < 0;
    tip.toggleAttribute("data-pinned", pinned);
    if (at >= 0) {
      const stage = fate[at] ? `rejected at ${data.stages[fate[at] - 1]}` : "kept";
      tip.replaceChildren(
        made("p", data.texts[at]),
        made("p", `${data.names[source[at]]}, ${stage}`, "who"),
        made("p", data.ids[at], "who"));
      const rightward = Math.min(left(at) + 12, wide - tip.offsetWidth - 8);
      const under = top(at) + 22 + tip.offsetHeight < high ? top(at) + 14 : top(at) - tip.offsetHeight - 12;
      tip.style.transform = `translate(${Math.max(8, rightward)}px, ${Math.max(8, under)}px)`;
    }
    draw();
  }

  function nearest(event, reach) {
    const box = canvas.getBoundingClientRect();
    const px = event.clientX - box.left, py = event.clientY - box.top;
    let best = -1, least = reach * reach;
    for (const at of all) {
      const apart = (left(at) - px) ** 2 + (top(at) - py) ** 2;
      if (apart < least && shown(at)) { least = apart; best = at; }
    }
    return best;
  }

  const ways = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] };

  // The nearest dot on that side, what lies straight ahead counting as nearer.
  function beside([dx, dy]) {
    if (chosen < 0) return all.find(shown) ?? -1;
    let best = chosen, least = Infinity;
    for (const at of all) {
      const ahead = (left(at) - left(chosen)) * dx + (top(at) - top(chosen)) * dy;
      const aside = Math.abs((left(at) - left(chosen)) * dy) + Math.abs((top(at) - top(chosen)) * dx);
      if (ahead > 0.5 && ahead + 2 * aside < least && shown(at)) { least = ahead + 2 * aside; best = at; }
    }
    return best;
  }

  canvas.addEventListener("pointermove", (event) => {
    if (event.pointerType !== "touch" && !pinned) {
      const at = nearest(event, 18);
      if (at !== chosen) choose(at, false);
    }
  });
  canvas.addEventListener("pointerleave", (event) => { if (event.pointerType !== "touch" && !pinned) choose(-1, false); });
  canvas.addEventListener("click", (event) => { const at = nearest(event, 26); choose(at, at >= 0); });
  canvas.addEventListener("keydown", (event) => {
    if (event.key === "Escape") choose(-1, false);
    if (!ways[event.key]) return;
    event.preventDefault();
    choose(beside(ways[event.key]), true);
  });
  document.getElementById("map-legend").addEventListener("change", (event) => {
    const name = event.target.dataset.shows;
    if (event.target.checked) hidden.delete(name); else hidden.add(name);
    choose(-1, false);
  });
  new ResizeObserver(() => { if (canvas.clientWidth !== wide || canvas.clientHeight !== high) choose(chosen, pinned); }).observe(canvas);
  addEventListener("beforeprint", () => draw(true));
  addEventListener("afterprint", () => draw());
  draw();
  return () => draw();
}

document.querySelectorAll(".pages").forEach(wirePages);
const canvas = document.getElementById("map-canvas");
wireTheme(canvas ? wireMap(canvas) : () => {});
