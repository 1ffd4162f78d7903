// Keeps the page live: the server pushes HTML fragments over SSE, each is morphed into the element
// with its id, so that focus, selection and a screen reader's place survive. Timers tick here.
"use strict";
(() => {
  const body = document.body, byId = (id) => document.getElementById(id);
  const fresh = byId("fresh"), say = byId("say"), lang = document.documentElement.lang;
  let events, heard = Date.now(), tried = heard, said = heard, skew = 0;

  const set = (node, text) => { if (node.textContent !== text) node.textContent = text; };

  // morph makes `old` look like `now`. Nodes with the same id, or else the same place, are kept; what is equal is not touched.
  function morph(old, now) {
    if (old.isEqualNode(now)) return;
    if (old.nodeType !== now.nodeType || old.nodeName !== now.nodeName) { old.replaceWith(now); return; }
    if (old.nodeType !== 1) { old.nodeValue = now.nodeValue; return; }
    const since = old.dateTime;
    for (const a of now.attributes) if (old.getAttribute(a.name) !== a.value) old.setAttribute(a.name, a.value);
    if (old.attributes.length !== now.attributes.length)
      for (const a of [...old.attributes]) if (!now.hasAttribute(a.name) && a.name !== "open") old.removeAttribute(a.name);
    if (since && since === old.dateTime) return; // its text is ticked here
    const wanted = new Set();
    for (let c = now.firstElementChild; c; c = c.nextElementSibling) if (c.id) wanted.add(c.id);
    let at = old.firstChild, next;
    for (let c = old.firstElementChild; c; c = next) {
      next = c.nextElementSibling;
      if (c.id && !wanted.has(c.id)) { if (c === at) at = c.nextSibling; c.remove(); }
    }
    for (let c = now.firstChild; c; c = next) {
      next = c.nextSibling;
      const known = c.id && byId(c.id), same = c.id ? (known && known.parentNode === old ? known : null) : at && !at.id ? at : null;
      if (!same) { old.insertBefore(c, at); continue; }
      if (same === at) at = at.nextSibling;
      else if (old.moveBefore) old.moveBefore(same, at); // keeps focus and animation
      else old.insertBefore(same, at);
      morph(same, c);
    }
    while (at) { next = at.nextSibling; at.remove(); at = next; }
  }

  function show(html) {
    const box = document.createElement("template");
    box.innerHTML = html;
    for (let now = box.content.firstElementChild, next; now; now = next) {
      next = now.nextElementSibling;
      const old = byId(now.id);
      if (old) morph(old, now);
    }
    if (body.dataset.fresh !== "live") tick();
  }

  const two = (n) => String(n).padStart(2, "0");

  function tick() {
    const now = Date.now(), silent = now - heard;
    for (const t of document.querySelectorAll("time[datetime]")) {
      const s = Math.max(0, Math.floor((now + skew - Date.parse(t.dateTime)) / 1000)), m = Math.floor(s / 60);
      set(t, (s < 3600 ? m : Math.floor(m / 60) + ":" + two(m % 60)) + ":" + two(s % 60));
    }
    const word = silent < 3000 ? "live" : silent < 10000 ? "late" : "lost";
    body.dataset.fresh = word;
    set(fresh, fresh.dataset[word].replace("{0}", new Date(heard).toLocaleTimeString(lang)));
    if (now - said > 30000) { said = now; set(say, byId("part-summary").textContent.trim()); }
    if (silent > 12000 && now - tried > 12000) listen(); // a connection may die without a word
  }

  function listen() {
    tried = Date.now();
    if (events) events.close();
    events = new EventSource(body.dataset.live);
    const on = (kind, take) => events.addEventListener(kind, (e) => { heard = Date.now(); take(e.data); });
    on("part", show);
    on("clock", (at) => { skew = Date.parse(at) - heard; if (body.dataset.fresh !== "live") tick(); });
    on("version", (v) => { if (v !== body.dataset.version) location.reload(); });
    // The browser connects again by itself, unless the server refused; tick tries then.
  }

  if (window.EventSource) { listen(); setInterval(tick, 1000); }
})();
