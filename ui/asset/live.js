// Keeps the page live: the server pushes HTML fragments over SSE, each is morphed into the element
// with its id, so that focus, selection and a screen reader's place survive. Timers tick here.
"use strict";
(() => {
  const body = document.body, byId = (id) => document.getElementById(id);
  const fresh = byId("fresh"), say = byId("say"), lang = document.documentElement.lang;
  let events, heard = Date.now(), tried = heard, said = heard, ticked = 0, skew = 0;

  // The node of the text is kept: another one would have to be laid out anew.
  const set = (node, text) => { const t = node.firstChild; if (!t) node.textContent = text; else if (t.data !== text) t.data = text; };

  // morph makes `old` look like `now`. Nodes with the same id, or else the same place, are kept; what is equal is not touched.
  function morph(old, now) {
    if (old.isEqualNode(now)) return;
    if (old.nodeType !== now.nodeType || old.nodeName !== now.nodeName) { old.replaceWith(now); return; }
    if (old.nodeType !== 1) { old.nodeValue = now.nodeValue; return; }
    const since = old.dateTime, names = now.getAttributeNames();
    for (const a of names) { const v = now.getAttribute(a); if (old.getAttribute(a) !== v) old.setAttribute(a, v); }
    if (old.attributes.length !== names.length)
      for (const a of old.getAttributeNames()) if (!now.hasAttribute(a) && a !== "open") old.removeAttribute(a);
    if (since && since === old.dateTime) return; // its text is ticked here
    let at = old.firstChild, first = now.firstChild, next;
    for (; at && first && at.nodeName === first.nodeName && at.id === first.id; at = at.nextSibling, first = first.nextSibling) morph(at, first);
    if (!at && !first) return; // mostly the same stand in the same places
    const wanted = new Set();
    for (let c = first; c; c = c.nextSibling) if (c.id) wanted.add(c.id);
    for (let c = at; c; c = next) {
      next = c.nextSibling;
      if (c.id && !wanted.has(c.id)) { if (c === at) at = next; c.remove(); }
    }
    for (let c = first; c; c = next) {
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
    const now = ticked = Date.now(), silent = now - heard;
    for (const t of document.getElementsByTagName("time")) {
      if (!t.dateTime) continue;
      if (t.stamp !== t.dateTime) t.since = Date.parse(t.stamp = t.dateTime);
      const s = Math.max(0, Math.floor((now + skew - t.since) / 1000)), m = Math.floor(s / 60);
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
    on("clock", (at) => { skew = Date.parse(at) - heard; tick(); }); // with what changes at that moment: one picture, not two
    on("version", (v) => { if (v !== body.dataset.version) location.reload(); });
    // The browser connects again by itself, unless the server refused; tick tries then.
  }

  if (window.EventSource) { listen(); setInterval(() => { if (Date.now() - ticked > 900) tick(); }, 1000); }
})();
