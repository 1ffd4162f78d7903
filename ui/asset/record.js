// Records a message with the browser's microphone and sends it as WAV. A browser opens its microphone for a page
// over HTTPS alone; elsewhere the button says so. Files that are too large are refused before they travel.
"use strict";
{
  const longest = 300; // seconds
  const wav = (parts, rate) => {
    const count = parts.reduce((n, p) => n + p.length, 0);
    const v = new DataView(new ArrayBuffer(44 + 2 * count));
    const word = (at, text) => [...text].forEach((c, i) => v.setUint8(at + i, c.charCodeAt(0)));
    word(0, "RIFF"); v.setUint32(4, 36 + 2 * count, true); word(8, "WAVEfmt "); v.setUint32(16, 16, true);
    v.setUint16(20, 1, true); v.setUint16(22, 1, true); v.setUint32(24, rate, true); v.setUint32(28, 2 * rate, true);
    v.setUint16(32, 2, true); v.setUint16(34, 16, true); word(36, "data"); v.setUint32(40, 2 * count, true);
    let at = 44;
    for (const p of parts) for (const x of p) { v.setInt16(at, Math.max(-1, Math.min(1, x)) * 32767, true); at += 2; }
    return v.buffer;
  };
  const offer = (box) => {
    const button = box.querySelector("button"), says = box.querySelector("[role=status]"), level = box.querySelector("meter");
    const start = button.textContent;
    let stop;
    box.hidden = false;
    if (!window.isSecureContext || !navigator.mediaDevices || !window.AudioWorkletNode) {
      button.disabled = true;
      says.textContent = says.dataset.insecure;
      return;
    }
    const record = async () => {
      const stream = await navigator.mediaDevices.getUserMedia({ audio: { channelCount: 1, echoCancellation: false } });
      const context = new AudioContext();
      const parts = [];
      let count = 0;
      try {
        await context.audioWorklet.addModule(box.dataset.worklet);
        const microphone = new AudioWorkletNode(context, "microphone", { numberOfOutputs: 0 });
        button.textContent = button.dataset.stop;
        level.hidden = false;
        await new Promise((resolve) => {
          stop = resolve;
          microphone.port.onmessage = ({ data }) => {
            parts.push(data);
            level.value = data.reduce((m, x) => Math.max(m, Math.abs(x)), level.value * 0.9);
            if ((count += data.length) > longest * context.sampleRate) resolve();
          };
          context.createMediaStreamSource(stream).connect(microphone);
        });
      } finally {
        stop = undefined;
        stream.getTracks().forEach((t) => t.stop());
        await context.close();
        button.textContent = start;
        level.hidden = true;
      }
      return wav(parts, context.sampleRate);
    };
    button.addEventListener("click", async () => {
      if (stop) { stop(); return; }
      says.textContent = "";
      let sound;
      try { sound = await record(); } catch { says.textContent = says.dataset.denied; return; }
      says.textContent = says.dataset.sending;
      button.disabled = true;
      try {
        const answer = await fetch(box.dataset.to, { method: "POST", body: sound, headers: { "Content-Type": "audio/wav" } });
        const told = await answer.json();
        if (told.to) { location.assign(told.to); return; }
        says.textContent = told.error;
      } catch { says.textContent = says.dataset.failed; }
      button.disabled = false;
    });
  };
  document.querySelectorAll(".record").forEach(offer);
  for (const input of document.querySelectorAll("input[data-most]")) {
    input.addEventListener("change", () => {
      const large = input.files[0]?.size > input.dataset.most;
      input.setCustomValidity(large ? input.dataset.large : "");
      if (large) input.reportValidity();
    });
  }
}
