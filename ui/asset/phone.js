// The phone in the page: it asks for the microphone, says that it is ready, and offers its audio for each call that
// the box names (WebRTC, RFC 8829). Buttons are forms of the page; they are sent without leaving it.
"use strict";
{
  const box = document.getElementById("softphone"), ear = document.getElementById("softphone-ear");
  const lang = "lang=" + document.documentElement.lang, me = crypto.randomUUID?.() ?? String(Math.random()).slice(2);
  const lines = new Map(); // by call: the connection, and the microphone's track of it
  let microphone, bell, ringing, late;
  const say = (text) => { if (box.textContent !== text) box.textContent = text; };
  const headers = { Accept: "application/json" };

  const refusal = async (answer) => {
    let text;
    try { text = (await answer.json()).error; } catch { /* no words */ }
    return new Error(text || box.dataset.lost);
  };

  const close = (id) => {
    const line = lines.get(id);
    if (!line) return;
    lines.delete(id);
    line.track.stop();
    line.pc.close();
  };

  async function offer(id) {
    close(id);
    const pc = new RTCPeerConnection(), track = microphone.getAudioTracks()[0].clone();
    const line = { pc, track };
    lines.set(id, line);
    line.voice = new MediaStream();
    pc.ontrack = (e) => { line.voice.addTrack(e.track); hear(); };
    pc.addTransceiver(track, { direction: "sendrecv" });
    try {
      await pc.setLocalDescription(await pc.createOffer());
      const answer = await fetch("/phone/calls/" + id + "/offer?page=" + me + "&" + lang, {
        method: "POST", headers, body: pc.localDescription.sdp,
      });
      if (!answer.ok) throw await refusal(answer);
      await pc.setRemoteDescription({ type: "answer", sdp: await answer.text() });
      say(box.dataset.ready);
    } catch (e) {
      if (lines.get(id) !== line) return;
      close(id);
      say(e instanceof TypeError ? box.dataset.lost : e.message);
    }
  }

  // hear plays all calls; the box sends silence, or music, where one is held.
  function hear() {
    const all = new MediaStream();
    for (const l of lines.values()) for (const t of l.voice.getTracks()) all.addTrack(t);
    ear.srcObject = all;
    ear.play().catch(() => {}); // a browser that wants a click first gets one with the answer
  }

  function ring(on) {
    if (on === !!ringing) return;
    if (!on) { clearInterval(ringing.timer); ringing.context.close(); ringing = undefined; return; }
    const context = new AudioContext();
    const once = () => {
      const tone = context.createOscillator(), gain = context.createGain();
      tone.frequency.value = 440;
      gain.gain.value = 0.2;
      tone.connect(gain).connect(context.destination);
      tone.start();
      tone.stop(context.currentTime + 1);
    };
    ringing = { context, timer: setInterval(once, 3000) };
    once();
  }

  function obey(o) {
    ring(o.ring);
    if (o.other) { for (const id of [...lines.keys()]) close(id); say(box.dataset.other); return; }
    for (const id of [...lines.keys()]) if (!o.keep.includes(id) && !o.offer.includes(id)) close(id);
    for (const [id, l] of lines) l.track.enabled = !o.mute.includes(id);
    if (!late || Date.now() - late > 1000) for (const id of o.offer) { late = Date.now(); offer(id); }
  }

  function listen() {
    bell = new EventSource("/phone/ready/live?page=" + me + "&" + lang);
    bell.addEventListener("orders", (e) => { if (box.textContent === box.dataset.lost) say(box.dataset.ready); obey(JSON.parse(e.data)); });
    bell.onerror = () => {
      say(box.dataset.lost);
      if (bell.readyState === EventSource.CLOSED) setTimeout(listen, 2000);
    };
  }

  document.addEventListener("submit", async (e) => {
    const form = e.target;
    if (!new URL(form.action).pathname.startsWith("/phone/")) return;
    e.preventDefault();
    const body = new URLSearchParams(new FormData(form, e.submitter));
    try {
      const answer = await fetch(form.action, { method: "POST", headers, body });
      if (!answer.ok) throw await refusal(answer);
      for (const input of form.querySelectorAll("input")) input.value = "";
      say(box.dataset.ready);
    } catch (x) {
      say(x instanceof TypeError ? box.dataset.lost : x.message);
    }
  });

  async function begin() {
    if (!window.isSecureContext || !navigator.mediaDevices || !window.RTCPeerConnection) { say(box.dataset.insecure); return; }
    say(box.dataset.ask);
    try {
      microphone = await navigator.mediaDevices.getUserMedia({ audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true } });
    } catch { say(box.dataset.denied); return; }
    say(box.dataset.ready);
    listen();
  }
  if (box) begin();
}
