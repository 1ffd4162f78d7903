// Keeps the page live: the server pushes HTML fragments over SSE, each is morphed into the element
// with its id, so that focus, selection and a screen reader's place survive. Timers tick here.
"use strict";
(() => {
  const source = document.body.dataset.live;
  const fresh = document.getElementById("fresh");
  let last = 0, skew = 0;

  const keyOf = (n) => (n.nodeType === 1 && n.id) || "";

  // morph makes `old` look like `now`, keeping nodes that have the same id or the same place.
  function morph(old, now) {
    if (old.nodeType !== now.nodeType || old.nodeName !== now.nodeName) { old.replaceWith(now); return; }
    if (old.nodeType !== 1) { if (old.nodeValue !== now.nodeValue) old.nodeValue = now.nodeValue; return; }
    for (const a of [...old.attributes]) if (!now.hasAttribute(a.name)) old.removeAttribute(a.name);
    for (const a of now.attributes) if (old.getAttribute(a.name) !== a.value) old.setAttribute(a.name, a.value);
    const byKey = new Map();
    for (const c of old.childNodes) { const k = keyOf(c); if (k) byKey.set(k, c); }
    let at = old.firstChild;
    for (const c of [...now.childNodes]) {
      const k = keyOf(c), same = k ? byKey.get(k) : (at && !keyOf(at) ? at : null);
      if (!same) { old.insertBefore(c, at); continue; }
      if (same === at) at = at.nextSibling; else old.insertBefore(same, at);
      morph(same, c);
    }
    while (at) { const next = at.nextSibling; at.remove(); at = next; }
  }

  function show(html) {
    const box = document.createElement("template");
    box.innerHTML = html;
    for (const now of [...box.content.children]) {
      const old = document.getElementById(now.id);
      if (old) morph(old, now);
    }
    tick();
  }

  function tick() {
    const now = Date.now() + skew;
    for (const t of document.querySelectorAll("time[datetime]")) {
      const s = Math.max(0, Math.floor((now - Date.parse(t.dateTime)) / 1000));
      const two = (n) => String(n).padStart(2, "0");
      const text = s < 3600 ? Math.floor(s / 60) + ":" + two(s % 60)
        : Math.floor(s / 3600) + ":" + two(Math.floor(s / 60) % 60) + ":" + two(s % 60);
      if (t.textContent !== text) t.textContent = text;
    }
    const ok = Date.now() - last < 12000;
    const word = ok ? fresh.dataset.ok : fresh.dataset.late;
    fresh.className = ok ? "fresh" : "fresh late";
    if (fresh.textContent !== word) fresh.textContent = word;
  }

  function listen() {
    const events = new EventSource(source);
    events.addEventListener("part", (e) => { last = Date.now(); show(e.data); });
    events.addEventListener("clock", (e) => { last = Date.now(); skew = Date.parse(e.data) - last; tick(); });
    events.onerror = () => { // the browser reconnects by itself unless the server refused for good
      if (events.readyState === EventSource.CLOSED) setTimeout(listen, 3000);
    };
  }

  if (source && window.EventSource) { listen(); setInterval(tick, 1000); }
})();
