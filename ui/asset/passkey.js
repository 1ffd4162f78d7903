// Passkeys: the browser's own dialogue between two questions to the box. Where the browser cannot do it, as
// over plain HTTP or at an address without a name, nothing is offered.
"use strict";
{
  const able = window.isSecureContext && window.PublicKeyCredential?.parseCreationOptionsFromJSON && !/^[\d.]+$|^\[/.test(location.hostname);
  const lang = "?lang=" + document.documentElement.lang;
  const post = async (path, body) => {
    const answer = await fetch(path + lang, { method: "POST", body });
    const text = await answer.json();
    if (!answer.ok) throw new Error(text.error);
    return text;
  };
  const offer = (box, run) => {
    if (!box || !able) return;
    box.hidden = false;
    const says = box.querySelector("[role=status]");
    const begin = async (event) => {
      event.preventDefault();
      says.textContent = "";
      try {
        location.assign((await run(box)).to);
      } catch (e) {
        // The browser's own words for a dialogue that was closed say nothing to a person.
        says.textContent = e instanceof DOMException ? says.dataset.none : e.message;
      }
    };
    if (box.tagName === "FORM") box.addEventListener("submit", begin);
    else box.querySelector("button").addEventListener("click", begin);
  };
  offer(document.getElementById("passkey-signin"), async (box) => {
    const q = await post("/signin/passkey/begin");
    const credential = await navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(q.options) });
    return post("/signin/passkey", JSON.stringify({ token: q.token, to: box.dataset.to, credential }));
  });
  offer(document.getElementById("passkey-add"), async (form) => {
    const q = await post("/me/passkey/begin", new URLSearchParams({ old: form.elements.old.value }));
    const credential = await navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(q.options) });
    return post("/me/passkey", JSON.stringify({ token: q.token, label: form.elements.label.value, credential }));
  });
}
